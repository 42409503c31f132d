"""An option that is given again: both count, or it is an error; nothing is lost without a word."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.program import Program

SPEC = {
    "environment": "shop",
    "region": "us-east-1",
    "account_id": "123456789012",
    "roles": {"worker": {}},
    "targets": {"dev": {}, "test": {}, "prod": {}},
}


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spec.yaml").write_text(json.dumps(SPEC))
    return "spec.yaml"


def test_several_targets_are_all_meant(spec: str, tmp_path: Path) -> None:
    ran = Program(tmp_path).run(
        "permissions", spec, "--format", "json", "--target", "prod", "--target", "dev"
    )
    assert ran.code == 0, ran.err
    assert [item["target"] for item in ran.data["environments"]] == ["dev", "prod"]


@pytest.mark.parametrize(
    "words",
    [
        ("show", "spec.yaml", "--target", "dev", "--target", "prod"),
        ("plan", "spec.yaml", "--report", "a.json", "--report=b.md"),
        ("permissions", "spec.yaml", "--shard", "1/2", "--shard", "2/2"),
        ("drift", "spec.yaml", "--accept", "role/a", "--accept", "role/b"),
        ("apply", "spec.yaml", "--expect", "a.json", "--expect", "b.json"),
        ("status", "spec.yaml", "--profile", "a", "--profile", "b"),
    ],
)
def test_one_of_which_only_the_last_would_count_is_an_error(
    spec: str, tmp_path: Path, words: tuple[str, ...]
) -> None:
    ran = Program(tmp_path).run(*words)
    option = next(word for word in words if word.startswith("--"))
    assert ran.code == 3
    assert f"error: {option} is given 2 times, and only one can be meant: say {option} once." in ran.err


def test_the_last_format_counts(spec: str, tmp_path: Path) -> None:
    ran = Program(tmp_path).run(
        "permissions", spec, "--target", "dev", "--format", "text", "--format", "json"
    )
    assert (ran.code, bool(ran.data)) == (0, True)
