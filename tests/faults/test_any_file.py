"""Whatever a spec and the policy that it names hold, they are taken, or refused in few words with places."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.errors import SpecError
from provisioner.kinds import KINDS
from provisioner.spec import load
from tests.faults.fuzz import made, wrong

SHORT = 400
LONG = 20_000
BLOCK = 1_000


def test_a_seed_always_makes_the_same() -> None:
    assert [made(seed) for seed in range(20)] == [made(seed) for seed in range(20)]


def test_what_is_made_is_neither_all_taken_nor_all_refused_alike(tmp_path: Path) -> None:
    answers = set()
    for seed in range(100):
        (tmp_path / "spec.yaml").write_text(made(seed)[0], encoding="utf-8", errors="surrogatepass")
        try:
            load(str(tmp_path / "spec.yaml"), KINDS)
        except SpecError as error:
            answers.add(error.problems[0].message)
        else:
            answers.add("")
    assert "" in answers
    assert len(answers) > 20


def test_some(tmp_path: Path) -> None:
    found = {seed: problem for seed in range(SHORT) if (problem := wrong(tmp_path, seed))}
    assert found == {}


@pytest.mark.long
@pytest.mark.parametrize("first", range(SHORT, LONG, BLOCK))
def test_many(tmp_path: Path, first: int) -> None:
    found = {seed: problem for seed in range(first, first + BLOCK) if (problem := wrong(tmp_path, seed))}
    assert found == {}
