"""Asking about every call of a plan: EC2 by dry runs with the real parameters, all else by simulation."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, TypeVar

from provisioner.denial import DENIED, action_of, denial_in, encoded_in, without_code
from provisioner.errors import AwsError
from provisioner.kinds import CALL_RULES
from provisioner.kinds.base import Reader, forget_kept
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Address, Call, Plan
from provisioner.proof.facts import instances_of, of_plan, partition_in, read_for_launches, read_instances
from provisioner.proof.principal import Principal, find_principal
from provisioner.proof.questions import (
    Question,
    coming,
    is_on_new,
    is_unknown,
    questions,
    settled,
    unlike,
    without_coming,
)
from provisioner.proof.requests import Facts, Request, requests
from provisioner.proof.verdicts import Answer, Proof, Verdict, Way, worst

T = TypeVar("T")

EC2_ITSELF = "EC2"
ROOT_MAY = "the root user may, unless a service control policy denies it"
NO_DRY_RUNS = "what answers there is neither AWS nor the local AWS, and might do it"
_LETTING_GO = frozenset(
    {
        "DeleteSecurityGroup",
        "ModifyInstanceAttribute",
        "ModifyNetworkInterfaceAttribute",
        "RevokeSecurityGroupEgress",
        "RevokeSecurityGroupIngress",
        "TerminateInstances",
    }
)
_POWER = frozenset({"StartInstances", "StopInstances"})
# What EC2 answers where it depends on what the plan does before, by the operations that may change it.
LATER: Mapping[str, frozenset[str]] = {
    "DependencyViolation": _LETTING_GO,
    "IncorrectInstanceState": _POWER,
    "IncorrectModificationState": frozenset({"ModifyVolume"}),
    "IncorrectState": _POWER | _LETTING_GO,
    "InvalidGroup.Duplicate": frozenset({"DeleteSecurityGroup"}),
    "InvalidGroup.InUse": _LETTING_GO,
    "InvalidKeyPair.Duplicate": frozenset({"DeleteKeyPair"}),
    "InvalidPermission.Duplicate": frozenset({"RevokeSecurityGroupEgress", "RevokeSecurityGroupIngress"}),
    # Protection that is switched off, and what only stopped instances take.
    "OperationNotPermitted": _POWER | {"ModifyInstanceAttribute"},
    "UnsupportedOperation": _POWER | {"ModifyInstanceAttribute"},
}
NO_ROOM = CALL_RULES.final | {
    "InstanceLimitExceeded",
    "MaxFleetCountExceeded",
    "MaxSpotInstanceCountExceeded",
    "VcpuLimitExceeded",
}
# This type, this zone: there will be no room later either.
NEVER = "Unsupported"


class Asking(Reader, Protocol):
    """AWS, for reading and for asking whether calls would be done."""

    def takes_dry_run(self, service: str, operation: str) -> bool:
        """Whether an operation can be asked for without being done."""

    def knows_dry_runs(self) -> bool:
        """Whether what answers would not do what is asked for in a dry run."""

    def dry_run(self, service: str, operation: str, params: Mapping[str, Any]) -> None:
        """Ask whether this would be done. Raises AwsError if it would not."""

    def simulate(
        self, principal: str, actions: Sequence[str], resource: str, context: Sequence[Mapping[str, Any]]
    ) -> list[Mapping[str, Any]]:
        """IAM's decisions over actions on one resource. Raises AwsError."""

    def decode(self, encoded: str) -> Mapping[str, Any]:
        """What a refusal of EC2 says. Raises AwsError."""


@dataclass(frozen=True)
class Finding:
    """What asking about one call, or one right, has given."""

    answer: Answer
    action: str | None = None
    resource: str | None = None
    layer: str | None = None
    why: str | None = None
    code: str | None = None


@dataclass(frozen=True)
class _Ask:
    """How one call is asked about: what is sent as a dry run, without what is missing; what is simulated."""

    dry: Call | None = None
    missing: tuple[str, ...] = ()
    simulated: tuple[Request, ...] = ()


def prove(plan: Plan, aws: Asking) -> Proof:
    """Ask about everything that a plan would send. Nothing is changed. Raises AwsError."""
    return _Proving(plan, aws).run()


class _Proving:
    """One proof under way, with what it has asked."""

    def __init__(self, plan: Plan, aws: Asking) -> None:
        self.plan = plan
        self.aws = aws
        self.counted: Counter[Way] = Counter()
        self.reads = 0

    def run(self) -> Proof:
        principal = self._read(lambda: find_principal(self.aws))
        facts = of_plan(self.plan, partition_in(principal.arn))
        parts = instances_of(self.plan)
        self.reads += len(parts)
        read = self.aws.parallel(*(partial(read_instances, self.aws, part) for part in parts))
        tags = {id_: of_one for some, _ in read for id_, of_one in some.items()}
        profiles = {id_: arn for _, some in read for id_, arn in some.items()}
        facts = replace(facts, tags=tags, profiles=profiles)
        asked = questions(self.plan, facts.tags)
        made = coming(self.plan)
        launches = [
            call
            for question in asked
            for call in question.calls
            if call.operation == "RunInstances" and without_coming(call, made)[1]
        ]
        if launches:
            more, owners = self._read(lambda: read_for_launches(self.aws, launches))
            facts = replace(facts, tags={**facts.tags, **more}, owners=owners)
        asks = [[self._ask(call, question, facts) for call in question.calls] for question in asked]
        every = [ask for group in asks for ask in group]
        before = [operations for group, operations in zip(asks, _before(asked), strict=True) for _ in group]
        dry_runs: list[Callable[[], Finding | None]] = [
            partial(self._dry, ask, operations) for ask, operations in zip(every, before, strict=True)
        ]
        found = dict(zip(map(id, every), self.aws.parallel(*dry_runs), strict=True))
        decided = self._simulate(principal, {r_key(r): r for ask in every for r in ask.simulated})
        verdicts = tuple(
            _verdict(question, group, [_together(ask, found[id(ask)], decided) for ask in group])
            for question, group in zip(asked, asks, strict=True)
        )
        return Proof(
            principal.arn, verdicts, self.counted[Way.DRY_RUN], self.counted[Way.SIMULATION], self.reads
        )

    def _read(self, read: Callable[[], T]) -> T:
        self.reads += 1
        return read()

    def _ask(self, call: Call, question: Question, facts: Facts) -> _Ask:
        if not self.aws.takes_dry_run(call.service, call.operation):
            # An association is named by its own id, which says nothing of its instance.
            instances = unlike(question.instances, facts.tags, facts.profiles)
            return _Ask(simulated=tuple(requests(call, facts, instances)))
        if call.operation == "RunInstances":
            known, missing = without_coming(call, coming(self.plan))
            if not missing:
                return _Ask(call)
            simulated = tuple(requests(call, facts))
            return _Ask(None if is_unknown(known.params) else known, tuple(missing), simulated)
        if is_unknown(call.params) or is_on_new(call):
            return _Ask(simulated=tuple(requests(call, facts)))
        return _Ask(call)

    def _dry(self, ask: _Ask, before: frozenset[str]) -> Finding | None:
        if ask.dry is None:
            return None
        if not self.aws.knows_dry_runs():
            return Finding(Answer.UNPROVEN, why=NO_DRY_RUNS)
        self.counted[Way.DRY_RUN] += 1
        try:
            self.aws.dry_run(ask.dry.service, ask.dry.operation, settled(ask.dry.params, self.aws.now()))
        except AwsError as error:
            return self._refused(error, before)
        return Finding(Answer.YES)

    def _refused(self, error: AwsError, before: frozenset[str]) -> Finding:
        if disproved := CALL_RULES.disproved.get(error.code):
            forget_kept(self.aws, disproved, self.plan.account_id)
        if error.code in DENIED:
            denial = denial_in(error.text)
            if denial.action is None and (encoded := encoded_in(error.text)):
                denial = replace(denial, **self._decoded(encoded))
            action = denial.action or action_of(error.service, error.operation)
            return Finding(Answer.NO, action, denial.resource, denial.layer, code=error.code)
        told = f"{error.code}: {without_code(error.text)}"
        if error.code in LATER:
            if LATER[error.code] & before:
                return Finding(Answer.YES, why=f"permitted; possible once what comes before is done ({told})")
            return Finding(Answer.UNPROVEN, why=f"permitted; not possible as things are now ({told})")
        if error.code in NO_ROOM:
            return Finding(Answer.YES, why=f"permitted; now there is no room ({told})", code=error.code)
        if 400 <= error.status < 500:
            return Finding(Answer.NO, layer=EC2_ITSELF, why=told, code=error.code)
        return Finding(Answer.UNPROVEN, why=f"the dry run was not answered: {told}")

    def _decoded(self, encoded: str) -> dict[str, Any]:
        try:
            context = json.loads(self.aws.decode(encoded)["DecodedMessage"])["context"]
        except (AwsError, ValueError, KeyError):
            return {}
        return {"action": context.get("action"), "resource": context.get("resource")}

    def _simulate(self, principal: Principal, asked: Mapping[str, Request]) -> dict[str, Finding]:
        """The findings on rights, by their keys: all actions on one resource in one context are one call."""
        if principal.is_root:
            return dict.fromkeys(asked, Finding(Answer.YES, why=ROOT_MAY))
        if principal.source is None:
            return dict.fromkeys(asked, Finding(Answer.UNPROVEN, why=principal.why))
        together: dict[str, list[Request]] = {}
        for request in asked.values():
            together.setdefault(r_key(replace(request, action="")), []).append(request)
        groups = list(together.values())
        if not groups:
            return {}
        # Whoever may not simulate is told so once.
        first = self._simulated(principal.source, groups[0])
        if any(finding.code in DENIED | {"NoSuchEntity"} for finding in first.values()):
            return dict.fromkeys(asked, next(iter(first.values())))
        rest = self.aws.parallel(*(partial(self._simulated, principal.source, group) for group in groups[1:]))
        return {key: finding for found in (first, *rest) for key, finding in found.items()}

    def _simulated(self, source: str, group: Sequence[Request]) -> dict[str, Finding]:
        self.counted[Way.SIMULATION] += 1
        actions = list(dict.fromkeys(request.action for request in group))
        context = [
            {
                "ContextKeyName": key,
                "ContextKeyValues": [value] if isinstance(value, str) else list(value),
                "ContextKeyType": "string" if isinstance(value, str) else "stringList",
            }
            for key, value in sorted(group[0].keys.items())
        ]
        try:
            results = self.aws.simulate(source, actions, group[0].resource, context)
        except AwsError as error:
            why = f"it cannot be simulated: {error.code}: {error.text}"
            if error.code in DENIED:
                why = "these credentials may not simulate: they need iam:SimulatePrincipalPolicy"
            return {r_key(request): Finding(Answer.UNPROVEN, why=why, code=error.code) for request in group}
        by_action = {str(result["EvalActionName"]).lower(): result for result in results}
        return {
            r_key(request): _decision(request, by_action.get(request.action.lower())) for request in group
        }


def _before(asked: Sequence[Question]) -> list[frozenset[str]]:
    """For each question the operations before it: those of earlier changes, and others at its own address."""
    own: dict[Address, set[str]] = {}
    earlier: set[str] = set()
    found = []
    for question in asked:
        own.setdefault(question.address, set()).add(question.operation)
    for question in asked:
        found.append(frozenset(earlier | own[question.address] - {question.operation}))
        earlier.add(question.operation)
    return found


def r_key(request: Request) -> str:
    """What tells one request from another."""
    keys = sorted((name, value) for name, value in request.keys.items())
    return json.dumps([request.action, request.resource, keys, request.unknown])


def _decision(request: Request, result: Mapping[str, Any] | None) -> Finding:
    if result is None:
        return Finding(Answer.UNPROVEN, request.action, request.resource, why="IAM has not answered for it")
    # Asked about one resource, IAM tells with that resource which keys it lacks.
    told = (result, *result.get("ResourceSpecificResults", ()))
    every = {str(key) for part in told for key in part.get("MissingContextValues", ())}
    missing = ", ".join(sorted(filter(request.may_have, every)))
    if result["EvalDecision"] == "allowed":
        why = f"allowed, unless a policy denies it for {missing}, which is not known before"
        return Finding(Answer.YES, why=why if missing else None)
    if missing:
        # A Deny may hold for no other reason than that the simulation has no such key.
        why = f"that depends on {missing}, which is not known before"
        return Finding(Answer.UNPROVEN, request.action, request.resource, why=why)
    boundaries = [part.get("PermissionsBoundaryDecisionDetail", {}) for part in told]
    layer = "identity-based policy"
    if result.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations") is False:
        layer = "service control policy"
    elif any(boundary.get("AllowedByPermissionsBoundary") is False for boundary in boundaries):
        layer = "permissions boundary"
    layer = f"explicit deny in {layer}" if result["EvalDecision"] == "explicitDeny" else layer
    return Finding(Answer.NO, request.action, request.resource, layer)


def _together(ask: _Ask, dry: Finding | None, decided: Mapping[str, Finding]) -> Finding:
    """One finding of the dry run and of what was simulated."""
    rights = [decided[r_key(request)] for request in ask.simulated]
    if not rights:
        return dry or Finding(Answer.UNPROVEN, why="its parameters are not known before it is sent")
    if dry and dry.answer is Answer.NO and dry.layer == EC2_ITSELF:
        return dry
    finding = _worst(rights)
    answer = finding.answer
    if dry is None or answer is Answer.NO:
        return finding
    if dry.answer is Answer.NO:
        return _refused_in_part(ask, dry) or finding
    return replace(dry, answer=answer) if dry.why and answer is Answer.YES else finding


def _refused_in_part(ask: _Ask, dry: Finding) -> Finding | None:
    """What it means that a dry run is refused which lacks what is not there yet; None: nothing.

    Of what was simulated, the simulation knows more. Groups that are missing, or that nobody names, are those
    that EC2 takes by itself; nothing but a dry run tells which.
    """
    if any(_is_group(request.resource) for request in ask.simulated):
        return None
    tried = {(request.action, request.resource) for request in ask.simulated}
    if dry.action and dry.resource and (dry.action, dry.resource) not in tried:
        return dry
    why = f"a dry run without {' and '.join(ask.missing)} is refused, and the rest of it was not tried"
    return replace(dry, answer=Answer.UNPROVEN, layer=None, why=why)


def _is_group(resource: str) -> bool:
    return ":security-group/" in resource


def _verdict(question: Question, asks: Sequence[_Ask], findings: Sequence[Finding]) -> Verdict:
    """What is said of all calls of one operation: the worst, but for types that only some zones lack."""
    base = Verdict(
        question.address, question.service, question.operation, Answer.UNPROVEN, count=question.count
    )
    if not findings:
        return replace(base, why="its parameters are not known before it is sent")
    if all(finding.code == NEVER for finding in findings):
        findings = [replace(findings[0], answer=Answer.NO, layer=EC2_ITSELF)]
    told = _worst(findings)
    return replace(
        base,
        answer=told.answer,
        way=_way(asks),
        tried=min(len(asks), question.count),
        action=told.action,
        resource=told.resource,
        layer=told.layer,
        why=told.why,
    )


def _worst(findings: Sequence[Finding]) -> Finding:
    """One of the worst, that says why if any does."""
    answer = worst(finding.answer for finding in findings)
    alike = [finding for finding in findings if finding.answer is answer]
    return next((finding for finding in alike if finding.why), alike[0])


def _way(asks: Iterable[_Ask]) -> Way:
    ways = {Way.DRY_RUN for ask in asks if ask.dry} | {Way.SIMULATION for ask in asks if ask.simulated}
    return Way.BOTH if len(ways) == 2 else next(iter(ways), Way.NONE)
