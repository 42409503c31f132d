"""The managed policies that the roles of a spec name: which they are, and how many and what IAM takes.

A name is that of AWS's policy, and of the account's own where AWS has none of that name. What a role has
already is not asked for, so that a plan that changes nothing costs nothing for AWS's policies, and a call for
each of the account's own that is given by name: AWS could have one of that name meanwhile.
https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-vs-inline.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial

from provisioner.errors import AwsError
from provisioner.iam_policy import documents
from provisioner.kinds.base import Reader, World
from provisioner.kinds.role.observed import FoundRole, ObservedRole, suggestion
from provisioner.kinds.role.spec import Role, policy_arn
from provisioner.kinds.role.trust import Trusts
from provisioner.model import Address, Refusal
from provisioner.retry import is_withheld

# What every account has; GetAccountSummary says what this one has been granted.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
ATTACHED_EVERYWHERE = 10
TRUST_EVERYWHERE = 2_048
ATTACHED_QUOTA = "AttachedPoliciesPerRoleQuota"
TRUST_QUOTA = "AssumeRolePolicySizeQuota"

LINKED = "aws-service-role/"


def look_closer_at_policies(reader: Reader, world: World) -> dict[Address, ObservedRole]:
    """The roles of the spec whose policies have to be asked for, with what the answers were."""
    roles, known = world.desired_of(Role), world.observed_of(ObservedRole)
    observed = {at: known.get(at) or ObservedRole() for at in roles}
    partition = world.identity.partition
    asked = {at: _not_there_yet(role, observed[at].role, partition) for at, role in roles.items()}
    own, unknown = _look_up(
        reader,
        {written: arn for arns in asked.values() for written, arn in arns.items()},
        {arn for there in observed.values() if there.role for arn in _has(there.role)},
    )
    for at, arns in asked.items():
        observed[at] = replace(
            observed[at],
            own={written: own[written] for written in arns if written in own},
            unknown={written: unknown[written] for written in arns if written in unknown},
        )
    trusts = Trusts(world)
    wanted = {at: _as_iam_has_it(role, observed[at].own, trusts) for at, role in roles.items()}
    crowded = [at for at, role in wanted.items() if may_exceed_quota(role, observed[at].role, partition)]
    quotas = _quotas(reader) if crowded else {}
    return observed | {at: replace(observed[at], quotas=quotas) for at in crowded}


def with_own_policies(role: Role, own: Mapping[str, str]) -> Role:
    """The role with the ARNs of the account's own policies in place of their names."""
    boundary = role.permissions_boundary
    return replace(
        role,
        managed_policies=tuple(own.get(policy, policy) for policy in role.managed_policies),
        permissions_boundary=own.get(boundary, boundary) if boundary else None,
    )


def refuse_policies(
    address: Address, role: Role, observed: ObservedRole, trusts: Trusts, world: World
) -> Iterator[Refusal]:
    """Why IAM would refuse the policies of a role that is to be made or changed, although they exist."""
    partition = world.identity.partition
    wanted = _as_iam_has_it(role, observed.own, trusts)
    yield from foreign_policies(address, wanted, world)
    yield from over_quota(address, wanted, observed.role, observed.quotas, partition)


def _as_iam_has_it(role: Role, own: Mapping[str, str], trusts: Trusts) -> Role:
    return replace(with_own_policies(role, own), trust=trusts.wanted(role))


def _has(found: FoundRole) -> frozenset[str]:
    """The managed policies that a role has, its boundary too."""
    boundary = found.permissions_boundary
    return found.managed_policies | ({boundary} if boundary else frozenset())


def _not_there_yet(role: Role, found: FoundRole | None, partition: str) -> dict[str, str]:
    """The managed policies that the role is to have and has not: their ARNs, if they are AWS's, by name."""
    written = {*role.managed_policies, *filter(None, [role.permissions_boundary])}
    has = _has(found) if found else frozenset()
    arns = {policy: policy_arn(policy, partition) for policy in written}
    return {policy: arn for policy, arn in arns.items() if arn not in has}


def _look_up(
    reader: Reader, asked: Mapping[str, str], attached: Iterable[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Of policies, by how the spec has them: the ARNs of the account's own, and hints about unknown ones.

    `asked` are their ARNs if they are AWS's; `attached` those of what roles have. Where these credentials may
    not look, nothing is claimed.
    """
    ordered = sorted(asked)
    answers = reader.parallel(*(partial(_is_absent, reader, asked[policy]) for policy in ordered))
    absent = [policy for policy, is_absent in zip(ordered, answers, strict=True) if is_absent]
    names = [policy for policy in absent if not policy.startswith("arn:")]
    own = _by_name(names, attached)
    if all(policy in own for policy in absent):
        return own, {}
    of_account = _listed(reader, "Local")
    own |= _by_name(names, of_account)
    unknown = [policy for policy in absent if policy not in own]
    candidates = (*(_listed(reader, "AWS") if unknown else ()), *of_account)
    return own, {policy: _hint(policy, candidates) for policy in unknown}


def _is_absent(reader: Reader, arn: str) -> bool:
    try:
        reader.call("iam", "GetPolicy", PolicyArn=arn)
    except AwsError as error:
        if error.code == "NoSuchEntity":
            return True
        if not is_withheld(error):
            raise
    return False


def _listed(reader: Reader, scope: str) -> tuple[str, ...]:
    """The ARNs of all policies of AWS or of the account (Local); none where credentials may not look."""
    try:
        return tuple(policy["Arn"] for policy in reader.pages("iam", "ListPolicies", "Policies", Scope=scope))
    except AwsError as error:
        if not is_withheld(error):
            raise
        return ()


def _by_name(names: Iterable[str], arns: Iterable[str]) -> dict[str, str]:
    """The policies of the account with these names, with their paths or without; IAM ignores their case."""
    own = [arn for arn in arns if not _is_of_aws(arn)]
    by_name = {_name(arn).lower(): arn for arn in own} | {_path(arn).lower(): arn for arn in own}
    return {name: by_name[name.lower()] for name in names if name.lower() in by_name}


def _is_of_aws(arn: str) -> bool:
    return ":iam::aws:" in arn


def _path(arn: str) -> str:
    """A policy's path and name."""
    return arn.split(":policy/", 1)[-1]


def _name(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]


def _hint(written: str, arns: Iterable[str]) -> str:
    """What may have been meant by a policy that does not exist; `arns` are of those that do."""
    last = _name(_path(written)).lower()
    linked = {arn for arn in arns if _path(arn).startswith(LINKED)}
    if any(_name(arn).lower() == last for arn in linked):
        return "the policy of that name is for service-linked roles only, which AWS makes itself"
    by_arn = written.startswith("arn:") and not _is_of_aws(written)

    def spelt(arn: str) -> str:
        """A policy as it would be written instead; of the account's own no two have one name."""
        return arn if by_arn else _path(arn) if _is_of_aws(arn) else _name(arn)

    return suggestion(_path(written), {spelt(arn): _name(arn) for arn in arns if arn not in linked})


def _quotas(reader: Reader) -> Mapping[str, int]:
    """The quotas of the account; none where these credentials may not look.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountSummary.html
    """
    try:
        quotas: Mapping[str, int] = reader.call("iam", "GetAccountSummary")["SummaryMap"]
    except AwsError as error:
        if not is_withheld(error):
            raise
        return {}
    return quotas


def may_exceed_quota(role: Role, found: FoundRole | None, partition: str) -> bool:
    """Whether it takes the quotas of the account to tell if IAM takes a role's policies.

    What the role has already is no matter.
    """
    return _attaches_many(role, found, partition) or _has_new_long_trust(role, found)


def _attaches_many(role: Role, found: FoundRole | None, partition: str) -> bool:
    wanted = role.managed_arns(partition)
    return len(wanted) > ATTACHED_EVERYWHERE and not (found and wanted <= found.managed_policies)


def _has_new_long_trust(role: Role, found: FoundRole | None) -> bool:
    is_new = found is None or documents.canonical(found.trust) != documents.canonical(role.trust)
    return documents.size(role.trust) > TRUST_EVERYWHERE and is_new


def over_quota(
    address: Address, role: Role, found: FoundRole | None, quotas: Mapping[str, int], partition: str
) -> Iterator[Refusal]:
    """Why IAM would refuse to attach that many policies, or a trust policy that long, to this role."""
    number, size = len(role.managed_arns(partition)), documents.size(role.trust)
    if _attaches_many(role, found, partition) and number > (most := quotas.get(ATTACHED_QUOTA, number)):
        yield Refusal(
            address,
            f"iam AttachRolePolicy: {number} managed policies, and this account attaches {most} to a role",
            "join some of them, or have the quota raised: `Managed policies attached to an IAM role`",
            exit_code=1,
        )
    if _has_new_long_trust(role, found) and size > (most := quotas.get(TRUST_QUOTA, size)):
        yield Refusal(
            address,
            f"iam CreateRole: the trust policy has {size} characters, and this account takes {most}",
            "make it shorter, or have the quota raised: `Role trust policy length`",
            exit_code=1,
        )


def foreign_policies(address: Address, role: Role, world: World) -> Iterator[Refusal]:
    """Refusals of policies of other accounts: IAM attaches those of AWS and of its own account only.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_AttachRolePolicy.html
    """
    partition, account = world.identity.partition, world.identity.account_id
    for arn in sorted(role.managed_arns(partition) | {role.boundary_arn(partition) or ""}):
        if arn and arn.split(":")[4] not in ("aws", account):
            message = f"iam AttachRolePolicy: {arn} is a policy of another account than this, {account}"
            yield Refusal(
                address, message, "make a policy like it in this account, and name that", exit_code=1
            )
