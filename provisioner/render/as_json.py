"""Plans and outcomes as data, ready for `json.dumps`. `schemas/plan.schema.json` describes the plan's."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Set
from datetime import date
from enum import Enum
from typing import Any

from provisioner.model import Address, Change, FieldChange, Note, Outcome, Plan, Refusal, Result

FORMAT_VERSION = 1


def plan_data(plan: Plan) -> dict[str, Any]:
    """A plan as one JSON object, its changes in the order in which they will be carried out.

    `digest` is the same as long as everything else in the object is.
    """
    subject: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "environment": plan.environment,
        "region": plan.region,
        "account_id": plan.account_id,
        "destroy": plan.destroy,
    }
    content: dict[str, Any] = {
        "summary": {action.value: count for action, count in plan.summary.items()},
        "changes": [_change(change) for change in plan.changes],
        "refusals": [
            {"address": str(each.address), "message": each.message, "hint": each.hint} | _also(each)
            for each in plan.refusals
        ],
        "notes": [
            {"address": str(each.address), "message": each.message, "warning": each.is_warning}
            | ({"commands": list(each.commands)} if each.commands else {})
            | _also(each)
            for each in plan.notes
        ],
    }
    return subject | {"digest": _digest(subject | content)} | content


def outcomes_data(environment: str, outcomes: Iterable[Outcome]) -> dict[str, Any]:
    """What became of a plan as one JSON object: a list of changes for each way in which one can end."""
    data: dict[str, Any] = {"format_version": FORMAT_VERSION, "environment": environment}
    lists: dict[Result, list[dict[str, Any]]] = {result: [] for result in Result}
    for outcome in outcomes:
        lists[outcome.result].append(_outcome(outcome))
    return data | {result.value: lists[result] for result in Result}


def jsonable(value: Any) -> Any:
    """A value of a spec or of AWS as JSON has it: sets become sorted lists, dates and addresses text.

    Raises TypeError for what has no JSON form, rather than inventing one.
    """
    match value:
        case Enum():
            return jsonable(value.value)
        case None | bool() | int() | float() | str():
            return value
        case Address():
            return str(value)
        case date():
            return value.isoformat()
        case Mapping():
            return {str(key): jsonable(each) for key, each in value.items()}
        case Set():
            return sorted((jsonable(each) for each in value), key=_canonical_text)
        case list() | tuple():
            return [jsonable(each) for each in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: jsonable(getattr(value, each.name)) for each in dataclasses.fields(value)}
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _also(told: Refusal | Note) -> dict[str, Any]:
    return {"also": [str(each) for each in told.also]} if told.also else {}


def _change(change: Change) -> dict[str, Any]:
    return {
        "address": str(change.address),
        "action": change.action.value,
        "reason": change.reason,
        "size": change.size,
        "deferred": change.deferred,
        "fields": [_field(each) for each in change.fields],
        "instances": list(change.instances),
        "names": dict(change.names),
        "rollout": jsonable(change.rollout),
        "calls": [dataclasses.asdict(call) for call in change.calls],
    }


def _field(field: FieldChange) -> dict[str, Any]:
    return {"path": field.path, "before": jsonable(field.before), "after": jsonable(field.after)}


def _outcome(outcome: Outcome) -> dict[str, Any]:
    data: dict[str, Any] = {
        "address": str(outcome.change.address),
        "action": outcome.change.action.value,
        "reason": outcome.change.reason,
        "size": outcome.change.size,
        "instances": list(outcome.change.instances),
        "seconds": round(outcome.seconds, 3),
    }
    if outcome.notes:
        data["notes"] = list(outcome.notes)
    match outcome.result:
        case Result.FAILED:
            data["failure"] = dataclasses.asdict(outcome.failure) if outcome.failure else None
        case Result.STOPPED | Result.SKIPPED:
            data["because"] = outcome.because
        case Result.DEFERRED:
            data["because"] = outcome.because or outcome.change.deferred
    return data


def _digest(data: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical_text(data).encode()).hexdigest()


def _canonical_text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
