"""Many environments at once: beside as many single runs, over accounts and regions, and beside Terraform.

Terraform has one state for each environment, and plans of several run side by side, as its users do it.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bench.compare import say
from bench.contenders import APPLY, JOBS, PLAN, Contender, Missing, environment, terraform
from bench.process import Ran, run
from bench.world import Bench

TOGETHER, ALONE, ACCOUNTS, TERRAFORM = "one run", "single runs", "accounts and regions", "Terraform"
REGIONS = ("us-east-1", "eu-west-1", "ap-south-1")
MEMBERS = 2
# How many runs of one environment are under way at a time: more do not get through two cores faster.
AT_ONCE = os.cpu_count() or 2


@dataclass(frozen=True)
class Planned:
    """Plans of many environments in `places` accounts and regions.

    CPU is of the program, not of the local AWS; memory the most of one process, times those at a time.
    """

    what: str
    environments: int
    places: int
    calls: int
    throttled: int
    seconds: float
    cpu_s: float
    peak_mb: float
    problem: str = ""


def measure(bench: Bench, number: int, accounts: int, of_terraform: int, runs: int) -> list[Planned]:
    """`number` environments of one region; `accounts` × 3 regions × 10; and `of_terraform` by both."""
    found: list[Planned] = []

    def add(planned: Planned) -> None:
        found.append(planned)
        told = planned.problem or f"{planned.seconds:.1f} s, {planned.calls} calls"
        say(f"many: {planned.what}, {planned.environments}: {told}")

    bench.empty()
    specs = _specs(bench.folder / "many", number)
    _must(_provisioner("apply", "--yes", str(specs), url=bench.url))
    add(_together(bench, TOGETHER, specs, number, 1, runs))
    few = sorted(specs.glob("*.yaml"))[:of_terraform]
    add(_side_by_side(bench, ALONE, [_provisioner("plan", str(path), url=bench.url) for path in few]))
    chosen = bench.folder / "few"
    chosen.mkdir()
    for path in few:
        shutil.copy(path, chosen)
    add(_together(bench, TOGETHER, chosen, len(few), 1, runs))
    bench.empty()
    targets = _targets(bench.folder / "targets", accounts)
    add(_together(bench, ACCOUNTS, targets, accounts * 30, accounts * 3, runs))
    try:
        add(_terraform(bench, of_terraform))
    except Missing as why:
        say(f"many: Terraform: not run, {why}")
    return found


def _specs(folder: Path, number: int) -> Path:
    folder.mkdir()
    text = (JOBS / "spec.yaml").read_text().replace("count: 50", f"count: {MEMBERS}")
    for index in range(number):
        spec = text.replace("environment: bench", f"environment: bench-{index:03}")
        (folder / f"{index:03}.yaml").write_text(spec)
    return folder


def _targets(folder: Path, accounts: int) -> Path:
    """Ten specs, each for all accounts and regions: nothing of them is there yet."""
    folder.mkdir()
    text = (JOBS / "spec.yaml").read_text().replace("count: 50", f"count: {MEMBERS}")
    text = "\n".join(line for line in text.splitlines() if not line.strip().startswith(("region", "availab")))
    rows = [
        f"  a{number:02}-{region}: {{region: {region}, role_arn: 'arn:aws:iam::{number:012}:role/deployer'}}"
        for number in range(100, 100 + accounts)
        for region in REGIONS
    ]
    for index in range(10):
        spec = text.replace("environment: bench", f"environment: bench-{index}")
        (folder / f"{index}.yaml").write_text("\n".join([spec, "targets:", *rows, ""]))
    return folder


def _provisioner(*words: str, url: str) -> tuple[str, ...]:
    command = str(Path(sys.executable).with_name("provisioner"))
    return (command, *words, "--endpoint-url", url)


def _environment(bench: Bench) -> dict[str, str]:
    # Roles are assumed there as well, and prices that were looked up before are there, as on any machine.
    return environment() | {"AWS_ENDPOINT_URL": bench.url, "XDG_CACHE_HOME": str(bench.folder / "cache")}


def _must(command: Sequence[str]) -> Ran:
    """Raises RuntimeError where a command fails."""
    ran = run(command, environment(), Path.cwd())
    if ran.code != 0:
        raise RuntimeError(f"{' '.join(command)}: exit code {ran.code}: {ran.last_lines}")
    return ran


def _together(bench: Bench, what: str, specs: Path, number: int, places: int, runs: int) -> Planned:
    """The median of several runs; the first, which looks up prices, does not count."""
    command = _provisioner("plan", str(specs), url=bench.url)
    done = []
    for _ in range(runs + 1):
        bench.start_counting()
        ran = run(command, _environment(bench), Path.cwd())
        done.append((ran, bench.counted()))
    good = [ran for ran, _ in done[1:] if ran.code == 0]
    problem = next((f"FAILED: {ran.code}, {ran.last_lines}" for ran, _ in done if ran.code != 0), "")
    return Planned(
        what,
        number,
        places,
        max(calls.total for _, calls in done[1:]),
        max(calls.throttled for _, calls in done),
        statistics.median([ran.seconds for ran in good] or [float("nan")]),
        statistics.median([ran.cpu_s for ran in good] or [float("nan")]),
        max((ran.peak_mb for ran in good), default=float("nan")),
        problem,
    )


def _side_by_side(
    bench: Bench, what: str, commands: Sequence[Sequence[str]], tools: Sequence[Contender] = ()
) -> Planned:
    """Commands of one environment each, as many at a time as there are cores."""
    bench.start_counting()
    began = time.perf_counter()
    folders = [(tool.env, tool.folder) for tool in tools] or [(_environment(bench), Path.cwd())] * len(
        commands
    )
    with ThreadPoolExecutor(AT_ONCE) as pool:
        done = list(pool.map(lambda one: run(one[0], *one[1]), zip(commands, folders, strict=True)))
    seconds = time.perf_counter() - began
    calls = bench.counted()
    problem = next((f"FAILED: {ran.code}, {ran.last_lines}" for ran in done if ran.code != 0), "")
    return Planned(
        what,
        len(commands),
        1,
        calls.total,
        calls.throttled,
        seconds,
        sum(ran.cpu_s for ran in done),
        max(ran.peak_mb for ran in done) * AT_ONCE,
        problem,
    )


def _terraform(bench: Bench, number: int) -> Planned:
    """Plans with nothing to do of environments that Terraform has made. Raises Missing."""
    tools: list[Contender] = []
    for index in range(number):
        folder = bench.folder / f"terraform-{index:02}"
        folder.mkdir()
        if tools:
            # What `terraform init` has downloaded, once for all.
            (folder / ".terraform").symlink_to(tools[0].folder / ".terraform")
            shutil.copy(tools[0].folder / ".terraform.lock.hcl", folder)
        tool = terraform(bench.url, MEMBERS, folder)
        text = (folder / "main.tf").read_text().replace('"bench-worker"', f'"bench-{index:02}-worker"')
        (folder / "main.tf").write_text(text)
        tools.append(tool)
    made = _side_by_side(bench, APPLY, [tool.steps[APPLY] for tool in tools], tools)
    if made.problem:
        raise Missing(made.problem)
    return _side_by_side(bench, TERRAFORM, [tool.steps[PLAN] for tool in tools], tools)
