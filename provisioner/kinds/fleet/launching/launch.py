"""Launching exactly once. The token of a launch is derived from what was observed.

RunInstances is the only call here that can make two of something. The launches of a fleet in one subnet are
numbered, and the ClientToken of each ends in its number. Whoever plans a launch takes the number after the
highest that EC2 shows. So the same plan launches once however often it is sent, and a plan made from an older
view of the fleet gets the launch that it did not know of, or a mismatch:
https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from provisioner.errors import AwsError, ChangedMeanwhile, LaunchNotVisible
from provisioner.execution import ExecutionContext, run_step
from provisioner.kinds.fleet.call_rules import CAPACITY_CODES, INSTANCE_QUOTA_CODES
from provisioner.kinds.fleet.launching.params import launch_params, run_instances
from provisioner.kinds.fleet.observed import PartlyObserved, Prerequisites, Subnet, is_of
from provisioner.kinds.fleet.spec import CapacityOption, Fleet
from provisioner.kinds.instances import Instance, as_instance
from provisioner.kinds.launch_token import Slot, launch_token, number_in
from provisioner.kinds.tags import (
    tag_list,
)
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Call, CallCount, count_calls
from provisioner.naming import ASKED_TAG
from provisioner.retry import DENIED_CODES

# A token is remembered for at least a day after its instances were terminated, so a fleet that is made and
# destroyed over and over needs as many numbers as that happens within a day.
MAX_USED_UP = 100

# How long a launch with the same token and other parameters may take to show before it is one of long ago.
# https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html speaks of up to five minutes.
MAX_MISMATCH_S = 300.0


def next_number(slot: Slot, epoch: str, visible: Iterable[Instance]) -> int:
    """The number after the highest of the launches that EC2 shows; terminated members count as well."""
    numbers = (number_in(instance.token, slot, epoch) for instance in visible)
    return 1 + max((number for number in numbers if number is not None), default=-1)


class LaunchResult(NamedTuple):
    """What one launch got: the number of the next one in its subnet, and its members.

    `shortage` is why there was no room for any.
    """

    number: int
    members: Sequence[Instance]
    shortage: AwsError | None = None


@dataclass(frozen=True)
class NumberedLaunch:
    """Launch up to `count` members as one capacity option in one subnet.

    `number` is the first that may be free.
    """

    slot: Slot
    number: int
    count: int
    option: CapacityOption
    epoch: str
    params: Mapping[str, Any]

    def send(self, context: ExecutionContext) -> LaunchResult:
        """Make the launch, with the first number from `number` on whose token is not used up.

        A launch that got fewer than it asked for is marked as having asked for these.

        A token is used up when it belongs to a launch of long ago, or all its members are gone. The numbers
        are tried in order, so that it is the same one also for whoever comes after a crash. Raises AwsError,
        and ChangedMeanwhile when some of what it got is gone already.
        """
        for number in range(self.number, self.number + MAX_USED_UP):
            token = launch_token(self.slot, self.epoch, str(self.option), number)
            try:
                answer = context.send(run_instances(self.params, self.option, self.count, token))
            except AwsError as error:
                if error.code in CAPACITY_CODES | INSTANCE_QUOTA_CODES:
                    return LaunchResult(self.number, (), error)
                if error.code == "IdempotentInstanceTerminated":
                    continue
                if error.code != "IdempotentParameterMismatch":
                    raise
                if not self._is_of_long_ago(token, context):
                    # Which number it is tells whoever waits that the one before was waited out.
                    hint = (
                        f"launch {number} in {self.slot.subnet} was asked for with other parameters; "
                        "waiting until it is shown, or is one of long ago"
                    )
                    raise error.with_hint(hint) from error
                continue
            launched = [as_instance(raw) for raw in answer["Instances"]]
            members = [instance for instance in launched if self._is_member(instance)]
            if members and len(members) < len(launched):
                raise ChangedMeanwhile("some members of an earlier launch are gone already")
            if members:
                if len(members) < self.count:
                    # So that nobody takes for members to come those that there was no room for.
                    context.send(note_asked(members))
                return LaunchResult(number + 1, members)
        raise AwsError(
            "ec2", "RunInstances", "IdempotentInstanceTerminated", "all tokens of this launch are used up"
        )

    def check(self, context: ExecutionContext) -> None:
        """Ask EC2 whether it would launch them. Raises AwsError if it would not, but for want of room.

        https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html, DryRun. An endpoint that
        does not know it does with this token what would be done next.
        """
        token = launch_token(self.slot, self.epoch, str(self.option), self.number)
        call = run_instances(self.params, self.option, self.count, token)
        try:
            context.send(replace(call, params={**call.params, "DryRun": True}))
        except AwsError as error:
            if error.code not in {"DryRunOperation", *CAPACITY_CODES, *INSTANCE_QUOTA_CODES}:
                raise

    def _is_member(self, instance: Instance) -> bool:
        """Whether what a token stands for lives, and nobody has taken the environment's tag off it.

        It is set with the launch; so whatever shows other tags but not this one had it once.
        """
        return instance.is_live and (is_of(instance, self.slot.environment) or not instance.tags)

    def _is_of_long_ago(self, token: str, context: ExecutionContext) -> bool:
        """Whether a launch with other parameters that had this token is past, and not about to show.

        It shows within minutes or not at all; while it may, the caller has to look again. EC2 remembers a
        token also for a launch that failed for want of capacity.
        """
        if context.seconds_since(f"token {token}") < MAX_MISMATCH_S:
            return False
        asked = {"Filters": [{"Name": "client-token", "Values": [token]}]}
        found = context.send(Call("ec2", "DescribeInstances", asked))["Reservations"]
        instances = [as_instance(raw) for reservation in found for raw in reservation["Instances"]]
        return not any(map(self._is_member, instances))


def note_asked(members: Sequence[Instance]) -> Call:
    """The call that writes on the members of a launch that there are no others."""
    tags = tag_list({ASKED_TAG: str(len(members))})
    return Call("ec2", "CreateTags", {"Resources": [member.id for member in members], "Tags": tags})


@dataclass(frozen=True)
class ConfirmLaunch:
    """Ask again what a launch has got of which EC2 shows only a part, then have everything looked at again.

    Replaying a token launches nothing: EC2 answers with the instances that it got. `replays` are the calls
    with the parameters that the launch had if the spec has not changed since; if it has, time must tell. It
    must, too, where members are only `leaving`, and whoever destroys them may not launch.
    """

    replays: tuple[Call, ...]
    unseen: int
    leaving: bool = False

    def calls(self) -> Iterable[CallCount]:
        return count_calls(self.replays)


@run_step.register
def _confirm_launch(step: ConfirmLaunch, context: ExecutionContext) -> None:
    no_answer = {"IdempotentParameterMismatch", "IdempotentInstanceTerminated"}
    for replay in step.replays:
        try:
            context.send(replay)
        except AwsError as error:
            if error.code not in (no_answer | DENIED_CODES if step.leaving else no_answer):
                raise
    raise LaunchNotVisible(f"{step.unseen} launched members are not shown by EC2 yet")


def confirm_launch(
    fleet: Fleet | None,
    profile: str | None,
    prerequisites: Prerequisites,
    partly: Iterable[PartlyObserved],
    leaving: bool,
) -> ConfirmLaunch:
    """The step that finds out about launches seen in part. `fleet`: as the spec has it, or None; `leaving`:
    all members are to go."""
    replays = []
    unseen = 0
    for launch in partly:
        first = launch.shown[0]
        unseen += launch.asked - len(launch.shown)
        lives = next((member for member in launch.shown if member.subnet and member.vpc), None)
        if fleet and lives and lives.subnet and lives.vpc:
            as_it_was = replace(
                prerequisites,
                image=lives.image,
                groups={name: group for group, name in (lives.groups or {}).items()}
                | {group: group for group in lives.groups or {}},
            )
            if all(group in as_it_was.groups for group in fleet.wanted_groups):
                subnet = Subnet(lives.subnet, first.zone, lives.vpc)
                params = launch_params(fleet, profile, as_it_was, subnet)
                option = CapacityOption(first.type, first.market)
                replays.append(run_instances(params, option, launch.asked, launch.token))
    return ConfirmLaunch(tuple(replays), unseen, leaving)
