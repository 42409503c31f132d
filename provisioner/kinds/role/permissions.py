"""What a deployer has to be allowed for roles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from provisioner.iam_policy import documents
from provisioner.kinds.role.spec import Role, policy_arn
from provisioner.kinds.role.trust import principals
from provisioner.rights import Conditions, Place, Purpose, Statement, actions, read_iam, together

# Above these the quotas of the account are looked up: see policies.py.
ATTACHED_EVERYWHERE, TRUST_EVERYWHERE = 10, 2_048

ONE_BY_ONE = (
    "GetRole",
    "GetRolePolicy",
    "ListAttachedRolePolicies",
    "ListInstanceProfilesForRole",
    "ListRolePolicies",
)


def role_permissions(roles: Sequence[Role], place: Place, purpose: Purpose) -> Iterator[Statement]:
    """The statements for the roles of a spec."""
    yield read_iam("GetAccountAuthorizationDetails", "ListRoles")
    if not roles:
        return
    # A name that is not taken has no path, and one that somebody else has may have any.
    named = [name for role in roles for name in (role.name, f"*/{role.name}")]
    yield Statement(
        "ReadRoles",
        "to read roles by themselves where IAM's lists may not be read or lag, and before they are deleted",
        actions("iam", *ONE_BY_ONE),
        (*place.iam("role"), *place.iam("role", *named)),
    )
    match purpose:
        case Purpose.PLAN:
            yield from _look_up(roles, place)
        case Purpose.APPLY:
            yield from _make(roles, place)
            yield _delete(place)
        case Purpose.DESTROY:
            yield _delete(place)


def _look_up(roles: Sequence[Role], place: Place) -> Iterator[Statement]:
    named = {policy for role in roles for policy in (*role.managed_policies, role.permissions_boundary or "")}
    named.discard("")
    if named:
        yield Statement(
            "FindPolicies",
            "to see that the managed policies exist",
            ("iam:GetPolicy",),
            tuple(sorted(policy_arn(policy, place.partition) for policy in named)),
        )
    own = f"arn:{place.partition}:iam::{place.account_id}"
    trusted = {written for role in roles for written in principals(role.trust)}
    for type_, operation in (("role", "GetRole"), ("user", "GetUser")):
        yield Statement(
            "FindTrusted",
            "to see that whom roles are to trust is there",
            actions("iam", operation) if (some := _of(trusted, f"{own}:{type_}/")) else (),
            some,
        )
    if any(not policy.startswith("arn:") for policy in named):
        yield read_iam("ListPolicies")
    if any(
        len(role.managed_policies) > ATTACHED_EVERYWHERE or documents.size(role.trust) > TRUST_EVERYWHERE
        for role in roles
    ):
        yield read_iam("GetAccountSummary")


def _of(arns: Iterable[str], start: str) -> tuple[str, ...]:
    return tuple(sorted(arn for arn in arns if arn.startswith(start)))


def _make(roles: Sequence[Role], place: Place) -> Iterator[Statement]:
    bounded = _bounded(roles, place)
    make = ["CreateRole"]
    make += ["PutRolePolicy"] if any(role.inline_policies for role in roles) else []
    make += ["PutRolePermissionsBoundary"] if any(role.permissions_boundary for role in roles) else []
    why = "to make the roles of the environment, and to correct their policies"
    boundary = ", each with a boundary of the spec" if bounded else ""
    yield Statement("MakeRoles", f"{why}{boundary}", actions("iam", *make), place.iam("role"), bounded)
    attached = _arns([policy for role in roles for policy in role.managed_policies], place)
    if attached:
        yield Statement(
            "AttachPolicies",
            "to attach the managed policies of the spec, and no others",
            ("iam:AttachRolePolicy",),
            place.iam("role"),
            together(bounded, {"ArnLike": {"iam:PolicyARN": attached}}),
        )
    change = ["TagRole", "UntagRole", "UpdateAssumeRolePolicy", "UpdateRole"]
    change += (
        ["DeleteRolePermissionsBoundary"] if any(not role.permissions_boundary for role in roles) else []
    )
    yield Statement(
        "ChangeRoles",
        "to correct tags, trust and settings of the environment's roles",
        actions("iam", *change),
        place.iam("role"),
    )


def _bounded(roles: Sequence[Role], place: Place) -> Conditions:
    """A condition that a role has one of the spec's boundaries, if the spec gives each role one.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
    """
    boundaries = [role.permissions_boundary for role in roles if role.permissions_boundary]
    if len(boundaries) < len(roles):
        return {}
    return {"ArnLike": {"iam:PermissionsBoundary": _arns(boundaries, place)}}


def _arns(written: Sequence[str], place: Place) -> list[str]:
    """The ARNs that policies can have: a name is AWS's, or else the account's own, at any path."""
    own = f"arn:{place.partition}:iam::{place.account_id}:policy/"
    arns: set[str] = set()
    for policy in written:
        arns.add(policy_arn(policy, place.partition))
        if not policy.startswith("arn:"):
            arns |= {f"{own}{policy}", f"{own}*/{policy}"}
    return sorted(arns)


def _delete(place: Place) -> Statement:
    return Statement(
        "DeleteRoles",
        "to take off policies that the spec does not have, and to delete roles of the environment",
        actions("iam", "DeleteRole", "DeleteRolePolicy", "DetachRolePolicy"),
        place.iam("role"),
    )
