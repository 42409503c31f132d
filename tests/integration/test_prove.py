"""`--prove` says of each call of a plan whether AWS would do it, before anything is done."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

import local_aws
from provisioner.aws.client import Target
from provisioner.aws.proving import ProvingAws
from tests.support.cloud import REGION, Cloud, is_reading
from tests.support.deployer import (
    Deploying,
    Policy,
    deploying,
    policies_of,
    refused,
)
from tests.support.program import SPECS, Program, Ran
from tests.support.specs import PROBE, ROLES_ONLY, having

ALL_SPECS = sorted(path.name for path in SPECS.glob("*.yaml"))


@pytest.fixture
def deploy(cloud: Cloud, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deploying]:
    yield from deploying(cloud, tmp_path, home, monkeypatch)


def verdicts(ran: Ran) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ran.data["proof"]["verdicts"]
    return found


def saying(ran: Ran, answer: str) -> set[tuple[str, str]]:
    return {
        (verdict["address"], verdict["operation"]) for verdict in verdicts(ran) if verdict["answer"] == answer
    }


def not_yes(ran: Ran) -> list[Any]:
    return [verdict for verdict in verdicts(ran) if verdict["answer"] != "yes"]


def limit(cloud: Cloud, policies: Sequence[Policy], name: str = "deployer") -> None:
    """From now on the role has these policies instead of those that it had."""
    for policy in cloud.iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        cloud.iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
    statements = [statement for policy in policies for statement in policy["Statement"]]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))
    cloud.iam.put_role_policy(RoleName=name, PolicyName="rights", PolicyDocument=document)


def writes(call: Any) -> bool:
    asks = call.operation.startswith(("Simulate", "Decode", "AssumeRole"))
    return not (is_reading(call.operation) or call.dry_run or asks)


def without(policies: Sequence[Policy], action: str) -> list[Policy]:
    """The policies without an action, in whatever statement it is."""

    def less(statement: dict[str, Any]) -> dict[str, Any]:
        actions = statement["Action"]
        actions = [actions] if isinstance(actions, str) else actions
        return {**statement, "Action": [other for other in actions if other != action]}

    return [
        {**policy, "Statement": [less(each) for each in policy["Statement"] if less(each)["Action"]]}
        for policy in policies
    ]


# --- under the printed policy


@pytest.mark.long
@pytest.mark.parametrize("name", ALL_SPECS)
def test_every_line_of_every_spec_is_proved_under_the_printed_policy(
    name: str, deploy: Deploying, cloud: Cloud, tmp_path: Path
) -> None:
    shutil.copytree(SPECS, tmp_path / "specs")
    path = tmp_path / "specs" / name
    deployer = deploy(policies_of(Program(tmp_path), path, proving=True))
    spec = yaml.safe_load(path.read_text())
    for attachment in spec.get("attachments", {}).values():
        for instance in attachment.get("instances", ()):
            cloud.stranger(instance)
        if tags := attachment.get("select", {}).get("tags"):
            cloud.stranger("i-000000000000000a1", tags)
    cloud.forget_calls()
    proved = deployer.program.plan(path, "--prove")
    assert proved.code == 0
    assert not_yes(proved) == []
    assert len(verdicts(proved)) == sum(len(change["calls"]) for change in proved.changes)
    assert [call for call in cloud.calls() if writes(call)] == []


@pytest.mark.long
def test_without_one_action_exactly_the_lines_that_need_it_are_refused(
    deploy: Deploying, cloud: Cloud, tmp_path: Path
) -> None:
    policies = policies_of(Program(tmp_path), PROBE, proving=True)
    deployer = deploy(policies)
    assert deployer.program.apply(PROBE).code == 0
    asked = deployer.asked()
    gone = deployer.program.plan(PROBE, "--destroy", "--prove")
    assert verdicts(gone)
    assert not_yes(gone) == []
    changed = having(PROBE, tags__team="other", roles__worker__description="Other")
    corrected = deployer.program.plan(changed, "--prove")
    assert not_yes(corrected) == []
    assert deployer.program.destroy(PROBE).code == 0
    for action in (
        "iam:PassRole",
        "iam:AttachRolePolicy",
        "iam:PutRolePolicy",
        "iam:CreateInstanceProfile",
        "iam:TagRole",
        "ec2:RunInstances",
        "ec2:CreateTags",
    ):
        less = without(policies, action)
        limit(cloud, less)
        ran = deployer.program.plan(PROBE, "--prove")
        needing = {item.operation.partition(":")[2] for item in refused(asked, less)}
        assert {verdict["operation"] for verdict in verdicts(ran) if verdict["answer"] == "no"} == needing
        assert {verdict["action"] for verdict in not_yes(ran)} == {action}
        assert ran.code == 4


# --- what is refused, and by whom


def test_an_apply_that_would_be_refused_does_nothing(deploy: Deploying, cloud: Cloud, tmp_path: Path) -> None:
    policies = policies_of(Program(tmp_path), PROBE, proving=True)
    deployer = deploy(without(policies, "iam:PassRole"))
    cloud.forget_calls()
    ran = deployer.program.run("apply", "--yes", "--prove", deployer.program.write(PROBE))
    assert ran.code == 4
    assert "iam:PassRole on arn:aws:iam::123456789012:role/provisioner/probe/probe-worker is not" in ran.words
    assert "refused by identity-based policy" in ran.words
    assert "nothing was changed" in ran.words
    assert [call for call in cloud.calls() if writes(call)] == []


def test_what_may_not_be_simulated_is_unproven_and_no_reason_to_stop(
    deploy: Deploying, tmp_path: Path
) -> None:
    deployer = deploy(policies_of(Program(tmp_path), ROLES_ONLY))
    ran = deployer.program.plan(ROLES_ONLY, "--prove")
    assert ran.code == 0
    assert {verdict["answer"] for verdict in verdicts(ran)} == {"unproven"}
    assert {verdict["why"] for verdict in verdicts(ran)} == {
        "these credentials may not simulate: they need iam:SimulatePrincipalPolicy"
    }


@pytest.mark.parametrize(
    ("fields", "unread", "code"),
    [
        ({"fleets__worker__key_name": "nobody"}, "DescribeKeyPairs", "InvalidKeyPair.NotFound"),
        ({"fleets__worker__instance_type": "t3.gigantic"}, "DescribeInstanceType*", "InvalidParameterValue"),
    ],
)
def test_what_ec2_would_refuse_besides_is_found_although_it_may_not_be_read(
    fields: dict[str, Any],
    unread: str,
    code: str,
    program: Program,
    cloud: Cloud,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cloud.break_with(local_aws.denied(unread))
    monkeypatch.setenv("PROVISIONER_PROVE", "1")
    ran = program.plan(having(PROBE, **fields))
    assert ran.code == 4
    (launch,) = not_yes(ran)
    assert (launch["operation"], launch["layer"]) == ("RunInstances", "EC2")
    assert launch["why"].startswith(code)


def test_members_that_are_alike_are_asked_about_once(program: Program, tmp_path: Path) -> None:
    assert program.apply(having(PROBE, fleets__worker__count=5)).code == 0
    (tmp_path / "provisioner.yaml").write_text("prove: true\n")
    changed = having(PROBE, fleets__worker__count=5, fleets__worker__metadata={"hop_limit": 2})
    (verdict,) = verdicts(program.plan(changed))
    assert (verdict["answer"], verdict["tried"], verdict["count"]) == ("yes", 1, 5)
    assert program.plan(changed, "--no-prove").data["proof"] is None


def test_a_refusal_during_an_apply_is_decoded(deploy: Deploying, tmp_path: Path) -> None:
    policies = policies_of(Program(tmp_path), PROBE, proving=True)
    ran = deploy(without(policies, "ec2:RunInstances")).program.apply(PROBE)
    assert ran.code == 1
    assert "AWS decodes this as: ec2:RunInstances on arn:aws:ec2:us-east-1:" in ran.words
    assert "Encoded authorization failure message" not in ran.words


# --- the door


def test_nothing_that_writes_fits_through_the_door(program: Program, cloud: Cloud) -> None:
    assert program.apply(PROBE).code == 0
    ids = cloud.ids("probe")
    aws = ProvingAws(Target(REGION, endpoint_url=cloud.server.endpoint_url, is_local=True))
    aws.call("ec2", "DescribeInstances")
    cloud.forget_calls()
    aws.dry_run("ec2", "TerminateInstances", {"InstanceIds": ids, "DryRun": False})
    assert [call.dry_run for call in cloud.calls() if call.operation == "TerminateInstances"] == [True]
    for service, operation in (
        ("ec2", "DisassociateIamInstanceProfile"),
        ("ec2", "AssociateIamInstanceProfile"),
        ("iam", "DeleteRole"),
        ("ec2", "Nonsense"),
    ):
        with pytest.raises(PermissionError):
            aws.dry_run(service, operation, {})
    with pytest.raises(PermissionError):
        aws.call("ec2", "TerminateInstances", InstanceIds=ids, DryRun=True)
    assert cloud.ids("probe") == ids


def test_no_dry_run_is_sent_to_whom_it_is_not_known_that_it_would_not_do_it(cloud: Cloud) -> None:
    aws = ProvingAws(Target(REGION, endpoint_url=cloud.server.endpoint_url, is_local=True))
    # Nothing has told yet that this is the local AWS.
    with pytest.raises(PermissionError):
        aws.dry_run("ec2", "TerminateInstances", {"InstanceIds": ["i-0123456789abcdef0"]})
    assert cloud.calls() == []
