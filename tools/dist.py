"""Build the sdist and the wheel into dist/, and try each in an environment that has nothing else.

The wheel is built from the sdist, so that whatever it needs is in there. What an environment gets beside it
are the locked versions of its dependencies, by their hashes. For `make dist`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import venv
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.lock"
DIST = ROOT / "dist"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
BY_HASH = ("--require-hashes", "--no-deps", "--only-binary", ":all:")
OFFLINE = ("--no-index", "--no-deps", "--no-build-isolation")
TIMEOUT_S = 600.0


def run(*command: str | Path, cwd: Path = ROOT, code: int = 0, saying: str = "") -> str:
    """What a command says on both streams. Raises SystemExit when it ends otherwise, or does not say that."""
    words = [str(word) for word in command]
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        words, cwd=cwd, env=variables, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    said = (done.stdout + done.stderr).strip()
    if done.returncode != code or saying not in said:
        wanted = f"{code} and {saying!r}" if saying else code
        raise SystemExit(f"`{' '.join(words)}` ended with {done.returncode}, not {wanted}:\n{said}")
    return said


def pip(python: Path | str, *words: str | Path) -> None:
    """Let pip work in the environment of that Python."""
    run(python, "-m", "pip", "--quiet", "--disable-pip-version-check", *words)


def build() -> tuple[Path, Path]:
    """The sdist, and the wheel that is made from it."""
    shutil.rmtree(DIST, ignore_errors=True)
    run(sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", DIST)
    (sdist,) = DIST.glob("*.tar.gz")
    pip(sys.executable, "wheel", *OFFLINE, "--wheel-dir", DIST, sdist)
    (wheel,) = DIST.glob("*.whl")
    return sdist, wheel


def needed(wanted: Iterable[str]) -> set[str]:
    """The names of packages, and of those that they need in turn on this Python."""
    names: set[str] = set()
    ahead = [Requirement(text) for text in wanted]
    while ahead:
        requirement = ahead.pop()
        name = canonicalize_name(requirement.name)
        if name not in names and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
            names.add(name)
            ahead += [Requirement(text) for text in metadata.requires(name) or ()]
    return names


def locked(names: set[str]) -> str:
    """The part of the lock that is about these packages."""
    entries = re.split(r"\n(?=\S)", LOCK.read_text())
    return "\n".join(entry for entry in entries if entry.partition("==")[0] in names)


def try_out(artifact: Path, beside: set[str], spec: Path) -> None:
    """Install an artifact and the locked packages beside it, and use it from an empty folder."""
    with tempfile.TemporaryDirectory() as empty:
        folder = Path(empty)
        venv.create(folder / "venv", with_pip=True)
        program = folder / "venv/bin"
        (folder / "lock").write_text(locked(beside))
        pip(program / "python", "install", *BY_HASH, "--requirement", folder / "lock")
        pip(program / "python", "install", *OFFLINE, artifact)
        version = run(program / "provisioner", "--version", cwd=folder, saying="provisioner, version")
        valid = run(program / "provisioner", "validate", spec, cwd=folder, saying="valid")
        run(program / "provisioner", "local", "up", cwd=folder, code=1, saying="-m pip install")
    sys.stdout.write(f"{artifact.name}: {version}; {valid}\n")


def main() -> None:
    """Build and try; the first thing that fails ends it."""
    sdist, wheel = build()
    with tempfile.TemporaryDirectory() as unpacked:
        with tarfile.open(sdist) as archive:
            archive.extractall(unpacked, filter="data")
        spec = Path(unpacked) / sdist.name.removesuffix(".tar.gz") / "specs/fifty-servers.yaml"
        runtime = needed(PROJECT["project"]["dependencies"])
        try_out(wheel, runtime, spec)
        try_out(sdist, runtime | needed(PROJECT["build-system"]["requires"]), spec)


if __name__ == "__main__":
    main()
