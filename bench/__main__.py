"""`make bench`: measures, prints tables, and keeps them as JSON, Markdown and a picture."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import advice, compare, first_byte, fleets, lines, many, plot, pure, report, scale, startup, waits
from bench.compare import say
from bench.contenders import NAMES, Contender, Missing, contender
from bench.goals import Goal, goals
from bench.world import Bench
from local_aws import Faults

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("provisioner", "local_aws")
PARTS = ("compare", "waits", "fleets", "advice", "startup", "scale", "pure", "many")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="5 members, one run, small sizes; keeps nothing")
    parser.add_argument("--runs", type=int, help="rounds of the comparison (3)")
    parser.add_argument("--members", type=int, help="members of the job (50)")
    parser.add_argument("--only", default=",".join(NAMES), help="contenders, separated by commas")
    parser.add_argument("--parts", default=",".join(PARTS), help="what to measure, separated by commas")
    parser.add_argument("--latency-ms", type=float, default=60.0, help="of every call (60)")
    parser.add_argument("--no-throttle", action="store_true", help="without AWS's request rates")
    parser.add_argument("--scale", help="sizes for provisioner, separated by commas (10,50,200,1000)")
    parser.add_argument("--scale-others", type=int, help="competitors too, up to this size (50)")
    parser.add_argument("--out", type=Path, help="where to keep the results (bench/results)")
    options = parser.parse_args()
    options.only, options.parts = options.only.split(","), options.parts.split(",")
    for given, known in ((options.only, NAMES), (options.parts, PARTS)):
        if unknown := sorted(set(given) - set(known)):
            parser.error(f"{', '.join(unknown)}: known are {', '.join(known)}")
    options.runs = options.runs or (1 if options.quick else 3)
    options.members = options.members or (5 if options.quick else 50)
    sizes = options.scale or ("5,10" if options.quick else "10,50,200,1000")
    if options.scale_others is None:
        options.scale_others = 5 if options.quick else 50
    options.scale = [int(size) for size in sizes.split(",")]
    options.out = options.out or (None if options.quick else RESULTS)
    return options


def main() -> int:
    """Measures what was asked for. 1 if a run failed; a goal that is missed is told and no failure."""
    options = arguments()
    contenders: list[Contender] = []
    missing: dict[str, str] = {}
    runs: list[compare.Run] = []
    scaled: list[compare.Run] = []
    quick = options.quick
    began = datetime.now(UTC)
    started = startup.measure(3 if quick else 10) if "startup" in options.parts else []
    sizes = [1000, 3000] if quick else [1000, 10_000, 100_000]
    computed = pure.measure(sizes, 1 if quick else 3) if "pure" in options.parts else []
    if {"compare", "scale"} & set(options.parts):
        with Bench(Faults(latency_ms=options.latency_ms, throttle=not options.no_throttle)) as bench:
            for name in options.only:
                try:
                    contenders.append(contender(name, bench.url, options.members, bench.folder))
                except Missing as why:
                    missing[name] = str(why)
                    say(f"{name}: not run, {why}")
            if "compare" in options.parts:
                runs = compare.compare(bench, contenders, options.members, options.runs)
            if "scale" in options.parts:
                others = [tool.name for tool in contenders if tool.name in ("terraform", "ansible")]
                scaled = scale.measure(bench, options.scale, others, options.scale_others)
    paired: list[first_byte.Paired] = []
    if "startup" in options.parts:
        # Without request rates, as the same is asked over and over.
        with Bench(Faults(latency_ms=options.latency_ms)) as bench:
            paired = first_byte.measure(bench, options.members, 3 if quick else 20)
    waited: list[waits.Waited] = []
    if "waits" in options.parts:
        with Bench(waits.slow(options.latency_ms, not options.no_throttle)) as bench:
            waited = waits.measure(
                bench,
                options.members,
                1 if quick else options.runs,
                [name for name in options.only if name != "floor"],
            )
    launches: list[fleets.Launch] = []
    if "fleets" in options.parts:
        with Bench(Faults(latency_ms=options.latency_ms, throttle=not options.no_throttle)) as bench:
            launches = fleets.measure(bench, (2, 5) if quick else (10, 500), 1 if quick else 5)
    advised: list[advice.Advised] = []
    if "advice" in options.parts:
        faults = Faults(latency_ms=options.latency_ms, throttle=not options.no_throttle)
        with Bench(faults) as bench:
            advised = [advice.measure(bench, faults, options.members, 2 if quick else 7 * options.runs)]
    compared, grown = compare.summaries(runs), compare.summaries(scaled)
    planned: list[many.Planned] = []
    if "many" in options.parts:
        with Bench(Faults(latency_ms=options.latency_ms, throttle=not options.no_throttle)) as bench:
            planned = many.measure(
                bench, *((5, 1, 2) if quick else (200, 20, 20)), 1 if quick else options.runs
            )
    judged = goals(
        compared, grown, started, paired, computed, waited, launches, advised, planned, options.members
    )
    settings = settings_of(options, began)
    text = as_text(
        settings,
        contenders,
        missing,
        compared,
        grown,
        started,
        paired,
        computed,
        waited,
        launches,
        advised,
        planned,
        judged,
    )
    failed = [run for run in (*runs, *scaled) if run.problem]
    failed_many = [one for one in planned if one.problem]
    text += "".join(f"\nFAILED: {compare.told(run)}\n" for run in failed)
    print(text)
    if options.out:
        data = {
            "settings": settings,
            "contenders": {tool.name: f"{tool.title}. {tool.asked}" for tool in contenders},
            "missing": missing,
            "goals": [asdict(goal) | {"verdict": goal.verdict} for goal in judged],
            "comparison": [summary.as_data() for summary in compared],
            "scale": [summary.as_data() for summary in grown],
            "waits": [asdict(one) for one in waited],
            "fleets": [asdict(one) for one in launches],
            "many": [asdict(one) for one in planned],
            "advice": [asdict(one) for one in advised],
            "startup": [asdict(start) for start in started],
            "startup_pairs": [asdict(one) for one in paired],
            "pure": [asdict(result) for result in computed],
            "runs": [asdict(run) for run in (*runs, *scaled)],
        }
        pictures = {
            "comparison.svg": plot.picture(compared, heading(settings)) if compared else "",
            "scale.svg": lines.picture(grown, computed, "members against calls and seconds") if grown else "",
        }
        keep(options.out, data, text, pictures)
    return 1 if failed or failed_many else 0


def settings_of(options: argparse.Namespace, began: datetime) -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "date": began.date().isoformat(),
        "minutes": round((datetime.now(UTC) - began).total_seconds() / 60, 1),
        "commit": _git("rev-parse", "--short", "HEAD")
        + ("+" if _git("status", "-s", "provisioner", "local_aws") else ""),
        "members": options.members,
        "rounds": options.runs,
        "latency_ms": options.latency_ms,
        "throttle": not options.no_throttle,
        "cores": os.cpu_count(),
        "loop_s": loop_s(),
        "python": platform.python_version(),
        "system": platform.platform(terse=True),
        "load": [round(value, 1) for value in os.getloadavg()],
    }


def loop_s() -> float:
    """CPU seconds of ten million additions of squares, by which figures of two machines can be compared."""
    began, total = time.process_time(), 0
    for number in range(10_000_000):
        total += number * number
    return round(time.process_time() - began, 2)


def heading(settings: dict[str, Any]) -> str:
    """The settings in a line."""
    return (
        f"{settings['members']} members in 3 subnets, role, 2 policies, profile; local AWS with "
        f"{settings['latency_ms']:g} ms a call{', throttling' if settings['throttle'] else ''}"
    )


def as_text(
    settings: dict[str, Any],
    contenders: list[Contender],
    missing: dict[str, str],
    compared: list[compare.Summary],
    grown: list[compare.Summary],
    started: list[startup.Startup],
    paired: list[first_byte.Paired],
    computed: list[pure.Pure],
    waited: list[waits.Waited],
    launches: list[fleets.Launch],
    advised: list[advice.Advised],
    planned: list[many.Planned],
    judged: list[Goal],
) -> str:
    """Everything, one section each."""
    sections = {
        heading(settings): report.comparison(compared) if compared else "",
        "Asked to do": report.asked(contenders, missing) if contenders or missing else "",
        "More members": report.scaling(grown) if grown else "",
        "Where AWS takes its time": report.waiting(waited) if waited else "",
        "Many fleets": report.launching(launches) if launches else "",
        "Many environments": report.of_many(planned) if planned else "",
        "Where what only advises is late": report.advising(advised) if advised else "",
        "Start": report.starting(started) if started else "",
        "Start, beside boto3 alone": report.beside_floor(paired) if paired else "",
        "Without AWS": report.computing(computed) if computed else "",
        "Goals": report.judged(judged),
    }
    told = ", ".join(f"{name} {value}" for name, value in settings.items())
    return f"{told}\n" + "".join(f"\n## {name}\n\n{text}\n" for name, text in sections.items() if text)


def keep(folder: Path, data: dict[str, Any], text: str, pictures: dict[str, str]) -> None:
    """Writes the files; a picture of nothing is left as it was."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(data, indent=1) + "\n")
    (folder / "results.md").write_text(f"# Measured by `make bench`\n\n{text}")
    for name, svg in pictures.items():
        if svg:
            (folder / name).write_text(svg)
    say(f"kept in {folder}")


def _git(*words: str) -> str:
    ran = subprocess.run(["git", *words], cwd=RESULTS.parent, capture_output=True, text=True)
    return ran.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
