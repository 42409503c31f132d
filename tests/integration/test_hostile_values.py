"""Every command, in every format, on values of people who want to rewrite a reader's screen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import local_aws
from tests.support.cloud import Cloud
from tests.support.fixtures import Run
from tests.support.hostile import FORGED, harmless
from tests.support.program import Program
from tests.support.specs import ATTACHING, PROBE, ROLES_ONLY, having

# As far as XML can carry it; what a machine cannot receive it cannot print.
BAD = f"x\n{FORGED}: all is well\x85{FORGED}\u2028{FORGED}\u202e\u2066[red]\t"
WORSE = f"{BAD}\x1b[2J\x1b]0;t\x07\x9b31m\x00\x08"

READING = [
    [command, *options]
    for command in ("plan", "status", "apply", "destroy")
    for options in ([], ["--format", "json"], ["-v"])
] + [["plan", "--format", form] for form in ("markdown", "html")]


def changing(words: list[str]) -> list[str]:
    return [*words, "--yes"] if words[0] in ("apply", "destroy") else words


@pytest.mark.parametrize("words", READING, ids=" ".join)
@pytest.mark.sampled
def test_tags_and_names_that_others_wrote_are_shown_and_do_nothing(
    words: list[str], program: Program, cloud: Cloud
) -> None:
    program.apply(PROBE)
    ids = [instance["InstanceId"] for instance in cloud.live()]
    tags = [{"Key": "Name", "Value": BAD}, {"Key": BAD[:100], "Value": BAD}, {"Key": "team", "Value": BAD}]
    cloud.ec2.create_tags(Resources=ids, Tags=tags)
    cloud.iam.update_role(RoleName="probe-worker", Description="é\n" + FORGED)
    ran = program.run(*changing(words), program.write(having(PROBE, fleets__worker__count=3)))
    assert ran.code == 0, ran.said
    harmless(ran.out)
    harmless(ran.err)
    if "json" in words:
        json.loads(ran.out)


@pytest.mark.parametrize("words", READING, ids=" ".join)
@pytest.mark.parametrize(
    "operation", ["DescribeInstances", "RunInstances", "CreateRole", "GetInstanceProfile"]
)
@pytest.mark.sampled
def test_errors_of_aws_are_shown_and_do_nothing(
    words: list[str], operation: str, program: Program, cloud: Cloud
) -> None:
    cloud.break_with(local_aws.error(operation, f"Bad{BAD}", BAD, status=400))
    ran = program.run(*changing(words), program.write(PROBE))
    harmless(ran.out)
    harmless(ran.err)
    if "json" in words and ran.out:
        json.loads(ran.out)


FIELDS: list[dict[str, Any]] = [
    {"environment": WORSE},
    {"region": WORSE},
    {WORSE: {}},
    {"tags": {WORSE: WORSE}},
    {"roles": {WORSE: {}}},
    {"roles": {"worker": {"description": WORSE, WORSE: WORSE}}},
    {"roles": {"worker": {"managed_policies": [WORSE]}}},
    {"roles": {"worker": {"inline_policies": {WORSE: {WORSE: WORSE}}}}},
    {"roles": {"worker": {"inline_policies": {"a": {"file": WORSE}}}}},
    {"fleets": {"worker": {"count": WORSE, "image": WORSE, "user_data": {"file": WORSE}}}},
    {"instance_profiles": {"worker": {"role": WORSE}}},
    {"attachments": {"a": {"instance_profile": WORSE, "select": {"tags": {WORSE: WORSE}}}}},
]


@pytest.mark.parametrize("fields", FIELDS, ids=lambda fields: json.dumps(fields)[:40])
@pytest.mark.parametrize("words", [["validate"], ["plan"], ["apply", "--yes"], ["status"]], ids=" ".join)
def test_what_a_spec_says_is_shown_and_does_nothing(
    words: list[str], fields: dict[str, Any], program: Program, cloud: Cloud
) -> None:
    ran = program.run(*words, program.write({**ROLES_ONLY, **fields}))
    harmless(ran.out)
    harmless(ran.err)


@pytest.mark.parametrize(
    "text", [f"\n{FORGED}: 1", f"a: [\n{FORGED}", f"a: *{FORGED}\x1b[2J", f"\x9b{FORGED}", "\x00"]
)
@pytest.mark.parametrize(
    "name", [f"a\n{FORGED}\x1b[2J.yaml", f"a\u202e{FORGED}.yaml", f"a\udcff\n{FORGED}.yaml"]
)
def test_names_of_files_and_what_is_no_spec_are_shown_and_do_nothing(
    text: str, name: str, tmp_path: Path, program: Program, cloud: Cloud
) -> None:
    (tmp_path / name).write_text(text)
    for path in (tmp_path / name, tmp_path / name[:-1]):
        ran = program.run("validate", path)
        assert ran.code == 3
        harmless(ran.out)
        harmless(ran.err)


def test_a_spec_that_is_valid_is_told_on_one_line(tmp_path: Path, program: Program) -> None:
    path = tmp_path / f"a\n{FORGED}\x1b[2J.yaml"
    path.write_text(json.dumps(ROLES_ONLY))
    ran = program.run("validate", path)
    assert ran.code == 0
    assert ran.out.count("\n") == 1
    harmless(ran.out)


@pytest.mark.parametrize(
    "words",
    [
        [WORSE],
        ["plan", f"--{WORSE}"],
        ["plan", "--format", WORSE, "x.yaml"],
        ["plan", "--refresh-image", WORSE, "{spec}"],
        ["plan", "--endpoint-url", WORSE, "{spec}"],
        ["completion", WORSE],
        ["local", WORSE],
        ["local", "up", "--port", WORSE],
        ["local", "add-instance", WORSE, "--tag", f"a={WORSE}"],
        ["local", "add-instance", "--tag", WORSE.replace("=", "")],
        ["local", "add-instance", "--region", WORSE],
    ],
    ids=lambda words: " ".join(words)[:30],
)
def test_what_is_typed_is_shown_and_does_nothing(
    words: list[str], program: Program, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = str(program.write(ROLES_ONLY))
    if "--endpoint-url" in words:
        monkeypatch.delenv("PROVISIONER_LOCAL")
    ran = program.run(*(spec if word == "{spec}" else word for word in words))
    assert ran.code != 0
    assert "bug in provisioner" not in ran.err
    harmless(ran.out)
    harmless(ran.err)


def test_attachments_to_instances_of_others_are_shown_and_do_nothing(
    program: Program, run: Run, cloud: Cloud
) -> None:
    tags = {**ATTACHING["attachments"]["box"].get("select", {}).get("tags", {}), "Name": BAD, "note": BAD}
    local_aws.add_instance(cloud.server, "i-0123456789abcdef0", tags)
    for words in (["plan"], ["status"], ["apply", "--yes"], ["status", "--format", "json"]):
        ran = program.run(*words, program.write(ATTACHING))
        harmless(ran.out)
        harmless(ran.err)
