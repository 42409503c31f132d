"""What has to be true of a member besides its state before a wait for it is over: values, and no code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from provisioner.kinds.fleet.settings.differences import differs
from provisioner.kinds.fleet.settings.launch_tag import read_record
from provisioner.kinds.fleet.settings.table import SETTINGS
from provisioner.kinds.fleet.spec import Fleet
from provisioner.kinds.fleet.volumes.changes import is_set
from provisioner.kinds.instances import Instance
from provisioner.kinds.keep import with_keep
from provisioner.lazy_dataclass import dataclass
from provisioner.model import FieldChange
from provisioner.naming import ASKED_TAG, INDEX_TAG, LAUNCH_TAG, NAME_TAG, READY_TAG, compared_tags

# Tags of a member that are not among the fleet's.
KEPT_APART = frozenset({LAUNCH_TAG, ASKED_TAG, INDEX_TAG, NAME_TAG, READY_TAG})


@dataclass(frozen=True)
class SettingsAgree:
    """A member has the fleet's values of its settings of `paths`, and `words` in its launch tag; both by id.

    Of others nothing is asked.
    """

    fleet: Fleet
    paths: Mapping[str, tuple[str, ...]]
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def holds(self, instance: Instance) -> bool:
        paths = self.paths.get(instance.id, ())
        written = self.words.get(instance.id, {})
        return read_record(instance).items() >= written.items() and not any(
            differs(setting, self.fleet, instance) for setting in SETTINGS if setting.path in paths
        )


@dataclass(frozen=True)
class TagsAgree:
    """A member has the fleet's tags, and no others but those that are `ignored`."""

    fleet: Fleet
    ignored: tuple[str, ...]

    def holds(self, instance: Instance) -> bool:
        return not tag_differences(self.fleet, instance, self.ignored)


@dataclass(frozen=True)
class NameAgrees:
    """A member has its name, and its number where `numbers` has one for it, by id.

    `left_alone`: the name is given at launch, and what others make of it stays.
    """

    fleet: Fleet
    numbers: Mapping[str, int]
    left_alone: bool

    def holds(self, instance: Instance) -> bool:
        number = self.numbers.get(instance.id, 0)
        if number and instance.tag(INDEX_TAG) != str(number):
            return False
        return self.left_alone or instance.tag(NAME_TAG) == self.fleet.member_name(number)


@dataclass(frozen=True)
class IsNumbered:
    """Those of the members with these ids have a number, whoever gave it to them."""

    ids: frozenset[str]

    def holds(self, instance: Instance) -> bool:
        return instance.id not in self.ids or instance.tag(INDEX_TAG) is not None


@dataclass(frozen=True)
class VolumesGo:
    """Volumes stay or go with the member as fields of `goes_wrong` say."""

    fields: tuple[FieldChange, ...]

    def holds(self, instance: Instance) -> bool:
        return is_set(instance, self.fields)


def tag_differences(fleet: Fleet, member: Instance, ignored: Sequence[str]) -> tuple[FieldChange, ...]:
    """The tags in which a member differs from the spec, names and what is written down at launch apart."""
    has = {key: value for key, value in (member.tags or {}).items() if key not in KEPT_APART}
    if has == fleet.tags:
        return ()
    has = compared_tags(has, fleet.tags, with_keep(ignored, fleet.keep))
    return tuple(
        FieldChange(f"tags.{key}", has.get(key), fleet.tags.get(key))
        for key in sorted(fleet.tags.keys() | has.keys())
        if has.get(key) != fleet.tags.get(key)
    )
