"""The lines of a plan and what they need: from what the local AWS was asked when they were carried out."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from local_aws import Authorization, CallRecord
from local_aws.iam.evaluate import Policies, Request, decide
from provisioner.model import Environment, Plan
from provisioner.proof.verdicts import Answer, Proof, Verdict
from tests.support.cloud import Cloud, is_reading
from tests.support.deployer import Policy

Line = tuple[str, str]
Names = Mapping[tuple[str, str], str]
Needs = Mapping[Line, Sequence[Authorization]]
# Which address things of EC2 are of is in their tags, and in those that a call gives them.
MARKS = {f"provisioner:{kind}": kind for kind in ("fleet", "security_group", "key_pair")}


def lines(plan: Plan) -> set[Line]:
    """The address and the operation of each line of a plan."""
    return {
        (str(change.address), call.operation)
        for change in plan.changes
        if not change.deferred
        for call in change.calls
    }


def refused(proof: Proof) -> dict[Line, Verdict]:
    """Those of which a proof says `no`."""
    return {
        (str(verdict.address), verdict.operation): verdict
        for verdict in proof.verdicts
        if verdict.answer is Answer.NO
    }


def not_yes(proof: Proof) -> list[Verdict]:
    """All else."""
    return [verdict for verdict in proof.verdicts if verdict.answer is not Answer.YES]


def names_of(environment: Environment, plan: Plan) -> Names:
    """The addresses of roles and profiles by kind and name, and of attachments by their instances."""
    of_iam = {
        (at.kind, desired.name): str(at)  # type: ignore[attr-defined]
        for at, desired in environment.resources.items()
        if at.kind in ("role", "instance_profile")
    }
    attached = {
        ("instance", instance): str(change.address)
        for change in plan.changes
        if change.address.kind == "attachment"
        for instance in change.instances
    }
    return {**of_iam, **attached}


def needs(asked: Iterable[Authorization], names: Names, planned: Iterable[Line]) -> Needs:
    """What each planned line was authorised for when the plan was carried out; none: nothing was sent for it.

    A group that goes is taken out of the rules of others, so that a line can be about another group than its
    own: then it is any of that operation.
    """
    calls: dict[int, list[Authorization]] = defaultdict(list)
    for item in asked:
        calls[item.call].append(item)
    found: dict[Line, list[Authorization]] = defaultdict(list)
    of_operation: dict[str, list[Authorization]] = defaultdict(list)
    for items in calls.values():
        operation = items[0].operation.partition(":")[2]
        of_operation[operation] += items
        for address in _addresses(items, names):
            found[address, operation] += items
    return {line: found.get(line) or of_operation.get(line[1], []) for line in planned}


def writes(call: CallRecord) -> bool:
    """Whether a call has changed anything."""
    asks = call.operation.startswith(("Simulate", "Decode", "AssumeRole"))
    return not (is_reading(call.operation) or call.dry_run or asks)


def _addresses(items: Sequence[Authorization], names: Names) -> set[str]:
    first = items[0]
    kind, _, name = first.resource.rpartition(":")[2].partition("/")
    kind, name = kind.replace("-", "_"), name.rpartition("/")[2]
    if (kind, name) in names:
        return {names[kind, name]}
    return {
        f"{marked}/{key}"
        for item in items
        for mark, marked in MARKS.items()
        for sort in ("aws:RequestTag", "aws:ResourceTag")
        if item.action == first.action and (key := item.context.get(f"{sort}/{mark}"))
    }


def refusing(asked: Needs, policies: Sequence[Policy]) -> set[Line]:
    """The lines of which these policies would refuse anything."""
    return {line for line, items in asked.items() if not all(_allows(policies, item) for item in items)}


def _allows(policies: Sequence[Policy], item: Authorization) -> bool:
    context = {key: tuple(value) if isinstance(value, list) else value for key, value in item.context.items()}
    return decide(Policies(tuple(policies)), Request(item.action, item.resource, context)).is_allowed


class Limited:
    """A role whose managed policies are set to others: only those that differ are written."""

    def __init__(self, cloud: Cloud, name: str, policies: Sequence[Policy]) -> None:
        self._iam = cloud.iam
        attached = cloud.iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        self._arns = [policy["PolicyArn"] for policy in attached]
        self._now: list[Policy] = list(policies)

    def set(self, policies: Sequence[Policy]) -> None:
        for number, (arn, now, wanted) in enumerate(zip(self._arns, self._now, policies, strict=True)):
            if now == wanted:
                continue
            document: Any = json.dumps(wanted, separators=(",", ":"))
            for version in self._iam.list_policy_versions(PolicyArn=arn)["Versions"]:
                if not version["IsDefaultVersion"]:
                    self._iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
            self._iam.create_policy_version(PolicyArn=arn, PolicyDocument=document, SetAsDefault=True)
            self._now[number] = wanted
