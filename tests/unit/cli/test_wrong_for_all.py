"""What is wrong with the command line whichever spec it is: one error, and no spec is called wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.program import Program

SPEC = "environment: {}\nregion: us-east-1\nroles: {{w: {{}}}}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("PROVISIONER_LOCAL", raising=False)
    monkeypatch.chdir(tmp_path)
    for name in ("shop", "bank"):
        (tmp_path / f"{name}.yaml").write_text(SPEC.format(name))
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.rego").write_text("package main\n\ndeny[msg] {{{\n")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("plan", "--local", "--profile", "foo"), "so it goes with neither --profile nor --endpoint-url"),
        (("status", "--local", "--endpoint-url", "http://a:1"), "so it goes with neither --profile"),
        (("drift", "--endpoint-url", "nowhere"), "'nowhere' is no address to send calls to"),
        (("plan", "--local", "--policy", "nodir"), "nodir does not exist"),
        (("apply", "--yes", "--local", "--policy", "nodir"), "nodir does not exist"),
        (("destroy", "--yes", "--local", "--skip-region", "us-east-11"), "there is no region"),
        (("plan", "--local", "--policy", "rules"), "4 problems; nothing was sent"),
    ],
)
def test_it_is_told_once(folder: Path, words: tuple[str, ...], told: str) -> None:
    ran = Program(folder).run(*words, "shop.yaml", "bank.yaml")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.count(told) == 1
    assert "shop" not in ran.err


def test_a_problem_that_specs_share_is_told_once_with_those_that_have_it(folder: Path) -> None:
    """Also where one of them has another problem besides."""
    (folder / "base.yaml").write_text("region: us-east-1\nroles:\n  w: {colour: red}\n")
    (folder / "shop.yaml").write_text(
        "extends: base.yaml\nenvironment: shop\ntargets: {dev: {}, prod: {tags: 5}}\n"
    )
    (folder / "bank.yaml").write_text("extends: base.yaml\nenvironment: bank\nfleet: {}\n")
    ran = Program(folder).run("plan", "--local", "shop.yaml", "bank.yaml")
    assert ran.code == 3
    assert ran.err.count("roles.w.colour: unknown field") == 1
    assert "in bank.yaml, shop.yaml --target dev --target prod" in ran.words
    assert ran.err.count("bank.yaml:3:1: fleet:") == 1
    assert "error: bank.yaml, shop.yaml --target prod: the spec has 2 problems" in ran.words
    assert "error: shop.yaml --target dev: the spec has 1 problem" in ran.words
