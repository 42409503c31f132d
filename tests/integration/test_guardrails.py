"""Guardrails of the command line and of a folder, over plans of the local AWS: refused is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.cloud import Cloud
from tests.support.program import Program
from tests.support.specs import ROLES_ONLY, lacking

DENY_ROLES = """
package main

deny_roles contains msg if {
    some change in input.changes
    change.action == "create"
    startswith(change.address, "role/")
    msg := sprintf("%s is new: ask first", [change.address])
}

warn contains "look twice" if input.environment == "probe"
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "roles.rego").write_text(DENY_ROLES)
    return folder


def test_what_a_rule_denies_is_refused_and_nothing_is_changed(
    rules: Path, program: Program, cloud: Cloud
) -> None:
    planned = program.plan(ROLES_ONLY, "--policy", str(rules))
    applied = program.apply(ROLES_ONLY, "--policy", str(rules))
    assert (planned.code, applied.code) == (4, 4)
    assert planned.data["refusals"] == [
        {
            "address": "guardrail/main.deny_roles",
            "message": "role/worker is new: ask first",
            "hint": f"the rule is in {rules / 'roles.rego'}",
        }
    ]
    assert [note["message"] for note in planned.data["notes"] if note["warning"]] == ["look twice"]
    assert cloud.roles() == []


def test_the_configuration_of_the_folder_holds_whatever_is_typed(
    rules: Path, tmp_path: Path, program: Program, cloud: Cloud
) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(json.dumps(ROLES_ONLY))
    (tmp_path / "provisioner.yaml").write_text("policies: [rules]\n")
    assert program.run("apply", "--yes", spec, "--policy", "builtin:imdsv2").code == 4
    assert program.run("validate", spec, tmp_path / "provisioner.yaml").code == 0
    (tmp_path / "provisioner.yaml").write_text("policies: [ruls]\n")
    for command in (["validate"], ["plan"], ["apply", "--yes"], ["destroy", "--yes"]):
        ran = program.run(*command, spec)
        assert ran.code == 3
        assert 'provisioner.yaml:1:12: policies[0]: there is no folder "ruls"' in ran.said
    assert cloud.roles() == []


EXCEPTING = """
package main

exception contains ["roles"]

warn contains "never" if input.environment == "another"
"""


@pytest.mark.parametrize(
    ("folder_has", "more"),
    [
        ("policies: [rules]\n", {"waive.rego": EXCEPTING}),
        (
            "policies: ['builtin:boundary', rules]\n",
            {"data.yaml": "parameters: {boundaries: [x]}\n", "waive.rego": EXCEPTING},
        ),
        (
            "policies: ['builtin:tags']\n",
            {"data.yaml": "parameters: {required_tags: []}\n", "a.rego": EXCEPTING},
        ),
    ],
    ids=["an exception", "an exception and data", "data"],
)
@pytest.mark.sampled
def test_rules_of_the_command_line_take_nothing_back_of_the_folders(
    folder_has: str, more: dict[str, str], rules: Path, tmp_path: Path, program: Program, cloud: Cloud
) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(json.dumps(ROLES_ONLY))
    (tmp_path / "provisioner.yaml").write_text(folder_has)
    (tmp_path / "more").mkdir()
    for name, text in more.items():
        (tmp_path / "more" / name).write_text(text)
    alone = program.run("plan", spec, "--format", "json")
    with_more = program.run("plan", spec, "--format", "json", "--policy", tmp_path / "more")
    assert (alone.code, with_more.code) == (4, 4)
    assert with_more.data["refusals"] == alone.data["refusals"] != []
    assert program.run("apply", "--yes", spec, "--policy", tmp_path / "more").code == 4
    assert cloud.roles() == []


def test_what_both_deny_is_told_once(rules: Path, tmp_path: Path, program: Program, cloud: Cloud) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(json.dumps(ROLES_ONLY))
    (tmp_path / "provisioner.yaml").write_text("policies: [rules]\n")
    assert len(program.run("plan", spec, "--format", "json", "--policy", rules).data["refusals"]) == 1


def test_destroying_is_judged_too(program: Program, cloud: Cloud) -> None:
    assert program.apply(ROLES_ONLY).code == 0
    spec = program.write(ROLES_ONLY)
    destroyed = program.run("destroy", "--yes", spec, "--policy", "builtin:destroyed")
    assert destroyed.code == 4
    assert "2 would be destroyed or replaced, and at most 0 may be" in destroyed.words
    assert cloud.roles() != []


NOT_TWICE = """
package main

deny contains "somebody else is at it" if not makes_the_role

makes_the_role if {
    some change in input.changes
    change.address == "role/worker"
    change.action == "create"
}
"""


def test_a_later_round_is_judged_before_it_is_carried_out(
    tmp_path: Path, program: Program, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "twice.rego").write_text(NOT_TWICE)

    def made_meanwhile(*_: Any, **__: Any) -> None:
        monkeypatch.setattr("provisioner.cli.change.show_plan", lambda *_, **__: None)
        assert program.apply(lacking(ROLES_ONLY, "instance_profiles")).code == 0

    monkeypatch.setattr("provisioner.cli.change.show_plan", made_meanwhile)
    applied = program.apply(ROLES_ONLY, "--policy", str(tmp_path / "twice.rego"))
    assert applied.code == 1
    assert "guardrail/main.deny: somebody else is at it" in applied.words
    assert cloud.profiles() == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("package main\n\ndeny contains msg if {\n", "bad.rego:3:"),
        ("package main\n\ndeny contains x if { x := y }\n", "bad.rego:3:22: a name here has no value"),
    ],
)
def test_rules_with_mistakes_are_told_before_aws_is_asked(
    text: str, expected: str, tmp_path: Path, program: Program, cloud: Cloud
) -> None:
    (tmp_path / "bad.rego").write_text(text)
    before = len(cloud.calls())
    ran = program.plan_or_error(ROLES_ONLY, "--policy", str(tmp_path))
    assert ran.code == 3
    assert str(tmp_path / expected) in ran.said
    assert len(cloud.calls()) == before
