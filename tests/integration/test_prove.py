"""`--prove` says of each call of a plan whether AWS would do it, before anything is done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import local_aws
from provisioner.aws.client import Target
from provisioner.aws.proving import ProvingAws
from tests.support.cloud import REGION, Cloud
from tests.support.deployer import (
    Deploying,
    deploying,
    policies_of,
    rights,
    without,
)
from tests.support.program import Program, Ran
from tests.support.proving import writes
from tests.support.specs import PROBE, ROLES_ONLY, having


@pytest.fixture
def deploy(cloud: Cloud, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deploying]:
    yield from deploying(cloud, tmp_path, home, monkeypatch)


def verdicts(ran: Ran) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ran.data["proof"]["verdicts"]
    return found


def not_yes(ran: Ran) -> list[Any]:
    return [verdict for verdict in verdicts(ran) if verdict["answer"] != "yes"]


# --- what is refused, and by whom


def test_an_apply_that_would_be_refused_does_nothing(deploy: Deploying, cloud: Cloud, tmp_path: Path) -> None:
    policies = policies_of(Program(tmp_path), PROBE, proving=True)
    deployer = deploy(without(policies, [("iam:PassRole", "PassRoles")]))
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


WITHOUT_MFA = {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}
FROM_OUR_NETWORK = {"StringEquals": {"aws:SourceVpc": "vpc-0123456789abcdef0"}}


@pytest.mark.parametrize(
    ("effect", "condition"), [("Deny", WITHOUT_MFA), ("Allow", FROM_OUR_NETWORK)], ids=["deny", "allow"]
)
def test_what_depends_on_what_nobody_knows_before_is_unproven(
    effect: str, condition: dict[str, Any], deploy: Deploying, tmp_path: Path
) -> None:
    gone = [("iam:CreateRole", "MakeRoles")] if effect == "Allow" else []
    policies = without(policies_of(Program(tmp_path), ROLES_ONLY, proving=True), gone)
    statement = {"Effect": effect, "Action": "iam:CreateRole", "Resource": "*", "Condition": condition}
    more = {"Version": "2012-10-17", "Statement": [statement]}
    ran = deploy([*policies, more]).program.plan(ROLES_ONLY, "--prove")
    assert ran.code == 0, ran.said
    (key,) = next(iter(condition.values()))
    assert {(verdict["operation"], verdict["why"]) for verdict in not_yes(ran)} == {
        ("CreateRole", f"that depends on {key}, which is not known before")
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
    gone = [right for right in rights(policies) if right[0] == "ec2:RunInstances"]
    ran = deploy(without(policies, gone)).program.apply(PROBE)
    assert ran.code == 1
    assert "AWS decodes this as: ec2:RunInstances on arn:aws:ec2:us-east-1:" in ran.words
    assert "Encoded authorization failure message" not in ran.words


def test_whether_a_plan_is_proved(program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "provisioner.yaml"
    # The folder, the spec, the variable, the command line: the later wins.
    for there, spec, variable, options, is_proved in (
        (None, None, None, (), False),
        (True, None, None, (), True),
        (True, False, None, (), False),
        (None, True, None, (), True),
        (None, True, "0", (), False),
        (None, False, "1", (), True),
        (None, True, "1", ("--no-prove",), False),
        (None, None, None, ("--prove",), True),
    ):
        folder.write_text("{}\n" if there is None else f"prove: {str(there).lower()}\n")
        monkeypatch.delenv("PROVISIONER_PROVE", raising=False)
        if variable is not None:
            monkeypatch.setenv("PROVISIONER_PROVE", variable)
        asked = ROLES_ONLY if spec is None else {**ROLES_ONLY, "prove": spec}
        proof = program.plan(asked, *options).data["proof"]
        assert (proof is not None) is is_proved, (there, spec, variable, options)


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
