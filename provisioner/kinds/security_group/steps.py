"""What a change does beyond single calls: rules are exchanged, a group is deleted once nobody has it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from provisioner.errors import AwsError, ChangedMeanwhile
from provisioner.execution import ExecutionContext, run_step
from provisioner.kinds.keep import is_kept
from provisioner.kinds.ownership import is_ours
from provisioner.kinds.security_group.call_rules import IN_USE, NO_SUCH_RULE, NOT_THERE, TOO_MANY
from provisioner.kinds.security_group.observed import FoundGroup, as_group
from provisioner.kinds.security_group.rules import Rule, group_peer
from provisioner.kinds.security_group.spec import KIND
from provisioner.kinds.security_group.users import as_interface, having
from provisioner.kinds.shown import has_tags, wait_until_shown
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Call, CallCount, Output, count_calls

# How long the interfaces of instances that terminate may keep a group.
MAX_LINGER_S = 600.0
PAUSES_S = (1.0, 2.0, 5.0)
MAX_TOLD = 5


@dataclass(frozen=True)
class ExchangeRules:
    """Adds rules, then takes others away; the other way round only where there is no room for both.

    `put_back` adds again what was taken away, where there is no room even then.
    """

    add: tuple[Call, ...]
    remove: tuple[Call, ...]
    put_back: tuple[Call, ...] = ()

    def calls(self) -> Iterable[CallCount]:
        return count_calls((*self.add, *self.remove))

    def foretold(self) -> Iterable[Call]:
        return (*self.add, *self.remove)


@run_step.register
def _exchange(step: ExchangeRules, context: ExecutionContext) -> None:
    try:
        for call in step.add:
            context.send(call)
    except AwsError as error:
        if error.code != TOO_MANY or not step.remove:
            raise
        context.check()
        # What was taken away is not left without what takes its place.
        uninterrupted = context.to_the_end()
        for call in step.remove:
            uninterrupted.send(call)
        try:
            for call in step.add:
                uninterrupted.send(call)
        except AwsError:
            for call in step.put_back:
                # Why the others were refused is what has to be told.
                with suppress(AwsError):
                    uninterrupted.send(call)
            raise
        return
    for call in step.remove:
        context.send(call)


@dataclass(frozen=True)
class MayGo:
    """Makes sure that a group may be deleted by now, before the rules that name it are taken away.

    `awaited` are the instances that had it when the plan was made, `referring` the groups with these rules.
    """

    id: str
    environment: str
    awaited: frozenset[str]
    referring: frozenset[str]

    def calls(self) -> Iterable[CallCount]:
        return ()


@run_step.register
def _look_first(step: MayGo, context: ExecutionContext) -> None:
    try:
        _check_is_ours(step, context)
        _, others = _users(step, context, step.referring)
    except AwsError as error:
        if error.code not in NOT_THERE:
            raise
        return
    if others:
        raise ChangedMeanwhile(f"{step.id} got users meanwhile", _way_out(others))


@dataclass(frozen=True)
class LetGo:
    """Takes away the rules of a group that name another one, which is to go. They may be gone already."""

    revoke: Call

    def calls(self) -> Iterable[CallCount]:
        return count_calls((self.revoke,))

    def foretold(self) -> Iterable[Call]:
        return (self.revoke,)


@run_step.register
def _let_go(step: LetGo, context: ExecutionContext) -> None:
    try:
        context.send(step.revoke)
    except AwsError as error:
        if error.code not in (*NOT_THERE, NO_SUCH_RULE):
            raise


@dataclass(frozen=True)
class DeleteGroup:
    """Deletes a group of an environment, once the interfaces of instances that terminate have let go of it.

    `awaited` are the instances that had it when the plan was made.
    """

    id: str
    environment: str
    awaited: frozenset[str]

    def calls(self) -> Iterable[CallCount]:
        return (CallCount("ec2", "DeleteSecurityGroup", 1),)

    def foretold(self) -> Iterable[Call]:
        return (Call("ec2", "DeleteSecurityGroup", {"GroupId": self.id}),)


@run_step.register
def _delete(step: DeleteGroup, context: ExecutionContext) -> None:
    waited, round_ = 0.0, 0
    try:
        _check_is_ours(step, context)
        while True:
            try:
                context.send(Call("ec2", "DeleteSecurityGroup", {"GroupId": step.id}))
            except AwsError as error:
                if error.code != IN_USE:
                    raise
                users, others = _users(step, context)
                if others or waited >= MAX_LINGER_S:
                    raise error.with_hint(_way_out(others or users)) from error
            else:
                break
            context.tell("waiting until the interfaces of terminated instances are gone")
            pause = PAUSES_S[min(round_, len(PAUSES_S) - 1)]
            context.pause(pause)
            waited, round_ = waited + pause, round_ + 1
    except AwsError as error:
        if error.code not in NOT_THERE:
            raise
    wait_until_shown(step.id, lambda: _look(step.id, context) is None, context)


def _look(group: str, context: ExecutionContext) -> FoundGroup | None:
    """The group, if EC2 shows it. A filter finds nothing without an error."""
    filters = [{"Name": "group-id", "Values": [group]}]
    found = context.send(Call("ec2", "DescribeSecurityGroups", {"Filters": filters}))["SecurityGroups"]
    return next(map(as_group, found), None)


@dataclass(frozen=True)
class AwaitGroup:
    """Waits until EC2 shows a group with these rules and tags, and without those that were taken away."""

    id: str | Output
    there: tuple[Rule, ...] = ()
    gone: tuple[Rule, ...] = ()
    tags: tuple[tuple[str, str | None], ...] = ()

    def calls(self) -> Iterable[CallCount]:
        return ()


@run_step.register
def _await(step: AwaitGroup, context: ExecutionContext) -> None:
    def assigned(value: str | Output) -> str:
        return context.value_of(value) if isinstance(value, Output) else value

    def with_ids(rule: Rule) -> Rule:
        peer = rule.traffic.peer
        return rule.to(group_peer(assigned(peer.value))) if isinstance(peer.value, Output) else rule

    id_ = assigned(step.id)
    there = [with_ids(rule) for rule in step.there]
    gone = {(rule.is_egress, rule.traffic) for rule in map(with_ids, step.gone)}

    def is_shown() -> bool:
        group = _look(id_, context)
        if group is None:
            return False
        are_gone = gone.isdisjoint((rule.is_egress, rule.traffic) for rule in group.rules)
        return are_gone and set(there) <= set(group.rules) and has_tags(group.tags, step.tags)

    wait_until_shown(id_, is_shown, context)


def _check_is_ours(step: MayGo | DeleteGroup, context: ExecutionContext) -> None:
    """Raises ChangedMeanwhile for a group that is kept by now, or somebody else's."""
    shown = context.send(Call("ec2", "DescribeSecurityGroups", {"GroupIds": [step.id]}))["SecurityGroups"]
    for group in map(as_group, shown):
        if is_kept(group.tags) or not is_ours(KIND, group.tags, step.environment):
            raise ChangedMeanwhile(f"{step.id} got other tags meanwhile: left alone")


def _users(
    step: MayGo | DeleteGroup, context: ExecutionContext, referring: frozenset[str] = frozenset()
) -> tuple[list[str], list[str]]:
    """Who has the group or names it now, in words: all, and those that nothing in the plan takes away.

    `referring` are groups whose rules may still name it.
    """
    own = {step.id, *referring}
    asked = Call("ec2", "DescribeNetworkInterfaces", {"Filters": having([step.id])})
    interfaces = [as_interface(raw) for raw in context.send(asked)["NetworkInterfaces"]]
    others = [interface.user for interface in interfaces if interface.instance not in step.awaited]
    if not interfaces:
        for name in ("ip-permission.group-id", "egress.ip-permission.group-id"):
            filters = [{"Name": name, "Values": [step.id]}]
            found = context.send(Call("ec2", "DescribeSecurityGroups", {"Filters": filters}))
            groups = [as_group(raw) for raw in found["SecurityGroups"]]
            others += [f"the rules of {group.id} ({group.name})" for group in groups if group.id not in own]
    return [interface.user for interface in interfaces], others


def _way_out(users: list[str]) -> str:
    more = f" and {len(users) - MAX_TOLD} more" if len(users) > MAX_TOLD else ""
    named = ", ".join(users[:MAX_TOLD]) or "something that EC2 does not name"
    return f"used by {named}{more}: take the group off, then apply again"
