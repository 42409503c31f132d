"""The table in docs/local-aws.md says the truth: about the tests here, and about plain moto."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.integration.local_aws.helpers import launch, seen, where

HERE = Path(__file__).parent
DOC = HERE.parents[2] / "docs" / "local-aws.md"


def rows_of_the_table() -> dict[str, str]:
    """Row -> name of its test, as the document has it."""
    pattern = re.compile(r"^\| `([a-z0-9-]+)` \|.*\| `(test_\w+)` \|$", re.MULTILINE)
    found = pattern.findall(DOC.read_text())
    assert len(found) == len(dict(found)), "a row is there twice"
    return dict(found)


def rows_of_the_tests() -> dict[str, str]:
    """Row -> name of the test that guards it, as the marks have it."""
    pattern = re.compile(r'mark\.correction\("([^"]+)"\)\n(?:(?!def ).*\n)*?def (test_\w+)')
    found = [pair for file in sorted(HERE.glob("test_*.py")) for pair in pattern.findall(file.read_text())]
    assert len(found) == len(dict(found)), "two tests guard one row"
    return dict(found)


def test_every_row_has_its_test_and_every_correction_its_row() -> None:
    assert rows_of_the_table() == rows_of_the_tests()


def test_every_source_named_in_the_table_has_an_address() -> None:
    text = DOC.read_text()
    known = set(
        re.findall(r"^\[([\w-]+)\]: https://docs\.(?:aws\.amazon\.com|amazonaws\.cn)/", text, re.MULTILINE)
    )
    named = {
        name
        for line in text.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"\[([\w-]+)\]", line)
    }
    assert named == known


@pytest.mark.long
def test_plain_moto_fails_every_row(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--plain-moto", default=False):
        pytest.skip("this is that run")
    command = [
        sys.executable,
        "-m",
        "pytest",
        str(HERE),
        "--plain-moto",
        "-p",
        "no:cacheprovider",
        "-q",
        "-rA",
    ]
    done = subprocess.run(command, cwd=HERE.parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "test_plain_moto_answers" in done.stdout, "the server for the comparison did not work"


@pytest.mark.same_on_moto
def test_plain_moto_answers(ec2: Any, image: str) -> None:
    launch(ec2, image)
    assert len(seen(ec2, Filters=where("instance-type", "t3.micro"))) == 1


@pytest.mark.long
def test_a_thousand_instances_take_no_more_than_their_share(ec2: Any, image: str) -> None:
    """Ten times as many take some ten times as long to launch and to describe, and not a hundred times."""
    seconds = [timed_launch_and_describe(ec2, image, count) for count in (100, 1000)]
    assert seconds[1] < 40 * seconds[0]


def timed_launch_and_describe(ec2: Any, image: str, count: int) -> float:
    """How many seconds it takes to launch so many more instances, and to describe all that there are."""
    began = time.monotonic()
    launch(ec2, image, count)
    assert len(seen(ec2, MaxResults=1000)) >= min(count, 1000)
    return time.monotonic() - began
