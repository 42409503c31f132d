"""Whatever a file of a megabyte holds, reading it takes less than 2 seconds and 200 MB, and tells little."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.shapes import FILES, FULL, LARGE, SIZE

ROOT = Path(__file__).resolve().parents[2]
# The budget is 2 s on a machine that does nothing else; that of the tests may be slow and busy.
MAX_CPU_S = 5.0
MAX_MB = 200.0
MAX_OUTPUT = 200_000
# What took longest, or most, of each sort, before there were limits.
WORST_LARGE = ("base 60", "merges")
WORST_FULL = ("slips in references", "tags that IAM refuses", "files")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the files are that the specs name."""
    folder = tmp_path_factory.mktemp("specs")
    (folder / "many").mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return folder


def check(folder: Path, made: Callable[[], str]) -> None:
    content = made().encode()
    assert len(content) <= SIZE
    (folder / "spec.yaml").write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.measured", "validate", str(folder / "spec.yaml")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (30, 30)),
    )
    assert done.returncode == 0, f"ended by {done.returncode}: {done.stderr[-500:]}"
    took = json.loads(done.stdout.splitlines()[-1])
    assert took["code"] in (0, 3), done.stderr
    assert took["cpu_s"] < MAX_CPU_S
    assert took["peak_mb"] < MAX_MB
    assert len(done.stdout) + len(done.stderr) < MAX_OUTPUT


@pytest.mark.parametrize("shape", WORST_LARGE)
@pytest.mark.sampled
def test_large(folder: Path, shape: str) -> None:
    check(folder, LARGE[shape])


@pytest.mark.parametrize("shape", WORST_FULL)
@pytest.mark.sampled
def test_full(folder: Path, shape: str) -> None:
    check(folder, FULL[shape])


@pytest.mark.long
@pytest.mark.parametrize("shape", sorted(LARGE.keys() - set(WORST_LARGE)))
def test_large_of_every_shape(folder: Path, shape: str) -> None:
    check(folder, LARGE[shape])


@pytest.mark.long
@pytest.mark.parametrize("shape", sorted(FULL.keys() - set(WORST_FULL)))
def test_full_of_every_shape(folder: Path, shape: str) -> None:
    check(folder, FULL[shape])
