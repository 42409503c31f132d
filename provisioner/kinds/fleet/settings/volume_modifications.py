"""Changing volumes that are in use: ModifyVolume, and waiting until that has taken effect.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVolume.html
https://docs.aws.amazon.com/ebs/latest/userguide/monitoring-volume-modifications.html
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from provisioner.errors import AwsError, ProvisionerError, WaitError
from provisioner.execution import ExecutionContext, run_step
from provisioner.kinds.fleet.call_rules import MODIFIED_BEFORE
from provisioner.kinds.instances import MAX_FILTER_VALUES, chunks
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Call, CallCount, Parallel, Step

MODIFY_VOLUME = "ModifyVolume"
# A modification has taken effect with `optimizing`, which may then go on for hours.
IN_EFFECT = ("optimizing", "completed")
# Seconds before each further look; the last one again and again.
PAUSES = (0.2, 1.0, 2.0, 3.0, 5.0)
MAX_WAIT_S = 600.0


def modify_steps(calls: Iterable[Call]) -> tuple[Step, ...]:
    """The steps that send calls of ModifyVolume, one a volume, and then wait for all volumes."""
    modified = tuple(
        ModifyVolume(call.params["VolumeId"], {k: v for k, v in call.params.items() if k != "VolumeId"})
        for call in calls
    )
    return (Parallel(modified), AwaitModified(modified)) if modified else ()


@dataclass(frozen=True)
class ModifyVolume:
    """Modify one volume, unless a modification to the same is under way or was the last one.

    A run that was killed may have begun it, or its reply was lost; EC2 takes no second one then.
    """

    volume: str
    params: Mapping[str, Any]

    def calls(self) -> Iterable[CallCount]:
        return (CallCount("ec2", MODIFY_VOLUME, 1),)

    def foretold(self) -> tuple[Call]:
        return (Call("ec2", MODIFY_VOLUME, {"VolumeId": self.volume, **self.params}),)

    def leads_to(self, modification: Mapping[str, Any]) -> bool:
        """Whether a modification, as EC2 describes it, has all that this one asks for as its target."""
        return all(modification.get(f"Target{name}") == value for name, value in self.params.items())


@run_step.register
def _modify(step: ModifyVolume, context: ExecutionContext) -> None:
    try:
        context.send(*step.foretold())
    except AwsError as error:
        if error.code not in MODIFIED_BEFORE:
            raise
        last = _last_modifications((step.volume,), context).get(step.volume)
        if last is None or last["ModificationState"] == "failed" or not step.leads_to(last):
            raise


@dataclass(frozen=True)
class AwaitModified:
    """Wait until modifications have taken effect; EC2 is asked for all of them together."""

    modified: tuple[ModifyVolume, ...]

    def calls(self) -> Iterable[CallCount]:
        return ()


@run_step.register
def _await_modified(step: AwaitModified, context: ExecutionContext) -> None:
    left = {modified.volume: modified for modified in step.modified}
    waited = 0.0
    for pause in itertools.chain(PAUSES, itertools.repeat(PAUSES[-1])):
        found = _last_modifications(tuple(left), context)
        # At first EC2 may still show the modification before.
        ours = {name: shown for name, shown in found.items() if left[name].leads_to(shown)}
        _raise_if_failed(ours)
        for name, shown in ours.items():
            if shown["ModificationState"] in IN_EFFECT:
                del left[name]
        if not left:
            return
        context.tell(f"{len(step.modified) - len(left)} of {len(step.modified)} volumes modified")
        if waited >= MAX_WAIT_S:
            raise WaitError(
                f"{', '.join(left)} not modified after {MAX_WAIT_S / 60:.0f} minutes",
                "EBS goes on by itself; apply again to go on from there",
            )
        context.pause(pause)
        waited += pause


def _raise_if_failed(found: Mapping[str, Mapping[str, Any]]) -> None:
    failed = {
        name: modification
        for name, modification in found.items()
        if modification["ModificationState"] == "failed"
    }
    if failed:
        reasons = sorted(
            {modification.get("StatusMessage") or "no reason given" for modification in failed.values()}
        )
        raise ProvisionerError(
            f"the modification of {', '.join(sorted(failed))} failed: {'; '.join(reasons)}",
            "the volume is as it was; apply again to try again",
        )


def _last_modifications(volumes: Sequence[str], context: ExecutionContext) -> dict[str, Mapping[str, Any]]:
    """The last modification of each of the volumes that was ever modified."""
    found: dict[str, Mapping[str, Any]] = {}
    for part in chunks(volumes, MAX_FILTER_VALUES):
        filters = [{"Name": "volume-id", "Values": list(part)}]
        answer = context.send(Call("ec2", "DescribeVolumesModifications", {"Filters": filters}))
        found |= {modification["VolumeId"]: modification for modification in answer["VolumesModifications"]}
    return found
