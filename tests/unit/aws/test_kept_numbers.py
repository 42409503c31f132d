"""Numbers of an account are kept for a month, each by itself, and only what the user's own file says."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from provisioner.aws.cache import write_kept
from provisioner.aws.client import Aws, Target
from provisioner.aws.kept_numbers import (
    KEPT_S,
    endpoint_of,
    forget_numbers,
    keep_numbers,
    read_numbers,
)

DAY_S = 86_400


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "provisioner"


def at(monkeypatch: pytest.MonkeyPatch, days: float) -> None:
    """It is so many days later."""
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + days * DAY_S)


def test_what_is_kept_under_one_name_is_not_found_under_another() -> None:
    keep_numbers("a", {"x": 5.0})
    keep_numbers("a", {"y": 6.5})
    assert (read_numbers("a"), read_numbers("b")) == ({"x": 5.0, "y": 6.5}, {})


@pytest.mark.parametrize(("days", "kept"), [(0, True), (29, True), (31, False), (-1, False)])
def test_for_a_month(days: int, kept: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_numbers("a", {"x": 5.0})
    at(monkeypatch, days)
    assert read_numbers("a") == ({"x": 5.0} if kept else {})


def test_each_from_when_it_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_numbers("a", {"x": 5.0})
    at(monkeypatch, 20)
    keep_numbers("a", {"y": 6.0})
    at(monkeypatch, 20)
    assert read_numbers("a") == {"y": 6.0}
    assert KEPT_S == 30 * DAY_S


@pytest.mark.parametrize("rows", [[], 5, {"x": 5}, {"x": ["five", 1]}, {"x": [1]}, {"x": [10**400, 1]}])
def test_what_is_no_numbers_is_none(rows: object, cache: Path) -> None:
    keep_numbers("a", {"x": 5.0})
    (file,) = cache.iterdir()
    write_kept(file.name, "numbers-1", json.dumps(rows))
    assert read_numbers("a") == {}


def test_what_is_forgotten_is_asked_for_anew_and_nothing_else_is() -> None:
    keep_numbers("a", {"x": 5.0})
    keep_numbers("b", {"x": 5.0})
    forget_numbers("a")
    assert (read_numbers("a"), read_numbers("b")) == ({}, {"x": 5.0})
    keep_numbers("a", {"y": 6.0})
    assert read_numbers("a") == {"y": 6.0}


def test_where_nothing_can_be_kept_nothing_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    keep_numbers("a", {"x": 5.0})
    assert read_numbers("a") == {}


def test_each_aws_and_region_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    aws = Aws(Target("us-east-1"))
    aws.keep("quotas", {"x": 5.0})
    others = [
        aws.in_region("us-west-2"),
        Aws(Target("us-east-1", endpoint_url="http://127.0.0.1:1")),
        Aws(Target("us-east-1", is_local=True)),
    ]
    assert [Aws(Target("us-east-1")).kept("quotas"), *(other.kept("quotas") for other in others)] == [
        {"x": 5.0},
        {},
        {},
        {},
    ]
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:2")
    assert aws.kept("quotas") == {}


def test_what_the_local_aws_has_is_not_kept() -> None:
    local = Aws(Target("us-east-1", is_local=True))
    local.keep("quotas", {"x": 5.0})
    assert local.kept("quotas") == {}


@pytest.mark.parametrize(
    ("given", "variables", "endpoint"),
    [
        (None, {}, ""),
        (None, {"AWS_ENDPOINT_URL": "http://a"}, "http://a"),
        (None, {"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_SERVICE_QUOTAS": "http://b"}, "http://b"),
        ("http://c", {"AWS_ENDPOINT_URL": "http://a"}, "http://c"),
    ],
)
def test_whose_numbers_they_are(
    given: str | None, variables: dict[str, str], endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_EC2", "AWS_ENDPOINT_URL_SERVICE_QUOTAS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert endpoint_of(given) == endpoint
