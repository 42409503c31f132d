"""Each rule of the library lets a plan pass, and refuses one: the plan's JSON in, messages out."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from provisioner.costs.cost import Cost, CostLine, FleetCost, PlanCost
from provisioner.guardrails.files import RuleFiles, library, read_rules
from provisioner.guardrails.judge import guarded
from provisioner.guardrails.rego import compile_rules
from provisioner.kinds.fleet.observed import ObservedFleet
from provisioner.model import Action, Address, Change, Plan
from tests.support.build import AROUND, environment, planned

IMAGE = "ami-00000000000000001"
STATEMENT = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
ENCRYPTED = {"size_gb": 8, "encrypted": True}


def statement(**other: Any) -> dict[str, Any]:
    return {"inline_policies": {"p": {"Version": "2012-10-17", "Statement": {**STATEMENT, **other}}}}


def trust(principal: Any) -> dict[str, Any]:
    allowed = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return {"trust": {"Version": "2012-10-17", "Statement": [allowed]}}


def of_role(**fields: Any) -> Plan:
    return planned(environment(roles={"web": fields}), {})


def of_group(block: str) -> Plan:
    group = {"ingress": [{"port": 443, "cidr": block}]}
    return planned(environment(security_groups={"web": group}), {})


def of_fleet(**fields: Any) -> Plan:
    fleet = {"count": 1, "image": IMAGE, "instance_type": "t3.micro", **fields}
    desired = environment(fleets={"web": fleet})
    return planned(desired, {Address("fleet", "web"): ObservedFleet(prerequisites=AROUND)})


def of_changes(*changes: Change) -> Plan:
    return Plan("env", "us-east-1", "123456789012", changes=changes)


def gone(number: int, **more: Any) -> Change:
    return Change(Address("fleet", "web"), more.pop("action", Action.DELETE), "", size=number, **more)


def of_cost(before: int, after: int, of: str = "t3.large on demand") -> Plan:
    """A plan after which so many run, each at 0.5 by the hour; of `x9.large` nobody knows the price."""

    def cost(number: int) -> Cost:
        each = None if of.startswith("x9") else Decimal("0.5") * number
        return Cost((CostLine(of, number, each),) if number else ())

    return with_cost(cost(before), cost(after))


def with_cost(before: Cost, after: Cost) -> Plan:
    """A plan with what runs before it and after it."""
    fleets = {Address("fleet", "web"): FleetCost(before, after)}
    return replace(of_changes(gone(0)), cost=PlanCost(fleets))


NOTHING: dict[str, Any] = {}

# The rule, its parameters, a plan that passes, one that does not, and what is said of it.
CASES: list[tuple[str, dict[str, Any], Plan, Plan, str]] = [
    (
        "max_cost",
        {"max_cost_per_hour": 10},
        of_cost(0, 20),
        of_cost(0, 21),
        "it would cost 10.5 USD by the hour, and at most 10 is allowed",
    ),
    # What is too dear already may get cheaper.
    ("max_cost", NOTHING, of_cost(50, 40), of_cost(0, 1), "at most 0 is allowed"),
    # What has no known price is not nothing.
    (
        "max_cost",
        NOTHING,
        of_cost(2, 2, "x9.large"),
        of_cost(0, 2, "x9.large"),
        "nobody knows what this costs: 2 × x9.large",
    ),
    # Fewer of it are cheaper, whatever one costs; and what had a price may cost anything without one.
    (
        "max_cost",
        NOTHING,
        of_cost(5, 3, "x9.large"),
        of_cost(3, 5, "x9.large"),
        "nobody knows what this costs: 5 × x9.large",
    ),
    (
        "max_cost",
        NOTHING,
        of_cost(5, 3),
        with_cost(Cost((CostLine("t3.large", 5, Decimal(2)),)), Cost((CostLine("t3.large", 5, None),))),
        "nobody knows what this costs: 5 × t3.large",
    ),
    ("max_cost", NOTHING, of_changes(), of_changes(gone(0)), "leave out --no-cost"),
    (
        "destroyed",
        NOTHING,
        of_changes(),
        of_changes(gone(1)),
        "1 would be destroyed or replaced, and at most 0 may be",
    ),
    (
        "destroyed",
        {"max_destroyed": 3},
        of_changes(gone(3)),
        of_changes(gone(2), gone(2, action=Action.REPLACE)),
        "4 would be destroyed",
    ),
    (
        "destroyed",
        NOTHING,
        of_changes(gone(1, deferred="others use it")),
        of_changes(gone(1), gone(9, deferred="x")),
        "1 would be",
    ),
    (
        "wide_rights",
        NOTHING,
        of_role(managed_policies=["ReadOnlyAccess"]),
        of_role(managed_policies=["AdministratorAccess"]),
        "role/web has AdministratorAccess",
    ),
    (
        "wide_rights",
        {"wide_policies": ["ReadOnlyAccess"]},
        of_role(managed_policies=["AdministratorAccess"]),
        of_role(managed_policies=["ReadOnlyAccess"]),
        "role/web has ReadOnlyAccess",
    ),
    (
        "wide_rights",
        NOTHING,
        of_role(**statement()),
        of_role(**statement(Action=["s3:*", "*"])),
        "role/web is allowed every action by its policy p",
    ),
    (
        "wide_rights",
        NOTHING,
        of_role(**statement(Action="iam:PassRole", Resource="arn:aws:iam::123456789012:role/x")),
        of_role(**statement(Action="iam:PassRole")),
        "is allowed iam:PassRole on *",
    ),
    (
        "wide_rights",
        NOTHING,
        of_role(**statement(Effect="Deny", Action="*")),
        of_role(
            inline_policies={
                "p": {
                    "Version": "2012-10-17",
                    "Statement": [{"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}],
                }
            }
        ),
        "NotAction",
    ),
    (
        "boundary",
        NOTHING,
        of_role(permissions_boundary="arn:aws:iam::123456789012:policy/b"),
        of_role(),
        "role/web has no permissions boundary",
    ),
    (
        "boundary",
        {"boundaries": ["arn:aws:iam::123456789012:policy/b"]},
        of_role(permissions_boundary="arn:aws:iam::123456789012:policy/b"),
        of_role(permissions_boundary="arn:aws:iam::123456789012:policy/c"),
        "policy/c; allowed are",
    ),
    ("imdsv2", NOTHING, of_fleet(), of_fleet(metadata={"http_tokens": "optional"}), "fleet/web takes IMDSv1"),
    (
        "imdsv2",
        NOTHING,
        of_fleet(metadata={"http_tokens": "optional", "http_endpoint": "disabled"}),
        of_fleet(metadata={"http_tokens": "optional"}),
        "fleet/web takes IMDSv1",
    ),
    (
        "instance_types",
        {"instance_types": ["t3.*"]},
        of_fleet(),
        of_fleet(instance_type=["t3.micro", "m7i.large"]),
        "fleet/web may have m7i.large, and allowed are: t3.*",
    ),
    ("instance_types", NOTHING, of_role(), of_fleet(), "allowed are: none"),
    ("tags", NOTHING, of_role(tags={"owner": "me"}), of_role(), "role/web has no tag owner"),
    (
        "tags",
        {"required_tags": ["team"]},
        of_fleet(tags={"team": "x"}),
        of_fleet(tags={"team": ""}),
        "fleet/web has no tag team",
    ),
    ("encrypted", NOTHING, of_fleet(root_volume=ENCRYPTED), of_fleet(), "its root volume is encrypted"),
    (
        "encrypted",
        NOTHING,
        of_fleet(root_volume=ENCRYPTED, volumes=[{**ENCRYPTED, "device": "/dev/sdf"}]),
        of_fleet(root_volume=ENCRYPTED, volumes=[{"device": "/dev/sdf", "size_gb": 8}]),
        "the volume at /dev/sdf",
    ),
    (
        "encrypted",
        NOTHING,
        of_fleet(root_volume=ENCRYPTED),
        of_fleet(root_volume={"encrypted": False}),
        "root volume",
    ),
    (
        "nothing_public",
        NOTHING,
        of_fleet(associate_public_ip=False),
        of_fleet(associate_public_ip=True),
        "fleet/web gets public addresses",
    ),
    (
        "nothing_public",
        NOTHING,
        of_group("10.0.0.0/8"),
        of_group("0.0.0.0/0"),
        "security_group/web lets everybody in, from 0.0.0.0/0",
    ),
    ("nothing_public", NOTHING, of_group("::1/128"), of_group("::/0"), "lets everybody in, from ::/0"),
    (
        "nothing_public",
        NOTHING,
        of_role(**trust({"AWS": "123456789012"})),
        of_role(**trust("*")),
        "role/web may be assumed by anybody",
    ),
    (
        "nothing_public",
        NOTHING,
        of_role(),
        of_role(**trust({"AWS": ["123456789012", "*"]})),
        "role/web may be assumed by anybody",
    ),
]


def judged(name: str, parameters: dict[str, Any], plan: Plan) -> Plan:
    files = read_rules([f"builtin:{name}"])
    return guarded(plan, [compile_rules(RuleFiles(files.modules, {"parameters": parameters}))])


@pytest.mark.parametrize(("name", "parameters", "good", "bad", "said"), CASES)
def test_a_plan_passes_and_one_does_not(
    name: str, parameters: dict[str, Any], good: Plan, bad: Plan, said: str
) -> None:
    assert judged(name, parameters, good).refusals == good.refusals
    refused = [refusal for refusal in judged(name, parameters, bad).refusals if refusal not in bad.refusals]
    assert [said in refusal.message for refusal in refused] == [True]
    assert refused[0].exit_code == 4
    assert refused[0].hint == f"the rule is in builtin:{name}"


def test_each_rule_has_a_case_and_all_of_them_go_together() -> None:
    assert {name for name, *_ in CASES} == set(library())
    assert len(compile_rules(read_rules(f"builtin:{name}" for name in library()))) >= len(library())


def test_a_warning_is_no_refusal() -> None:
    plan = judged("nothing_public", NOTHING, of_fleet())
    assert plan.refusals == ()
    assert [note.message for note in plan.notes if note.is_warning] == [
        "fleet/web gets public addresses where its subnets say so: set associate_public_ip to false"
    ]


def test_nothing_is_asked_of_a_plan_to_destroy_but_how_much() -> None:
    plan = replace(of_changes(gone(2)), destroy=True)
    said = [refusal.address.key for name in library() for refusal in judged(name, NOTHING, plan).refusals]
    assert said == ["main.deny_destroyed"]


ROLE = "arn:aws:iam::123456789012:role/"


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("*:?*", "*"),
        ("IAM:passrole", "*"),
        ("iam:P*", "*"),
        ("iam:?assRole", "*"),
        ("*:PassRole", "*"),
        ("iam:**", "*"),
        (["s3:GetObject", "iam:PassRole"], [f"{ROLE}x", "*"]),
        ("iam:PassRole", f"{ROLE}*"),
        ("iam:PassRole", "arn:*:iam::*:role/*"),
        ("iam:AttachRolePolicy", "*"),
        ("iam:PutUserPolicy", "*"),
        ("iam:CreateAccessKey", "*"),
        ("sts:AssumeRole", "*"),
    ],
)
def test_rights_are_wide_however_they_are_written(action: Any, resource: Any) -> None:
    refusals = judged("wide_rights", NOTHING, of_role(**statement(Action=action, Resource=resource))).refusals
    assert {refusal.address.key for refusal in refusals} == {"main.deny_wide_rights"}


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("iam:List*", "*"),
        ("iam:PassRole", f"{ROLE}web"),
        ("iam:PassRole", f"{ROLE}web-*"),
        (["s3:*", "iam:*"], "arn:aws:s3:::bucket/*"),
        ("sts:GetCallerIdentity", "*"),
    ],
)
def test_other_rights_are_not_wide(action: Any, resource: Any) -> None:
    assert not judged("wide_rights", NOTHING, of_role(**statement(Action=action, Resource=resource))).refusals


def test_rights_on_all_but_a_few_are_wide() -> None:
    allowed = {"Effect": "Allow", "Action": "iam:PassRole", "NotResource": f"{ROLE}x"}
    plan = of_role(inline_policies={"p": {"Version": "2012-10-17", "Statement": [allowed]}})
    assert [
        "NotResource" in refusal.message for refusal in judged("wide_rights", NOTHING, plan).refusals
    ] == [True]


@pytest.mark.parametrize(
    ("rule", "parameters", "said"),
    [
        ("destroyed", {"max_destroyed": None}, "max_destroyed is no number"),
        ("destroyed", {"max_destroyed": True}, "max_destroyed is no number"),
        ("destroyed", {"max_destroyed": [5]}, "max_destroyed is no number"),
        ("destroyed", {"max_destroyed": "5"}, "max_destroyed is no number"),
        ("max_cost", {"max_cost_per_hour": "5"}, "max_cost_per_hour is no number"),
        ("max_cost", {"max_cost_per_hour": None}, "max_cost_per_hour is no number"),
        ("tags", {"required_tags": "owner"}, "required_tags is no list"),
        ("tags", {"required_tags": None}, "required_tags is no list"),
        ("wide_rights", {"wide_policies": "AdministratorAccess"}, "wide_policies is no list"),
        ("wide_rights", {"wide_policies": None}, "wide_policies is no list"),
        ("boundary", {"boundaries": ROLE}, "boundaries is no list"),
        ("instance_types", {"instance_types": "t3.*"}, "instance_types is no list"),
        ("instance_types", {"instance_types": None}, "instance_types is no list"),
    ],
)
def test_a_parameter_of_another_type_refuses(rule: str, parameters: dict[str, Any], said: str) -> None:
    refusals = judged(rule, parameters, of_changes(gone(0))).refusals
    assert [said in refusal.message for refusal in refusals] == [True]
