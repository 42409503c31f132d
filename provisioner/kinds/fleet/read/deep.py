"""What DescribeInstances does not show of members, read and put in place of what was written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from provisioner.kinds.base import Reader
from provisioner.kinds.fleet.settings.launch_tag import read_record, write_record
from provisioner.kinds.fleet.settings.table import SETTINGS
from provisioner.kinds.fleet.spec import Fleet
from provisioner.kinds.instances import Instance
from provisioner.naming import LAUNCH_TAG


def as_they_are(reader: Reader, fleet: Fleet, members: Sequence[Instance]) -> tuple[Instance, ...]:
    """The members with a launch record that says what is true now, but for volumes, which are read apart.

    What neither the spec nor the launch tag says is not read. Raises AwsError.
    """

    def true(member: Instance) -> Instance:
        record = dict(read_record(member))
        for setting in SETTINGS:
            word = setting.remembered
            if word and word.read and (word.text(fleet) is not None or word.word in record):
                value = word.read(reader, member)
                record |= {} if value is None else {word.word: value}
        return replace(member, tags={**(member.tags or {}), LAUNCH_TAG: write_record(record)})

    return tuple(reader.parallel(*(lambda member=member: true(member) for member in members)))
