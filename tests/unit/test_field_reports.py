"""docs/field-reports.md names tests that there are, and a public source in every row."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "field-reports.md").read_text().splitlines()
    if line.startswith("|")
][2:]
SOURCE = re.compile(r"\[([\w.-]+)#(\d+)\]\(https://github\.com/[\w.-]+/([\w.-]+)/(?:issues|pull)/(\d+)\)")


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_row_has_its_test_and_its_source(row: list[str]) -> None:
    _, _, test, source = row
    file, name = test.strip("`").split("::")
    assert re.search(rf"^ *def {name}\(", (ROOT / "tests" / file).read_text(), re.MULTILINE)
    for repository, number, *address in SOURCE.findall(source):
        assert [repository, number] == address
    assert SOURCE.sub("", source).replace(",", "").strip() == ""


def test_there_are_rows() -> None:
    assert len(ROWS) > 20
