"""Whatever a file holds, loading it gives an Environment or a SpecError."""

from __future__ import annotations

import copy
import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provisioner.errors import SpecError
from provisioner.kinds import KINDS
from provisioner.model import Environment
from provisioner.spec import load
from provisioner.spec.document import read

SPECS = Path(__file__).parents[3] / "specs"
TEXTS = [path.read_text(encoding="utf-8") for path in sorted(SPECS.glob("*.yaml"))]
VALUES = [read(str(path)).value for path in sorted(SPECS.glob("*.yaml"))]

quickly = settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["*", "i-0", "10%", "{index}", "2012-10-17", "a" * 300, "arn:aws:iam::aws:policy/X"])
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files that the examples name."""
    for name in ("outage-collector.sh", "two-tier-batch.sh"):
        shutil.copy(SPECS / name, tmp_path)
    shutil.copytree(SPECS / "policies", tmp_path / "policies")
    return tmp_path


def check(folder: Path, content: bytes) -> None:
    """Load some content; what is told has a place in the file and is told in one line each."""
    path = folder / "spec.yaml"
    path.write_bytes(content)
    try:
        assert isinstance(load(str(path), KINDS), Environment)
        return
    except SpecError as error:
        problems = error.problems
    assert problems
    # YAML knows line ends besides the usual ones.
    lines = sum(content.count(end) for end in (b"\n", b"\r", b"\xc2\x85", b"\xe2\x80")) + 1
    for problem in problems:
        assert problem.message
        assert problem.file == str(path)
        assert problem.column >= 1
        assert 1 <= problem.line <= lines


@quickly
@given(st.binary(max_size=200))
def test_any_bytes(folder: Path, content: bytes) -> None:
    check(folder, content)


@quickly
@given(st.text(alphabet=st.sampled_from("ab:-&*<#!|>%@`'\"{}[],? \n\t~01.=\\"), max_size=60))
def test_any_text_of_what_means_something_in_yaml(folder: Path, text: str) -> None:
    check(folder, text.encode())


@quickly
@given(st.dictionaries(st.sampled_from([*VALUES[-1], "other"]), anything))
def test_any_values_under_the_headings(folder: Path, value: Any) -> None:
    check(folder, json.dumps(value).encode())


@quickly
@given(st.sampled_from(TEXTS), st.randoms(use_true_random=False), st.integers(1, 3))
def test_examples_with_text_cut_or_put_in(folder: Path, text: str, chance: random.Random, times: int) -> None:
    for _ in range(times):
        start = chance.randrange(len(text))
        end = start + chance.choice([0, 1, 1, 2, 20])
        new = chance.choice(
            ["", "", " ", "\n", "\t", ":", ": ", "- ", '"', "'", "[", "}", "*a", "&a ", "0", "x"]
        )
        text = text[:start] + new + text[end:]
    check(folder, text.encode())


@quickly
@given(st.sampled_from(VALUES), st.randoms(use_true_random=False), anything)
def test_examples_with_one_value_changed(folder: Path, value: Any, chance: random.Random, new: Any) -> None:
    value = copy.deepcopy(value)
    inner: Any = value
    while True:
        keys = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
        key = chance.choice(keys)
        if not isinstance(inner[key], dict | list) or not inner[key] or chance.random() < 0.2:
            break
        inner = inner[key]
    if isinstance(inner, dict) and chance.random() < 0.2:
        inner[chance.choice(["nam", "file", "Version", "tags"])] = inner.pop(key)
    else:
        inner[key] = new
    check(folder, json.dumps(value).encode())
