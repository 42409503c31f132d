"""What is printed for programs, and the commands that need no AWS at all."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest

from provisioner import __version__
from provisioner.cli import app as cli
from tests.support.cloud import Cloud
from tests.support.fixtures import Run
from tests.support.program import ROOT, SPECS, Program, clean_environment, run_process
from tests.support.specs import ATTACHING, PROBE, having

PLAN_SCHEMA = json.loads((ROOT / "schemas" / "plan.schema.json").read_text())
TRUST = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Principal": {"Service": "ec2.amazonaws.com"},
        "Action": "sts:AssumeRole",
    },
}
HEAVY = ("boto3", "botocore", "moto", "flask", "werkzeug", "tenacity")


def commands() -> list[list[str]]:
    """Every command, as it is typed."""

    def below(group: click.Group, path: list[str]) -> list[list[str]]:
        found = [path]
        for name, command in group.commands.items():
            inner = [*path, name]
            found += below(command, inner) if isinstance(command, click.Group) else [inner]
        return found

    return below(cli.cli, [])


class TestPlansForPrograms:
    @pytest.mark.parametrize("spec", sorted(SPECS.glob("*.yaml")), ids=lambda spec: spec.stem)
    @pytest.mark.sampled
    def test_are_as_their_schema_says(self, spec: Path, program: Program, cloud: Cloud) -> None:
        jsonschema.validate(program.plan(spec).data, PLAN_SCHEMA)
        program.apply(spec)
        jsonschema.validate(program.plan(spec).data, PLAN_SCHEMA)
        jsonschema.validate(program.plan(spec, "--destroy").data, PLAN_SCHEMA)

    def test_are_as_their_schema_says_whatever_is_in_them(self, program: Program, cloud: Cloud) -> None:
        program.apply(having(PROBE, roles__gone={}))
        other = having(
            PROBE,
            fleets__worker__count=1,
            fleets__worker__user_data="#!/bin/bash\n",
            roles__worker__inline_policies={},
            tags={"team": "other"},
        )
        plan = program.plan(other)
        assert {change["action"] for change in plan.changes} == {"update", "replace", "delete"}
        jsonschema.validate(plan.data, PLAN_SCHEMA)
        jsonschema.validate(program.plan(having(ATTACHING, tags={})).data, PLAN_SCHEMA)

    def test_have_the_same_digest_until_something_else_is_to_be_done(
        self, program: Program, cloud: Cloud
    ) -> None:
        first = program.plan(PROBE).data["digest"]
        assert program.plan(PROBE).data["digest"] == first
        assert program.plan(having(PROBE, fleets__worker__count=3)).data["digest"] != first
        assert program.plan(PROBE, "--destroy").data["digest"] != first

    def test_are_all_that_is_printed(self, run: Run, program: Program) -> None:
        ran = run("plan", "--format", "json", "-v", program.write(PROBE))
        assert json.loads(ran.out)["environment"] == "probe"
        assert "sts GetCallerIdentity" in ran.err

    def test_count_what_each_action_concerns(self, program: Program) -> None:
        assert program.plan(PROBE).data["summary"] == {"create": 4, "update": 0, "replace": 0, "delete": 0}


def test_an_apply_prints_one_object_for_programs_and_the_rest_for_people(
    program: Program, cloud: Cloud
) -> None:
    ran = program.apply(PROBE)
    assert ran.code == 0
    results = {"done", "failed", "stopped", "skipped", "deferred"}
    assert set(ran.data) == {"format_version", "environment", "next", *results}
    assert ran.became("done") == ["role/worker", "instance_profile/worker", "fleet/worker"]
    assert "Plan for probe" in ran.err


def test_an_apply_with_nothing_to_do_prints_an_object_too(program: Program, cloud: Cloud) -> None:
    program.apply(PROBE)
    again = program.apply(PROBE)
    assert again.code == 0
    assert again.became("done") == again.became("failed") == []


def test_a_status_shows_members_with_all_that_is_asked_for(program: Program, cloud: Cloud) -> None:
    program.apply(PROBE)
    status = program.status(PROBE)
    assert set(status) == {"role/worker", "instance_profile/worker", "fleet/worker"}
    for member in status["fleet/worker"]["members"]:
        shown = cloud.instance(member["id"])
        assert member["state"] == "running"
        assert member["type"] == "t3.micro"
        assert member["zone"] == shown["Placement"]["AvailabilityZone"]
        assert member["private_ip"] == shown["PrivateIpAddress"]
        assert member["public_ip"] == shown.get("PublicIpAddress")
        assert member["instance_profile"] == "probe-worker"
        assert member["launched"] == shown["LaunchTime"].strftime("%Y-%m-%dT%H:%M:%SZ")
    assert cloud.writes().count("RunInstances") == 2


def test_a_status_for_people_names_every_member_and_where_it_is(program: Program, cloud: Cloud) -> None:
    spec = program.write(PROBE)
    assert "0 of 2" in program.run("status", spec).out
    program.apply(spec)
    text = program.run("status", spec).out
    assert "2 of 2" in text
    assert "LOCAL" in text
    for member in cloud.live():
        for shown in (member["InstanceId"], member["PrivateIpAddress"], "running", "t3.micro"):
            assert shown in text


def test_a_status_shows_what_left_the_spec(program: Program, cloud: Cloud) -> None:
    program.apply(PROBE)
    status = program.status({"environment": "probe", "region": "us-east-1"})
    assert len(status["fleet/worker"]["members"]) == 2


class TestWithoutAws:
    @pytest.mark.parametrize("command", commands(), ids=lambda command: " ".join(command) or "provisioner")
    def test_every_command_explains_itself(self, command: list[str], program: Program, cloud: Cloud) -> None:
        ran = program.run(*command, "--help")
        assert ran.code == 0
        assert ran.out.startswith("Usage: provisioner")
        assert " ".join(["provisioner", *command]) in ran.out
        assert "\n\n  " in ran.out, "a description on lines of its own"
        assert "\\n" not in ran.out
        usage, _, explained = ran.out.partition("\n")
        assert "..." not in explained, f"cut off: {usage}"
        assert cloud.operations() == []

    def test_alone_it_explains_itself_too(self, program: Program) -> None:
        ran = program.run()
        assert ran.code == 0
        assert "Commands:" in ran.out

    def test_the_version_is_that_of_the_package(self, program: Program) -> None:
        ran = program.run("--version")
        assert ran.code == 0
        assert __version__ in ran.out

    def test_the_schema_is_the_one_that_editors_use(self, program: Program) -> None:
        schema = program.run("schema").data
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema == json.loads((ROOT / "schemas" / "environment.schema.json").read_text())

    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_shells_are_taught_to_complete(self, shell: str, program: Program) -> None:
        ran = program.run("completion", shell)
        assert ran.code == 0
        assert "_PROVISIONER_COMPLETE" in ran.out

    @pytest.mark.parametrize(
        "typed",
        [{}, {"COMP_WORDS": "provisioner", "COMP_CWORD": "x"}, {"COMP_WORDS": '"', "COMP_CWORD": "9" * 5000}],
    )
    def test_completion_has_no_errors_for_a_shell(self, typed: dict[str, str], run: Run) -> None:
        ran = run(env={"_PROVISIONER_COMPLETE": "bash_complete", **typed})
        assert (ran.out, ran.err) == ("", "")

    @pytest.mark.parametrize("columns", ["²", "1" * 5000, "-1", "wide", "99999999999"])
    def test_a_terminal_of_an_odd_size_is_no_error(
        self, columns: str, program: Program, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COLUMNS", columns)
        ran = program.run("plan", program.write(PROBE))
        assert ran.code == 0, ran.said

    def test_completion_completes(self, run: Run) -> None:
        ran = run(
            env={"_PROVISIONER_COMPLETE": "bash_complete", "COMP_WORDS": "provisioner de", "COMP_CWORD": "1"}
        )
        assert "destroy" in ran.out

    @pytest.mark.parametrize(
        "command",
        [["validate", "fifty-servers.yaml"], ["show", "fifty-servers.yaml"], ["schema"], ["--help"]],
    )
    def test_offline_commands_load_nothing_that_could_go_online(
        self, command: list[str], local_environment: dict[str, str]
    ) -> None:
        code = (
            "import sys\n"
            "from provisioner.cli.app import main\n"
            "try:\n    main()\n"
            f"finally:\n    print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
        )
        ran = run_process([sys.executable, "-c", code, *command], local_environment, cwd=SPECS)
        assert ran.code == 0
        assert ran.err.strip() == "[]"

    def test_nothing_is_looked_through_for_garbage_when_the_command_ends(
        self, local_environment: dict[str, str]
    ) -> None:
        code = (
            "import atexit, gc\natexit.register(lambda: print(len(gc.get_objects()) < 10_000))\n"
            "from provisioner.cli.start import main\nmain()\n"
        )
        ran = run_process([sys.executable, "-c", code, "schema"], local_environment, cwd=SPECS)
        assert ran.out.splitlines()[-1] == "True"

    def test_the_list_of_commands_is_told_before_what_they_need_is_imported(
        self, local_environment: dict[str, str]
    ) -> None:
        code = (
            "import sys\nimport provisioner.cli.app\n"
            "print([name for name in ('yaml', 'jsonschema', 'provisioner.kinds') if name in sys.modules])\n"
        )
        ran = run_process([sys.executable, "-c", code], local_environment, cwd=SPECS)
        assert ran.out.strip() == "[]"

    def test_validating_needs_no_local_aws_and_starts_none(self, run: Run, tmp_path: Path) -> None:
        empty = tmp_path / "empty"
        ran = run(
            "validate", SPECS / "two-tier.yaml", env={"PROVISIONER_LOCAL_DIR": str(empty), "HOME": "/nowhere"}
        )
        assert ran.code == 0
        assert not empty.exists()


class TestTheLocalAws:
    def test_is_found_where_it_runs(self, program: Program, cloud: Cloud) -> None:
        for command in (["local", "up"], ["local", "status"]):
            ran = program.run(*command)
            assert ran.code == 0
            assert cloud.server.endpoint_url in ran.out

    def test_is_emptied_on_request(self, program: Program, cloud: Cloud) -> None:
        program.apply(PROBE)
        assert program.run("local", "reset").code == 0
        assert cloud.everything() == {"roles": {}, "profiles": {}, "instances": {}}

    @pytest.mark.long
    def test_is_started_by_the_first_command_that_needs_it_and_stopped_on_request(
        self, run: Run, program: Program, tmp_path: Path
    ) -> None:
        env: dict[str, Any] = {"PROVISIONER_LOCAL_DIR": str(tmp_path / "another")}
        assert run("local", "status", env=env).code == 1
        assert run("local", "up", "--port", "0", env=env).code == 0
        try:
            assert (
                run("plan", "--local", program.write(PROBE), env=env | {"PROVISIONER_LOCAL": None}).code == 0
            )
        finally:
            assert run("local", "down", env=env).code == 0
        assert run("local", "status", env=env).code == 1


def test_a_call_is_shown_with_its_duration_when_asked_for(run: Run, program: Program, cloud: Cloud) -> None:
    ran = run("plan", "-v", program.write(PROBE))
    shown = [line.split(" ms  ")[1].split()[1] for line in ran.err.splitlines() if " ms  " in line]
    # What is asked beside the plan may still be under way when that is shown.
    beside = {"GetProducts", "GetServiceQuota"}
    told, sent = ([name for name in names if name not in beside] for names in (shown, cloud.operations()))
    assert sorted(told) == sorted(sent)


# What is imported first, and what only a command imports.
@pytest.mark.parametrize("module", ["click", "jsonschema"])
def test_an_interrupt_while_the_program_starts_is_no_traceback(module: str, tmp_path: Path) -> None:
    interrupting = "import os, signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    (tmp_path / f"{module}.py").write_text(interrupting + "os.kill(os.getpid(), signal.SIGINT)\n")
    environment = clean_environment(tmp_path, PYTHONPATH=str(tmp_path))
    ran = run_process(
        [sys.executable, "-m", "provisioner", "validate", str(SPECS / "two-tier.yaml")], environment
    )
    assert (ran.code, ran.out, ran.err.strip()) == (130, "", "cancelled; nothing was changed")


class TestPlansToRead:
    @pytest.mark.parametrize(
        ("form", "start"),
        [
            ("markdown", "### Plan for "),
            ("html", "<!DOCTYPE html>\n"),
        ],
    )
    def test_are_whole_documents_with_the_command_that_applies_them(
        self, form: str, start: str, program: Program, cloud: Cloud
    ) -> None:
        spec = program.write(PROBE)
        digest = program.plan(PROBE, "--deep", "--skip-region", "all").data["digest"]
        ran = program.run("plan", "--format", form, "--deep", "--skip-region", "all", spec)
        assert ran.code == 0, ran.err
        assert ran.out.startswith(start)
        assert ran.err == ""
        assert f"{spec} --deep --skip-region all --local --expect {digest}" in ran.out

    @pytest.mark.parametrize("form", ["markdown", "html"])
    def test_exit_as_every_plan_does(self, form: str, program: Program, cloud: Cloud) -> None:
        spec = program.write(PROBE)
        assert program.run("plan", "--format", form, "--detailed-exitcode", spec).code == 2
        cloud.iam.create_role(RoleName="probe-worker", AssumeRolePolicyDocument=json.dumps(TRUST))
        refused = program.run("plan", "--format", form, spec)
        assert refused.code == 1
        assert "Refused" in refused.out

    @pytest.mark.parametrize("form", ["markdown", "html"])
    @pytest.mark.sampled
    def test_have_all_letters_in_any_encoding(
        self, form: str, run: Run, program: Program, cloud: Cloud
    ) -> None:
        spec = program.write(having(PROBE, roles__worker__description="größe"))
        ran = run("plan", "--format", form, spec, env={"PYTHONIOENCODING": "ascii"})
        assert ran.code == 0, ran.err
        assert "gr&#246;&#223;e" in ran.out
