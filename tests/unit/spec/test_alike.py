"""A problem of a file that several specs or targets share is told once, with whom it concerns."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.errors import Problem
from provisioner.spec.alike import Alike, concerned, once_each
from tests.support.program import Program

BAD = Problem("base.yaml", 3, 5, "roles.w.colour", "unknown field", "remove it")
OTHER = Problem("base.yaml", 9, 1, "fleets", "unknown field")


def by(problem: Problem, related: str) -> Problem:
    return Problem(
        problem.file, problem.line, problem.column, problem.field, problem.message, problem.hint, related
    )


def test_each_problem_once_in_the_order_in_which_they_come() -> None:
    found = once_each([("a.yaml", [BAD]), ("b.yaml", [OTHER, BAD])])
    assert found == [Alike(BAD, ["a.yaml", "b.yaml"]), Alike(OTHER, ["b.yaml"])]


def test_another_place_is_told_where_it_is_the_same_for_all() -> None:
    same = by(BAD, "inherited by shop.yaml:1:10")
    assert once_each([("s --target a", [same]), ("s --target b", [same])])[0].problem == same
    other = by(BAD, "inherited by bank.yaml:1:10")
    assert once_each([("shop.yaml", [same]), ("bank.yaml", [other])])[0].problem == BAD


EVERY = ["a.yaml", "b.yaml", *(f"s.yaml --target t{number}" for number in range(3))]


@pytest.mark.parametrize(
    ("specs", "words"),
    [
        (["a.yaml"], ""),
        (["a.yaml", "b.yaml"], "in a.yaml, b.yaml"),
        (["s.yaml --target t1"], "in s.yaml --target t1"),
        (["s.yaml --target t0", "s.yaml --target t2"], "in s.yaml --target t0 --target t2"),
        # As a command line takes them, and a target is told from a spec.
        (
            ["s.yaml --target t0", "s.yaml --target t2", "a.yaml"],
            "in s.yaml --target t0 --target t2, a.yaml",
        ),
        (
            [f"s.yaml --target {number}" for number in range(12)],
            f"in s.yaml {' '.join(f'--target {number}' for number in range(10))} and 2 more targets",
        ),
        (EVERY[2:], "in all 3 targets of s.yaml"),
        (["a.yaml", *EVERY[2:]], "in a.yaml, all 3 targets of s.yaml"),
        (
            [f"{number}.yaml" for number in range(12)],
            f"in {', '.join(f'{n}.yaml' for n in range(10))} and 2 more specs",
        ),
    ],
)
def test_whom_it_concerns(specs: list[str], words: str) -> None:
    assert concerned(specs, EVERY) == words


def test_validate_tells_of_a_base_once(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("region: us-east-1\nroles:\n  w: {colour: red}\n")
    (tmp_path / "shop.yaml").write_text(
        "extends: base.yaml\nenvironment: shop\ntargets: {dev: {}, prod: {}}\n"
    )
    (tmp_path / "bank.yaml").write_text("extends: base.yaml\nenvironment: bank\n")
    ran = Program(tmp_path).run("validate", str(tmp_path))
    assert ran.code == 3
    assert ran.err.count("roles.w.colour: unknown field") == 1
    assert f"in {tmp_path}/bank.yaml, all 2 targets of {tmp_path}/shop.yaml" in ran.words
    assert "1 problem in 3 of 3 specs and targets; nothing was sent" in ran.words


def test_of_what_is_not_listed_nobody_knows_whether_it_is_the_same(tmp_path: Path) -> None:
    roles = "".join(f"  r{number}: {{colour: red}}\n" for number in range(203))
    (tmp_path / "base.yaml").write_text(f"region: us-east-1\nroles:\n{roles}")
    (tmp_path / "shop.yaml").write_text(
        "extends: base.yaml\nenvironment: shop\ntargets: {dev: {}, prod: {}}\n"
    )
    ran = Program(tmp_path).run("validate", str(tmp_path / "shop.yaml"))
    assert ran.words.count("3 further problems not listed") == 2
    assert "at least 203 problems in 2 of 2 specs and targets; nothing was sent" in ran.words
