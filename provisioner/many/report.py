"""The report of a run over many environments, as JSON data. `schemas/report.schema.json` describes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from provisioner.canonical import digest
from provisioner.many.outcome import Outcome, Trouble, Verdict, exit_code_of, in_order
from provisioner.many.shards import Shards
from provisioner.render.as_json import DIGEST_LENGTH
from provisioner.render.cost_words import number

FORMAT_VERSION = 1
# What commands print of one environment as JSON, by their names.
PARTS = ("plan", "drift", "status", "permissions", "result")


def report_data(command: str, outcomes: Iterable[Outcome], shards: Shards | None = None) -> dict[str, Any]:
    """A report as one JSON object, its environments in the order in which they are shown. `shards`: which
    part of all environments it is of; None: of all."""
    return report_of(command, [_environment(outcome) for outcome in in_order(outcomes)], shards)


def report_of(
    command: str,
    environments: Sequence[Mapping[str, Any]],
    shards: Shards | None = None,
    exit_codes: Iterable[int] = (),
) -> dict[str, Any]:
    """The report of environments that are such data already, as those of several reports are. `exit_codes`
    are of what is wrong besides."""
    counted = Counter(environment["verdict"] for environment in environments)
    codes = [*exit_codes, *(environment["exit_code"] for environment in environments)]
    return {
        "format_version": FORMAT_VERSION,
        "command": command,
        "exit_code": exit_code_of(codes),
        "shards": asdict(shards) | {"numbers": list(shards.numbers)} if shards else None,
        "digest": digest_of(environments),
        "summary": {"environments": len(environments)}
        | {verdict.value: counted[verdict.value] for verdict in Verdict},
        "cost": _total(environments),
        "environments": list(environments),
    }


def digest_of(environments: Iterable[Mapping[str, Any]]) -> str | None:
    """One digest of the plans of many environments, in whatever order; None where nothing was planned.

    It is of each plan's own digest and of whose plan that is. What could not be planned is in it too, so that
    it is the digest of all that was given, and of nothing less.
    """
    plans = [(_subject(environment), environment.get("plan")) for environment in environments]
    if not any(plan for _, plan in plans):
        return None
    told = sorted([*subject, plan["digest"] if plan else ""] for subject, plan in plans)
    return digest(told)[:DIGEST_LENGTH]


def _subject(environment: Mapping[str, Any]) -> list[str]:
    """Whose plan it is. Of what has none, the spec is all that is known for sure."""
    if environment.get("plan"):
        return [environment["environment"], environment["region"], environment["account_id"]]
    return [environment["source"], environment["target"] or "", ""]


def _environment(outcome: Outcome) -> dict[str, Any]:
    return {
        "source": outcome.source,
        "target": outcome.target,
        "environment": outcome.environment,
        "region": outcome.region,
        "account_id": outcome.account_id,
        "verdict": outcome.verdict.value,
        "exit_code": outcome.exit_code,
        "words": outcome.words,
        "destroys": outcome.destroys,
        "problem": _problem(outcome.trouble),
        **{part: outcome.data.get(part) for part in PARTS},
    }


def _problem(trouble: Trouble | None) -> dict[str, Any] | None:
    if trouble is None:
        return None
    return {
        "message": trouble.message,
        "hint": trouble.hint,
        "code": trouble.code,
        "lines": list(trouble.lines),
    }


def _total(environments: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
    """What all cost by the hour that are priced, and of how many environments not all is known."""
    costs = [cost for environment in environments if (cost := cost_in(environment))]
    if not costs:
        return None
    hourly = {
        side: number(sum((Decimal(str(cost["hourly"][side])) for cost in costs), Decimal(0)))
        for side in ("before", "after")
    }
    return {
        "currency": costs[0]["currency"],
        "made_up": any(cost["made_up"] for cost in costs),
        "hourly": hourly,
        "not_all_known": sum(bool(cost["unknown"]["before"] or cost["unknown"]["after"]) for cost in costs),
    }


def cost_in(environment: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The cost of the plan of one environment of a report, if it has one."""
    plan = environment.get("plan")
    cost: Mapping[str, Any] | None = plan.get("cost") if plan else None
    return cost
