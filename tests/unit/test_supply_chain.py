"""What gets installed is what was locked, and an audit that could not look is not a good one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", "requirements-audit.lock")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]

GOOD = {"name": "good", "version": "1.0", "vulns": []}
BAD = {"name": "bad", "version": "2.0", "vulns": [{"id": "PYSEC-2099-1", "fix_versions": ["2.1"]}]}
UNFIXED = {"name": "bad", "version": "2.0", "vulns": [{"id": "PYSEC-2099-2", "fix_versions": []}]}
UNKNOWN = {"name": "rare", "skip_reason": "Dependency not found on PyPI and could not be audited"}


def locked(lock: str) -> dict[str, str]:
    """The packages of a lock, each with its hashes and comments."""
    entries = re.split(r"\n(?=\S)", re.sub(r"(?m)^#.*\n", "", (ROOT / lock).read_text()))
    return {entry.partition("==")[0]: entry for entry in entries}


def version_of(entry: str) -> str:
    return entry.partition("==")[2].split()[0]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_one_version_and_hashes(lock: str) -> None:
    packages = locked(lock)
    assert len(packages) > 20
    for name, entry in packages.items():
        assert re.match(r"[a-z0-9-]+==[0-9][\w.]*( ; [^\n]*)? \\\n", entry), name
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry), name


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_place_that_packages_come_from(lock: str) -> None:
    options = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", re.sub(r"#.*", "", (ROOT / lock).read_text())))
    assert options == {"--hash"}
    assert "://" not in (ROOT / lock).read_text()


@pytest.mark.parametrize(
    ("wanted", "lock"),
    [
        *((wanted, LOCKS[0]) for wanted in PROJECT["project"]["dependencies"]),
        *((wanted, LOCKS[0]) for wanted in EXTRAS["local"]),
        *((wanted, LOCKS[0]) for wanted in EXTRAS["dev"] if not wanted.startswith("provisioner")),
        *((wanted, LOCKS[0]) for wanted in PROJECT["build-system"]["requires"]),
        *((wanted, LOCKS[1]) for wanted in PROJECT["dependency-groups"]["audit"]),
    ],
)
def test_whatever_the_project_asks_for_is_locked_in_a_version_that_fits(wanted: str, lock: str) -> None:
    requirement = Requirement(wanted)
    entry = locked(lock)[canonicalize_name(requirement.name)]
    assert version_of(entry) in requirement.specifier, f"run `make lock`: {wanted}"


def test_packages_of_both_locks_have_the_same_versions() -> None:
    one, other = (locked(lock) for lock in LOCKS)
    assert {name: version_of(one[name]) for name in one.keys() & other.keys()} == {
        name: version_of(other[name]) for name in one.keys() & other.keys()
    }


@pytest.mark.parametrize("target", ["setup", "audit", "lock"])
def test_nothing_is_installed_past_the_hashes(target: str) -> None:
    """Neither a package, nor what would build one."""
    shown = subprocess.run(
        ["make", "--dry-run", "--always-make", target], cwd=ROOT, capture_output=True, text=True, check=True
    )
    installs = [line for line in shown.stdout.splitlines() if "pip install" in line]
    assert installs
    for command in installs:
        is_checked = all(word in command for word in ("--require-hashes", "--no-deps", "--only-binary :all:"))
        is_offline = "--no-index" in command and "--no-build-isolation" in command
        assert is_checked or is_offline, command


@pytest.mark.parametrize(
    ("packages", "said", "code"),
    [
        ([GOOD], "no known vulnerability in 1 packages\n", 0),
        ([GOOD, BAD], "bad 2.0: PYSEC-2099-1, fixed in 2.1\n", 1),
        ([UNFIXED], "bad 2.0: PYSEC-2099-2, fixed in no release yet\n", 1),
        # pip-audit itself calls these two good.
        ([UNKNOWN], "NOT CHECKED: the vulnerability service knows none of the 1 packages\n", 1),
        ([GOOD, UNKNOWN], "NOT CHECKED: rare\n", 1),
        ([BAD, UNKNOWN], "bad 2.0: PYSEC-2099-1, fixed in 2.1\nNOT CHECKED: rare\n", 1),
        ([], "NOT CHECKED: the vulnerability service knows none of the 0 packages\n", 1),
        (None, "NOT CHECKED: no answer of the vulnerability service", 1),
    ],
)
def test_an_audit_says_what_it_could_not_look_up(packages: list[object] | None, said: str, code: int) -> None:
    report = "" if packages is None else json.dumps({"dependencies": packages})
    ran = subprocess.run(
        [sys.executable, "tools/vulnerabilities.py"], cwd=ROOT, input=report, capture_output=True, text=True
    )
    assert (ran.returncode, ran.stderr) == (code, "")
    assert ran.stdout.startswith(said)


def test_a_commit_is_checked_by_the_locked_tools_as_make_check_does() -> None:
    """A hook from elsewhere would download its tool, in a version of its own."""
    repos = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [repo["repo"] for repo in repos] == ["local"]
    hooks = repos[0]["hooks"]
    assert {hook["language"] for hook in hooks} == {"system"}
    shown = subprocess.run(
        ["make", "--dry-run", "check", "generate"],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"]
        },  # not with the PYTHON that these tests may have been asked to run with
        capture_output=True,
        text=True,
        check=True,
    )
    commands = [line for line in shown.stdout.splitlines() if line.startswith(".venv/bin")]
    run_by_make = {line.removesuffix(" .") for line in commands if " -m pip " not in line}
    assert {hook["entry"].removesuffix(" --force-exclude") for hook in hooks} == run_by_make
