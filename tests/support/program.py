"""The program, run in two ways: as a process of its own, and in this one, for the many small cases."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from provisioner.cli import app as cli

ROOT = Path(__file__).resolve().parents[2]
# The program as it is, but for how long it hopes for a network or for less traffic.
IMPATIENT = """
import dataclasses, sys
from provisioner import kinds
rules = tuple(
    dataclasses.replace(rule, seconds=0.2) if rule.name in {"network", "throttled"} else rule
    for rule in kinds.CALL_RULES.retry
)
kinds.CALL_RULES = dataclasses.replace(kinds.CALL_RULES, retry=rules)
from provisioner.cli.app import main
main()
"""
SPECS = ROOT / "specs"
TIMEOUT_S = 60.0

Spec = Mapping[str, Any] | Path


@dataclass(frozen=True)
class Ran:
    """What a run left behind."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err

    @property
    def words(self) -> str:
        """All that was said on one line, wherever the lines were broken."""
        return " ".join(self.said.split())

    @cached_property
    def data(self) -> dict[str, Any]:
        """What was printed for programs."""
        read: dict[str, Any] = json.loads(self.out)
        return read

    @property
    def changes(self) -> list[dict[str, Any]]:
        """The changes of a plan."""
        found: list[dict[str, Any]] = self.data["changes"]
        return found

    @property
    def told(self) -> set[tuple[str, str, str]]:
        """A plan in short: address, action and field; a change without fields once, with an empty one.

        Without what nobody asked for, and what a role or a profile that goes had.
        """

        def paths(change: dict[str, Any]) -> list[str]:
            kind = change["address"].partition("/")[0]
            is_gone = change["action"] == "delete" and kind in ("role", "instance_profile")
            return [field["path"] for field in change["fields"] if not is_gone and not field.get("default")]

        return {
            (change["address"], change["action"], path)
            for change in self.changes
            for path in paths(change) or [""]
        }

    @property
    def calls(self) -> Counter[str]:
        """How often a plan says that each operation will be called."""
        return sum(
            (
                Counter({call["operation"]: call["count"]})
                for change in self.changes
                for call in change["calls"]
            ),
            Counter[str](),
        )

    def became(self, result: str) -> list[str]:
        """The addresses of the changes that an apply left `done`, `failed`, `skipped` or `left`."""
        return [change["address"] for change in self.data[result]]


class Program:
    """The command line, called in this process. Everything is printed as JSON."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written = 0

    def write(self, spec: Spec) -> Path:
        """A spec as a file."""
        if isinstance(spec, Path):
            return spec
        self._written += 1
        path = self._folder / f"spec-{self._written}.yaml"
        # JSON is YAML.
        path.write_text(json.dumps(spec, indent=2))
        return path

    def plan(self, spec: Spec, *options: str) -> Ran:
        ran = self.run("plan", self.write(spec), "--format", "json", *options)
        assert ran.out, ran.err
        return ran

    def plan_file(self, spec: Spec, *options: str) -> Path:
        """A file with the plan of a spec, as somebody approves it."""
        path = self._folder / f"approved-{self._written}.json"
        ran = self.run("plan", self.write(spec), "--out", path, *options)
        assert path.exists(), ran.said
        return path

    def plan_or_error(self, spec: Spec, *options: str) -> Ran:
        """A plan that may not even be begun."""
        return self.run("plan", self.write(spec), *options)

    def apply(self, spec: Spec, *options: str) -> Ran:
        return self.run("apply", "--yes", "--format", "json", self.write(spec), *options)

    def destroy(self, spec: Spec) -> Ran:
        return self.run("destroy", "--yes", "--format", "json", self.write(spec))

    def status(self, spec: Spec) -> dict[str, Any]:
        """What `status` says of each address."""
        found: dict[str, Any] = self.run("status", "--format", "json", self.write(spec)).data["resources"]
        return found

    def run(self, *args: str | Path) -> Ran:
        """Any command."""
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setattr(sys, "argv", ["provisioner", *map(str, args)])
            with pytest.raises(SystemExit) as ended:
                cli.main()
        assert isinstance(ended.value.code, int)
        return Ran(ended.value.code, out.getvalue(), err.getvalue())


# What the processes of these tests keep, and is not to be made anew by each of them.
CACHE = TemporaryDirectory(prefix="provisioner-cache-")


def clean_environment(home: Path, **more: str) -> dict[str, str]:
    """The variables of a machine on which nobody ever had anything to do with AWS."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LANG", "TMPDIR") if name in os.environ}
    return {
        **kept,
        "HOME": str(home),
        "XDG_CACHE_HOME": CACHE.name,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_COLOR": "1",
        "COLUMNS": "100",
        # The local AWS is meant to outlive whoever started it.
        "PYTHONWARNINGS": "default,ignore::ResourceWarning",
        **more,
    }


def command(args: Sequence[str]) -> list[str]:
    """The program as a process."""
    return [sys.executable, "-m", "provisioner", *args]


def run_process(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    cwd: Path = ROOT,
    stdin: str | None = None,
    timeout: float = TIMEOUT_S,
) -> Ran:
    """Runs a process to its end. Whatever goes wrong, nobody may get to see a traceback."""
    done = subprocess.run(
        list(arguments),
        env=dict(environment),
        cwd=cwd,
        input=stdin or "",
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert "Warning" not in done.stderr, done.stderr
    return Ran(done.returncode, done.stdout, done.stderr)
