"""Guardrails are compiled once, however many specs they are for; and anew once a file has changed."""

from __future__ import annotations

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
