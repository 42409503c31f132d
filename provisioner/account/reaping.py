"""What has come to its end and is still there: which of it is to be terminated, and terminating it.

Only what a fleet of ours launched, as its token shows, and what says itself that it has ended. Nothing that
is kept or protected.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from provisioner.account.contents import is_launched_by_its_tags
from provisioner.errors import AwsError, Interrupted
from provisioner.kinds.base import Reader
from provisioner.kinds.expiry import end_in
from provisioner.kinds.fleet.settings.launch_tag import is_protected
from provisioner.kinds.instances import MAX_IDS, Instance, by_ids, chunks, find_instances
from provisioner.kinds.keep import is_kept

PROTECTED = "OperationNotPermitted"


class Writer(Reader, Protocol):
    """AWS, for everything."""

    def send(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """One call, which may write. Raises AwsError."""

    def in_region(self, region: str) -> Writer:
        """The same account in another region."""


@dataclass(frozen=True)
class Ended:
    """The live instances of one region whose end has come: those to terminate, and those left alone."""

    region: str
    instances: tuple[Instance, ...] = ()
    kept: tuple[Instance, ...] = ()
    protected: tuple[Instance, ...] = ()
    foreign: tuple[Instance, ...] = ()


@dataclass(frozen=True)
class Reaped:
    """What became of them: ids that are going, and why others are not."""

    done: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]


def ended(region: str, instances: Iterable[Instance], now: datetime) -> Ended:
    """Which of these instances have come to their end, each where it belongs."""
    sorts: dict[str, list[Instance]] = {"instances": [], "kept": [], "protected": [], "foreign": []}
    for instance in instances:
        end = end_in(instance.tags)
        if end is not None and end <= now and instance.is_live:
            sorts[_sort(instance)].append(instance)
    return Ended(region, **{name: tuple(found) for name, found in sorts.items()})


def _sort(instance: Instance) -> str:
    if not is_launched_by_its_tags(instance):
        return "foreign"
    if is_kept(instance.tags):
        return "kept"
    return "protected" if is_protected(instance) else "instances"


def reap(writer: Writer, region: str, ids: Sequence[str], stop: threading.Event) -> Reaped:
    """Terminate these instances of a region, but for those that are not to go any more by now.

    They are read again first: somebody may have moved the end, or the time to answer was long. What cannot
    be read again is a failure of this region, and not of what becomes of the others.
    """
    there = writer.in_region(region)
    try:
        found = [instance for scope in by_ids(ids) for instance in find_instances(there, scope)]
    except AwsError as error:
        return Reaped((), tuple((name, error.message) for name in ids))
    still = [instance.id for instance in ended(region, found, writer.now()).instances]
    moved = {instance.id for instance in found if instance.is_live} - {*still}
    done: list[str] = []
    failed = [(name, "its tags have changed meanwhile: left alone") for name in sorted(moved)]
    for part in chunks(still, MAX_IDS):
        reaped = _terminate(there, part, stop)
        done += reaped.done
        failed += reaped.failed
    return Reaped(tuple(done), tuple(failed))


def _terminate(writer: Writer, ids: Sequence[str], stop: threading.Event) -> Reaped:
    """One by one where one of them is protected: it saves those in its zone. None once `stop` is set.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TerminateInstances.html
    """
    if stop.is_set():
        return Reaped((), ())
    try:
        writer.send("ec2", "TerminateInstances", InstanceIds=list(ids))
    except Interrupted:
        return Reaped((), ())
    except AwsError as error:
        if error.code == PROTECTED and len(ids) > 1:
            each = [_terminate(writer, [name], stop) for name in ids]
            return Reaped(
                tuple(name for reaped in each for name in reaped.done),
                tuple(failure for reaped in each for failure in reaped.failed),
            )
        return Reaped((), tuple((name, error.message) for name in ids))
    return Reaped(tuple(ids), ())
