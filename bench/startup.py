"""How long the command takes to start, as a ratio to Python importing what it cannot do without."""

from __future__ import annotations

import os
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.process import run

ROOT = Path(__file__).resolve().parents[1]
SPEC = "specs/fifty-servers.yaml"
REFERENCE = "python -c 'import click, yaml, jsonschema'"
UNWANTED = ("boto3", "botocore", "rich.console", "moto")
_ASK = """
import sys
from provisioner.cli.app import cli
try:
    cli.main(sys.argv[2:], prog_name="provisioner", standalone_mode=False)
finally:
    sys.stdout.write("\\nIMPORTED " + " ".join(set(sys.argv[1].split(",")) & set(sys.modules)))
"""


@dataclass(frozen=True)
class Startup:
    """One command; `ratio` is to the reference's median, `imported` what it should not need."""

    command: str
    median_s: float
    least_s: float
    most_s: float
    ratio: float
    imported: tuple[str, ...]


def measure(runs: int) -> list[Startup]:
    """Runs the commands in turn, `runs` times each. Raises RuntimeError if one fails."""
    provisioner = str(Path(sys.executable).with_name("provisioner"))
    commands = {
        REFERENCE: (sys.executable, "-c", "import click, yaml, jsonschema"),
        "provisioner --help": (provisioner, "--help"),
        f"provisioner validate {SPEC}": (provisioner, "validate", SPEC),
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(runs + 1):
        for name, command in commands.items():
            ran = run(command, _environment(), ROOT)
            if ran.code != 0:
                raise RuntimeError(f"{name}: exit code {ran.code}: {ran.last_lines}")
            if number:  # the first round only warms up
                seconds[name].append(ran.seconds)
    base = statistics.median(seconds[REFERENCE])
    return [
        Startup(
            name,
            statistics.median(taken),
            min(taken),
            max(taken),
            statistics.median(taken) / base,
            _imported(name.split()[1:]) if name.startswith("provisioner") else (),
        )
        for name, taken in seconds.items()
    ]


def _imported(arguments: list[str]) -> tuple[str, ...]:
    ran = run((sys.executable, "-c", _ASK, ",".join(UNWANTED), *arguments), _environment(), ROOT)
    if "IMPORTED" not in ran.output:
        raise RuntimeError(f"cannot tell what {arguments} imports: {ran.last_lines}")
    return tuple(sorted(ran.output.rpartition("IMPORTED")[2].split()))


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
