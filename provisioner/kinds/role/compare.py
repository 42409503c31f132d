"""What to do so that a role is as the spec says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from provisioner.iam_policy import documents
from provisioner.kinds.iam import (
    IsStillThe,
    made_at,
    tag_calls,
)
from provisioner.kinds.keep import made_keep
from provisioner.kinds.role.observed import FoundRole
from provisioner.kinds.role.spec import DEFAULT_SESSION_S, LARGEST_INLINE, Role
from provisioner.kinds.role.steps import IsInNoOtherProfile
from provisioner.kinds.role.trust import CLOSED, Trusts
from provisioner.kinds.tags import (
    is_crowded,
    made_tags,
    tag_changes,
    tag_list,
)
from provisioner.model import Action, Address, Call, Change, FieldChange, Parallel, Step
from provisioner.naming import iam_path

# The number of managed policies that every account may attach to a role; more only where it was granted.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
ATTACHED_EVERYWHERE = 10
# How many roles a reason names.
MAX_TOLD = 4


def create_role(address: Address, role: Role, partition: str, trusts: Trusts) -> Iterator[Change]:
    """The changes that make a role with everything on it.

    One that trusts itself, or a role that trusts it, is made with a trust policy that lets nobody in, and
    gets its own once all of them are there.
    """
    needs = trusts.absent(role)
    wanted = replace(role, trust=trusts.wanted(role))
    if not trusts.in_two_steps(address):
        yield replace(_create(address, wanted, partition), needs=needs, order=trusts.order(role))
        return
    yield _create(address, replace(role, trust=CLOSED), partition)
    yield Change(
        address,
        Action.UPDATE,
        f"it trusts {_listed(sorted(needs))}, made first",
        fields=(FieldChange("trust", CLOSED, wanted.trust),),
        steps=(_set_trust(wanted),),
        needs=needs,
        phase=1,
        order=trusts.order(role),
    )


def _create(address: Address, role: Role, partition: str) -> Change:
    boundary = role.boundary_arn(partition)
    optional: dict[str, Any] = {"Description": role.description} if role.description else {}
    if boundary:
        optional["PermissionsBoundary"] = boundary
    create = Call(
        "iam",
        "CreateRole",
        {
            "RoleName": role.name,
            "Path": role.path,
            "AssumeRolePolicyDocument": documents.compact(role.trust),
            "MaxSessionDuration": role.max_session_duration,
            "Tags": tag_list(role.tags),
        }
        | optional,
    )
    fill = Parallel(
        tuple(_attach(role.name, arn) for arn in sorted(role.managed_arns(partition)))
        + tuple(_put(role.name, name, document) for name, document in sorted(role.inline_policies.items()))
    )
    return Change(
        address,
        Action.CREATE,
        "will be created",
        fields=tuple(_all_fields(address, role, partition)),
        steps=(create, fill) if fill.steps else (create,),
    )


def update_role(
    address: Address,
    role: Role,
    found: FoundRole,
    partition: str,
    ignore_tags: tuple[str, ...],
    trusts: Trusts,
) -> Iterator[Change]:
    """The changes that correct a role; another path is put off, and all else is done regardless.

    A role whose name is there in another case is called as IAM calls it.
    """
    if role.path != found.path:
        yield Change(
            address,
            Action.REPLACE,
            "the path of a role cannot be changed",
            fields=(FieldChange("path", found.path, role.path),),
            deferred="the role would have to be deleted and made again; delete it by hand, or keep the path",
        )
    needs, order = trusts.absent(role), trusts.order(role)
    role = replace(role, name=found.name, trust=trusts.wanted(role))
    tags = tag_changes(role.tags, found.tags, ignore_tags)
    fields = (*_trust_change(role, found, needs), *_field_changes(role, found, partition), *tags)
    if not fields:
        return
    differing = {change.path.split(".")[0] for change in fields}
    steps = (
        *_settings_steps(role, differing, partition),
        *_managed_steps(role, found, partition),
        *_inline_steps(role, found),
        *tag_calls("Role", found.name, tags, fold=True, crowded=is_crowded(role.tags, found.tags)),
    )
    reason = _reason(differing) + (f"; it trusts {_listed(sorted(needs))}, made first" if needs else "")
    yield Change(address, Action.UPDATE, reason, fields=fields, steps=steps, needs=needs, order=order)


def delete_role(address: Address, found: FoundRole, reason: str, trusts: Trusts) -> Change:
    """The change that takes everything off a role and deletes it, once no trust policy of the spec names it.

    The order is IAM's: https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRole.html
    """
    clear = Parallel(
        tuple(_detach(found.name, arn) for arn in sorted(found.managed_policies))
        + tuple(_remove(found.name, name) for name in sorted(found.inline_policies))
    )
    delete = Call("iam", "DeleteRole", {"RoleName": found.name})
    same = IsStillThe("Role", found.name, found.id)
    free = IsInNoOtherProfile(found.name, iam_path(trusts.world.environment.name))
    steps = (same, free, clear, delete) if clear.steps else (same, delete)
    needs = trusts.who_let_go(found)
    fields = tuple(_lost_fields(found))
    return Change(address, Action.DELETE, reason, fields=fields, steps=steps, needs=needs, unique_id=found.id)


def _lost_fields(found: FoundRole) -> Iterator[FieldChange]:
    yield FieldChange("name", found.name, None)
    for path, names in (
        ("managed_policies", found.managed_policies),
        ("inline_policies", found.inline_policies),
    ):
        if names:
            yield FieldChange(path, tuple(sorted(names)), None)


def _all_fields(address: Address, role: Role, partition: str) -> Iterator[FieldChange]:
    yield FieldChange("trust", None, role.trust)
    if role.description:
        yield FieldChange("description", None, role.description)
    if role.managed_policies:
        yield FieldChange("managed_policies", None, tuple(sorted(role.managed_arns(partition))))
    for name, document in sorted(role.inline_policies.items()):
        yield FieldChange(f"inline_policies.{name}", None, document)
    if role.permissions_boundary:
        yield FieldChange("permissions_boundary", None, role.boundary_arn(partition))
    is_usual = role.max_session_duration == DEFAULT_SESSION_S
    yield FieldChange("max_session_duration", None, role.max_session_duration, is_default=is_usual)
    yield from made_keep(role.keep)
    yield from made_at(address, role.name, role.path)
    yield from made_tags(role.tags)


def _field_changes(role: Role, found: FoundRole, partition: str) -> Iterator[FieldChange]:
    pairs: Mapping[str, tuple[Any, Any]] = {
        "description": (found.description, role.description),
        "managed_policies": (
            tuple(sorted(found.managed_policies)),
            tuple(sorted(role.managed_arns(partition))),
        ),
        "permissions_boundary": (found.permissions_boundary, role.boundary_arn(partition)),
        "max_session_duration": (found.max_session_duration, role.max_session_duration),
    }
    yield from (FieldChange(path, *pair) for path, pair in pairs.items() if pair[0] != pair[1])
    for name in sorted(role.inline_policies.keys() | found.inline_policies.keys()):
        before, after = found.inline_policies.get(name), role.inline_policies.get(name)
        if not _same(before, after):
            yield FieldChange(f"inline_policies.{name}", before, after)


def _trust_change(role: Role, found: FoundRole, absent: frozenset[Address]) -> Iterator[FieldChange]:
    """The change of the trust policy, also where IAM does not show it yet.

    What it says about an absent role is about a former one, which the new one of that name is not.
    """
    if absent or not _same(found.trust, role.trust):
        yield FieldChange("trust", found.trust, role.trust)


def _same(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> bool:
    """Whether two policy documents mean the same."""
    if one is None or other is None:
        return one is other
    return documents.canonical(one) == documents.canonical(other)


def _listed(addresses: Sequence[Address]) -> str:
    """A few addresses by name; many as a number."""
    if len(addresses) > MAX_TOLD:
        return f"{len(addresses)} roles"
    return " and ".join(map(str, addresses)) if len(addresses) < 3 else ", ".join(map(str, addresses))


def _reason(differing: set[str]) -> str:
    words = {"inline_policies": "inline policies", "managed_policies": "managed policies"}
    named = [words.get(field, field.replace("_", " ")) for field in sorted(differing)]
    return ", ".join(named) + (" differ" if len(named) > 1 or named[0].endswith("s") else " differs")


def _settings_steps(role: Role, differing: set[str], partition: str) -> Iterator[Step]:
    name = {"RoleName": role.name}
    if differing & {"description", "max_session_duration"}:
        # UpdateRole puts the session duration back to one hour when it is not sent along.
        yield Call(
            "iam",
            "UpdateRole",
            name | {"Description": role.description, "MaxSessionDuration": role.max_session_duration},
        )
    if "trust" in differing:
        yield _set_trust(role)
    if "permissions_boundary" in differing:
        boundary = role.boundary_arn(partition)
        yield (
            Call("iam", "PutRolePermissionsBoundary", name | {"PermissionsBoundary": boundary})
            if boundary
            else Call("iam", "DeleteRolePermissionsBoundary", name)
        )


def _set_trust(role: Role) -> Call:
    document = documents.compact(role.trust)
    return Call("iam", "UpdateAssumeRolePolicy", {"RoleName": role.name, "PolicyDocument": document})


def _managed_steps(role: Role, found: FoundRole, partition: str) -> Iterator[Step]:
    wanted = role.managed_arns(partition)
    attach = Parallel(tuple(_attach(role.name, arn) for arn in sorted(wanted - found.managed_policies)))
    detach = Parallel(tuple(_detach(role.name, arn) for arn in sorted(found.managed_policies - wanted)))
    # Attaching first leaves no moment without permissions, as long as both fit under the quota.
    both_fit = len(wanted | found.managed_policies) <= ATTACHED_EVERYWHERE
    yield from (step for step in ((attach, detach) if both_fit else (detach, attach)) if step.steps)


def _inline_steps(role: Role, found: FoundRole) -> Iterator[Step]:
    """The steps that correct the inline policies, and never exceed the quota on all of them together.

    No policy has to be taken off for that: the sum falls while those that shrink are put, and then rises to
    what all have in the end.
    """
    wanted, has = role.inline_policies, found.inline_policies
    kept = {name: has[name] for name in wanted if _same(has.get(name), wanted[name])}
    if kept.keys() != wanted.keys() and _size({**wanted, **kept}) > LARGEST_INLINE:
        # What means the same can be longer than what the spec says, and then there is no room for that.
        kept = {name: document for name, document in kept.items() if document == wanted[name]}
    put = {name: document for name, document in wanted.items() if name not in kept}

    def growth(name: str) -> tuple[int, str]:
        return _size({name: put[name]}) - (_size({name: has[name]}) if name in has else 0), name

    puts = [_put(role.name, name, put[name]) for name in sorted(put, key=growth)]
    removed = sorted(has.keys() - wanted.keys())
    removals = [_remove(role.name, name) for name in removed]
    # Putting first leaves no moment without permissions where a policy gets another name. AWS does not say
    # whether the case of letters tells names apart; if it does not, removing last would remove what was put.
    both_fit = _size({**has, **put}) <= LARGEST_INLINE
    differ_in_case = {name.lower() for name in removed} & {name.lower() for name in put}
    yield from (*puts, *removals) if both_fit and not differ_in_case else (*removals, *puts)


def _size(named: Mapping[str, Mapping[str, Any]]) -> int:
    """How much of the quota on inline policies they take together."""
    return sum(documents.size(document) for document in named.values())


def _attach(role: str, arn: str) -> Call:
    return Call("iam", "AttachRolePolicy", {"RoleName": role, "PolicyArn": arn})


def _detach(role: str, arn: str) -> Call:
    return Call("iam", "DetachRolePolicy", {"RoleName": role, "PolicyArn": arn})


def _put(role: str, name: str, document: Mapping[str, Any]) -> Call:
    return Call(
        "iam",
        "PutRolePolicy",
        {"RoleName": role, "PolicyName": name, "PolicyDocument": documents.compact(document)},
    )


def _remove(role: str, name: str) -> Call:
    return Call("iam", "DeleteRolePolicy", {"RoleName": role, "PolicyName": name})
