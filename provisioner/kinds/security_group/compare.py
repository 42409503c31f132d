"""What to do so that a security group is as the spec says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from provisioner.kinds.base import World
from provisioner.kinds.keep import is_kept, kept_unsaid, made_keep, refuse_kept, with_keep
from provisioner.kinds.ownership import Foreign, foreign_notes, way_back, whose
from provisioner.kinds.security_group.observed import FoundGroup, ObservedGroup, id_at
from provisioner.kinds.security_group.rules import ALL_OUT, Rule, in_words, permission
from provisioner.kinds.security_group.spec import KIND, SecurityGroup
from provisioner.kinds.security_group.steps import AwaitGroup, DeleteGroup, ExchangeRules, LetGo, MayGo
from provisioner.kinds.security_group.users import HasMembers
from provisioner.kinds.security_group.wanted import (
    Differences,
    differences,
    leaving_ids,
    names_new_group,
    wanted_rules,
)
from provisioner.kinds.shown import wanted_tags
from provisioner.kinds.tags import is_crowded, made_tags, tag_changes, tag_list, too_many_tags
from provisioner.model import (
    Action,
    Address,
    Call,
    Change,
    FieldChange,
    Findings,
    Note,
    NoteKind,
    Output,
    Refusal,
    Step,
)
from provisioner.naming import GROUP_TAG

MAX_TOLD_USERS = 5
INGRESS, EGRESS = "ingress", "egress"
Names = Mapping[str | Output, Address]

_AUTHORIZE = ("AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress")
_REVOKE = ("RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress")
_DESCRIBE = ("UpdateSecurityGroupRuleDescriptionsIngress", "UpdateSecurityGroupRuleDescriptionsEgress")
# All groups are made before the first rule that names another.
_MADE, _RULES = 0, 1


def compare_group(
    address: Address, desired: SecurityGroup | None, observed: ObservedGroup, world: World
) -> Findings:
    """The changes of one group, or why there can be none."""
    group = observed.group
    if observed.unread:
        return Findings(notes=(Note(address, observed.unread, kind=NoteKind.NOT_COMPARED),))
    if observed.foreign:
        return Findings(notes=tuple(_foreign_notes(observed.foreign, world)))
    if desired is None:
        return _leaving(address, group, observed, world) if group else Findings()
    refusals = tuple(_refusals(address, desired, observed, world))
    if refusals:
        return Findings(refusals=refusals)
    wanted = wanted_rules(desired, observed, world)
    differ = differences(desired, group, wanted)
    if group is None:
        changes = tuple(_create(address, desired, observed, wanted, differ, world))
        return Findings(changes=changes, notes=tuple(_apart_notes(address, wanted, world)))
    changes = tuple(_update(address, desired, observed, group, wanted, differ, world))
    return Findings(changes=changes, notes=kept_unsaid(address, desired.keep, group.tags))


def names(world: World) -> dict[str | Output, Address]:
    """The groups of the environment by their ids, and by what stands for those of new ones."""
    there: Names = {
        observed.group.id: at for at, observed in world.observed_of(ObservedGroup).items() if observed.group
    }
    return {**there, **{id_at(at, world): at for at in world.desired_of(SecurityGroup)}}


def _refusals(
    address: Address, desired: SecurityGroup, observed: ObservedGroup, world: World
) -> Iterator[Refusal]:
    if observed.problem:
        yield Refusal(address, *observed.problem, exit_code=1)
        return
    ignored = with_keep(world.environment.ignore_tags, desired.keep)
    yield from too_many_tags(address, desired.tags, observed.group.tags if observed.group else {}, ignored)
    if observed.group:
        return
    if observed.taken:
        other, here = observed.taken, world.environment
        back = way_back(address, other.id, other.tags, here.name, here.region)
        yield Refusal(
            address,
            f"ec2 CreateSecurityGroup: group {observed.new_name} exists already in {observed.vpc} as "
            f"{other.id}, and {whose(KIND, other.tags, here.name)}",
            f"{back}choose another name with `name:`, or delete the existing group",
            exit_code=1,
        )
    for at, former in sorted(world.observed_of(ObservedGroup).items()):
        there, is_wanted = former.group, at != address and world.desired(at) is not None
        name = there.name if there else former.new_name
        vpc = there.vpc if there else former.vpc
        if at == address or (name.lower(), vpc) != (observed.new_name.lower(), observed.vpc):
            continue
        if is_wanted:
            hint = "give one of them another `name:`"
            yield Refusal(address, f"{at} has the same name in the same VPC: {name}", hint, exit_code=1)
        elif there and name != observed.new_name:
            yield Refusal(
                address,
                f"{there.id} is called {name}, and to EC2 {observed.new_name} is the same name",
                "give it a `name:` that differs in more than capitals, or put the name back",
            )
        elif there:
            yield Refusal(
                address,
                f"EC2 cannot change the description of a group, and {there.id} has the name {there.name} "
                f"with another one: {there.description}",
                "give it another `name:` too, take `name:` out, or put the description back",
            )


def _foreign_notes(foreign: Sequence[FoundGroup], world: World) -> Iterable[Note]:
    """Of those that have a name that the spec wants, a refusal tells."""
    told = {there.taken.id for there in world.observed_of(ObservedGroup).values() if there.taken}
    others = [Foreign(group.id, group.name) for group in foreign if group.id not in told]
    return foreign_notes(KIND, others, world.environment.name, world.environment.region)


def _create(
    address: Address,
    desired: SecurityGroup,
    observed: ObservedGroup,
    wanted: Sequence[Rule],
    differ: Differences,
    world: World,
) -> Iterator[Change]:
    """Makes the group with its rules, but for those that name a group that is to be made as well."""
    own = id_at(address, world)
    now = [rule for rule in differ.missing if not names_new_group(rule) or rule.traffic.peer.value == own]
    later = [rule for rule in differ.missing if rule not in now]
    known = names(world)
    made = Call(
        "ec2",
        "CreateSecurityGroup",
        {
            "GroupName": observed.new_name,
            "Description": desired.description or observed.new_name,
            **({"VpcId": observed.vpc} if observed.vpc else {}),
            "TagSpecifications": [{"ResourceType": "security-group", "Tags": tag_list(desired.tags)}],
        },
    )
    out = ALL_OUT if observed.has_ipv6 else ALL_OUT[:1]
    kept = [rule.traffic for rule in wanted if rule.is_egress]
    let_in = [] if desired.egress is None else [rule for rule in out if rule.traffic not in kept]
    steps: list[Step] = [made, *_authorize(own, [rule for rule in now if not rule.is_egress])]
    exchanged = ExchangeRules(
        tuple(_authorize(own, [rule for rule in now if rule.is_egress])),
        tuple(_call(_REVOKE, own, let_in)),
    )
    steps += [exchanged] if exchanged.add or exchanged.remove else []
    # Looked at once, when all is done.
    steps += [] if later else [AwaitGroup(own, tuple(now), tuple(let_in))]
    fields = (
        FieldChange("name", None, observed.new_name, is_default=desired.name is None),
        *([FieldChange("description", None, desired.description)] if desired.description else []),
        FieldChange("vpc", None, observed.vpc, is_default=desired.vpc.id is None and not desired.vpc.tags),
        *_rule_fields(desired, now, known),
        *made_keep(desired.keep),
        *made_tags(desired.tags),
    )
    yield Change(address, Action.CREATE, _why_made(address, observed, world), fields, steps=tuple(steps))
    if later:
        yield Change(
            address,
            Action.CREATE,
            "rules that name other new groups, once all are made",
            _rule_fields(None, later, known),
            size=len(later),
            unit="rule",
            steps=(*_authorize(own, later), AwaitGroup(own, (*now, *later), tuple(let_in))),
            phase=_RULES,
            order=_RULES,
            needs=frozenset(known[rule.traffic.peer.value] for rule in later),
        )


def _why_made(address: Address, observed: ObservedGroup, world: World) -> str:
    """`will be created`, with which group it takes the place of."""
    former = _former(address, world)
    if not former:
        return "will be created"
    ids = ", ".join(f"{group.id} ({group.name})" for group in former)
    return f"will be created in the place of {ids}: EC2 changes neither name, description nor VPC of a group"


def _former(address: Address, world: World) -> list[FoundGroup]:
    """The groups that were the spec's at an address, and go now."""
    return [
        there.group
        for at, there in world.observed_of(ObservedGroup).items()
        if there.group and world.desired(at) is None and there.group.tags.get(GROUP_TAG) == address.key
    ]


def _apart_notes(address: Address, wanted: Iterable[Rule], world: World) -> Iterator[Note]:
    """What those with a former group and those with the new one cannot do while members are moved.

    The former group's rules name the former one of the other, and the new group's the new one.
    """
    known = names(world)
    had = {
        id_
        for there in world.observation.resources.values()
        if isinstance(there, HasMembers)
        for member in there.members
        for id_ in member.groups or ()
    }
    moving = {at for at in known.values() if had & {group.id for group in _former(at, world)}}
    rules = [rule for rule in wanted if names_new_group(rule) and known[rule.traffic.peer.value] in moving]
    if address in moving and rules:
        told = ", ".join(in_words(rule, known) for rule in rules)
        yield Note(
            address,
            "members get the new group one by one; until all have it, those that have it and those that have "
            f"not do not reach each other by {told}. Where that matters, add the new group under another key "
            "first, with rules that name both, and give it to the fleets beside the former one",
            is_warning=True,
        )


def _rule_fields(
    desired: SecurityGroup | None, rules: Sequence[Rule], known: Names
) -> tuple[FieldChange, ...]:
    """The rules of something new, a line each. `desired`: as the spec has it, if absence is to be told."""
    told = []
    for path, is_egress in ((INGRESS, False), (EGRESS, True)):
        some = tuple(in_words(rule, known) for rule in rules if rule.is_egress is is_egress)
        if some:
            told.append(FieldChange(path, None, some))
        elif desired and is_egress and desired.egress is None:
            told.append(FieldChange(path, None, "all traffic, as EC2 has it by itself", is_default=True))
        elif desired and is_egress:
            told.append(FieldChange(path, None, "none"))
    return tuple(told)


def _update(
    address: Address,
    desired: SecurityGroup,
    observed: ObservedGroup,
    group: FoundGroup,
    wanted: Sequence[Rule],
    differ: Differences,
    world: World,
) -> Iterator[Change]:
    known = names(world)
    # A rule that names a group which goes is taken away with that group, when nobody has it any more.
    leaving = leaving_ids(world)
    surplus = tuple(rule for rule in differ.surplus if rule.traffic.peer.value not in leaving)
    differ = differ._replace(surplus=surplus)
    ignored = with_keep(world.environment.ignore_tags, desired.keep)
    tags = tag_changes(desired.tags, group.tags, ignored)
    fields: list[FieldChange] = [*_changed_rules(desired, observed, group, differ, known), *tags]
    if not fields:
        return
    reasons = [
        text
        for text, some in (
            ("rules are missing", differ.missing),
            ("has rules that the spec does not say", differ.surplus),
            ("descriptions of rules differ", differ.described),
            ("tags differ", tags),
        )
        if some
    ]
    steps: list[Step] = [*_tag_calls(group, desired, tags)]
    for is_egress in (False, True):
        some = differ.of(is_egress)
        # What EC2 does not show with an id yet is left to the next plan.
        going = [rule for rule in some.surplus if (is_egress, rule.traffic) in observed.rule_ids]
        ids = [observed.rule_ids[is_egress, rule.traffic] for rule in going]
        exchanged = ExchangeRules(
            tuple(_authorize(group.id, some.missing)),
            tuple(_revoke(group.id, is_egress, ids)),
            tuple(_authorize(group.id, going)),
        )
        steps += [exchanged] if exchanged.add or exchanged.remove else []
        steps += _call(_DESCRIBE, group.id, some.described)
    gone = tuple(rule for rule in surplus if (rule.is_egress, rule.traffic) in observed.rule_ids)
    steps.append(AwaitGroup(group.id, (*differ.missing, *differ.described), gone, wanted_tags(tags)))
    named = frozenset(
        known[rule.traffic.peer.value] for rule in differ.missing if rule.traffic.peer.value in known
    )
    yield Change(
        address,
        Action.UPDATE,
        "; ".join(reasons),
        tuple(fields),
        steps=tuple(steps),
        order=_RULES,
        needs=named - {address},
    )


def _changed_rules(
    desired: SecurityGroup,
    observed: ObservedGroup,
    group: FoundGroup,
    differ: Differences,
    known: Names,
) -> Iterator[FieldChange]:
    """The rules of each direction that differ, before and after; those that go with their ids."""
    for path, is_egress in ((INGRESS, False), (EGRESS, True)):
        some = differ.of(is_egress)
        if not any(some):
            continue
        changed = {rule.traffic for rule in some.described}
        before = []
        after = []
        for rule in group.rules:
            if rule.is_egress is not is_egress:
                continue
            words = in_words(rule, known)
            id_ = observed.rule_ids.get((is_egress, rule.traffic))
            before.append(f"{words} {id_}" if rule in some.surplus and id_ else words)
            if rule not in some.surplus and rule.traffic not in changed:
                after.append(words)
        after += [in_words(rule, known) for rule in (*some.missing, *some.described)]
        yield FieldChange(path, tuple(before), tuple(after), is_default=is_egress and desired.egress is None)


def _authorize(group: str | Output, rules: Sequence[Rule]) -> Iterator[Call]:
    for is_egress in (False, True):
        yield from _call(_AUTHORIZE, group, [rule for rule in rules if rule.is_egress is is_egress])


def _call(operations: tuple[str, str], group: str | Output, rules: Sequence[Rule]) -> Iterator[Call]:
    """The call on rules of one direction, if there are any."""
    if rules:
        permissions = [permission(rule) for rule in rules]
        operation = operations[rules[0].is_egress]
        yield Call("ec2", operation, {"GroupId": group, "IpPermissions": permissions})


def _revoke(group: str, is_egress: bool, ids: Sequence[str]) -> Iterator[Call]:
    if ids:
        yield Call("ec2", _REVOKE[is_egress], {"GroupId": group, "SecurityGroupRuleIds": sorted(ids)})


def _tag_calls(group: FoundGroup, desired: SecurityGroup, changes: Sequence[FieldChange]) -> tuple[Call, ...]:
    """The calls that set and remove tags; setting first, as long as there is room for old and new ones."""
    wanted = {change.path.removeprefix("tags."): change.after for change in changes}
    put = {key: value for key, value in wanted.items() if value is not None}
    removed = [{"Key": key} for key in sorted(wanted.keys() - put.keys())]
    calls = []
    if put:
        calls.append(Call("ec2", "CreateTags", {"Resources": [group.id], "Tags": tag_list(put)}))
    if removed:
        calls.append(Call("ec2", "DeleteTags", {"Resources": [group.id], "Tags": removed}))
    return tuple(reversed(calls) if is_crowded(desired.tags, group.tags) else calls)


def _leaving(address: Address, group: FoundGroup, observed: ObservedGroup, world: World) -> Findings:
    if is_kept(group.tags):
        message = f"security group {group.name} ({group.id}) would be deleted, and is kept"
        return Findings(refusals=(refuse_kept(address, message, world),))
    reason = "will be destroyed" if world.destroying else "no longer in the spec"
    deferred = None
    if observed.users:
        some = "; ".join(observed.users[:MAX_TOLD_USERS])
        more = len(observed.users) - MAX_TOLD_USERS
        others = f"; and {more} more" if more > 0 else ""
        deferred = (
            f"{group.id} ({group.name}) is in use: {some}{others}. Take the group off them, then run "
            f"`provisioner {'destroy' if world.destroying else 'apply'} "
            f"{world.environment.argument}` again"
        )
    had = frozenset(
        instance.id
        for there in world.observation.resources.values()
        if isinstance(there, HasMembers)
        for instance in (*there.members, *there.gone)
    )
    steps: list[Step] = []
    named_by = frozenset(other for other, _, _ in observed.referring)
    steps += [MayGo(group.id, world.environment.name, had, named_by)] if named_by else []
    for other, is_egress, ids in observed.referring:
        steps += [LetGo(call) for call in _revoke(other, is_egress, ids)]
    steps.append(DeleteGroup(group.id, world.environment.name, had))
    revoked = tuple(id_ for _, _, ids in observed.referring for id_ in ids)
    fields = (
        FieldChange("name", group.name, None),
        FieldChange("id", group.id, None),
        *([FieldChange("rules that name it", revoked, None)] if revoked else []),
    )
    change = Change(
        address,
        Action.DELETE,
        reason,
        fields,
        steps=() if deferred else tuple(steps),
        deferred=deferred,
        unique_id=group.id,
    )
    return Findings(changes=(change,))
