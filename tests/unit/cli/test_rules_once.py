"""Guardrails are compiled once, however many specs they are for; and anew once a file has changed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from provisioner.cli.common import SpecFile, given_rules, load_rules

RULE = "package main\n\ndeny contains msg if {{ msg := {!r} }}\n"


def test_the_same_files_are_compiled_once(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    rule = tmp_path / "rules" / "a.rego"
    rule.write_text(RULE.format("no").replace("'", '"'))
    policies = (str(tmp_path / "rules"),)
    first = load_rules(SpecFile(str(tmp_path / "one.yaml")), policies)
    assert load_rules(SpecFile(str(tmp_path / "other.yaml")), policies)[0] is first[0]
    assert given_rules(policies) is first[0]
    rule.write_text(RULE.format("never").replace("'", '"'))
    changed = given_rules(policies)
    assert changed
    assert [verdict.message for verdict in changed.judge({})] == ["never"]
    assert [verdict.message for verdict in first[0].judge({})] == ["no"]


def test_nothing_is_said_of_compiled_rules_when_the_program_ends(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("environment: a\nregion: us-east-1\n")
    asked = [sys.executable, "-m", "provisioner", "apply", "a.yaml", "--policy", "builtin:tags"]
    ended = subprocess.run(asked, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert "there is no terminal to ask on" in ended.stderr
    assert "Exception ignored" not in ended.stderr
