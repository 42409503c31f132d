"""Every broken composition in broken/compositions.txt is answered with exactly the text that is told there.

Each begins with `=== what it is`, perhaps with `--target NAME`; then come its files, spec.yaml among them,
and what is told. The files of `(all)` are beside all of them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from provisioner.errors import SpecError
from provisioner.kinds import KINDS
from provisioner.spec import load

TEXT = (Path(__file__).parent / "broken" / "compositions.txt").read_text(encoding="utf-8")


class Case(NamedTuple):
    target: str | None
    files: dict[str, str]


def cases() -> dict[str, Case]:
    found = {}
    for part in re.split(r"(?m)^=== ", TEXT)[1:]:
        heading, _, rest = part.partition("\n")
        what, _, target = heading.partition(" --target ")
        pieces = re.split(r"(?m)^--- (.+)\n", rest)[1:]
        files = dict(zip(pieces[::2], (text.rstrip("\n") + "\n" for text in pieces[1::2]), strict=True))
        found[what] = Case(target or None, files)
    return found


CASES = cases()
SHARED = CASES.pop("(all)").files


@pytest.mark.parametrize("what", CASES)
def test_told(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    target, files = CASES[what]
    for name, text in {**SHARED, **files}.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.replace(r"\x08", "\x08").replace(r"\x00", "\0").encode())
    with pytest.raises(SpecError) as caught:
        load("spec.yaml", KINDS, target=target)
    told = str(caught.value).replace(str(tmp_path), "FOLDER")
    assert told.splitlines() == files["told"].splitlines()


def test_there_are_enough() -> None:
    assert len(CASES) >= 60
