"""What the account does not have, and what is said to be there instead: nothing twice."""

from __future__ import annotations

import pytest

from provisioner.kinds.fleet.read.missing import missing

CASES = {
    "the only one, misspelt": (["default"], "defualt", "did you mean default?"),
    "one of several": (["default", "web"], "defualt", "did you mean default?; there are default, web"),
    "the beginning of one": (
        ["web01-main", "web02"],
        "web01",
        "did you mean web01-main or web02?; there are web01-main, web02",
    ),
    "the middle of one": (
        ["my-web01-main", "web02"],
        "web01",
        "did you mean my-web01-main or web02?; there are my-web01-main, web02",
    ),
    "nothing like it, and there is one": (["web"], "zzz", "there are web"),
    "nothing like it": (["db", "web"], "zzz", "there are db, web"),
    "none at all": ([], "web", "there is none"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_there_is(case: str) -> None:
    there, written, told = CASES[case]
    problem = missing("security group", [written], lambda: there, "security_groups", "vpc-1")
    assert problem.message == f"there is no security group {written} in vpc-1"
    assert problem.hint == f"{told}; check `security_groups:`"
