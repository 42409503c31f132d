"""Plans and outcomes as data, ready for `json.dumps`. `schemas/plan.schema.json` describes the plan's."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from string import hexdigits
from typing import Any

from provisioner.canonical import digest, jsonable, parameters_digest
from provisioner.model import (
    Change,
    FieldChange,
    Note,
    Outcome,
    Plan,
    Refusal,
    Result,
    UserData,
    foretold_calls,
)
from provisioner.render.cost_words import cost_data
from provisioner.render.fields import wide_rights
from provisioner.render.proof_words import proof_data
from provisioner.secrecy import (
    lists_credentials,
    looks_secret,
    without_credentials,
    without_credentials_at,
    without_listed_credentials,
)

FORMAT_VERSION = 1
# Hexadecimal digits of a digest: 160 bits, so that to find two plans with the same takes 2^80 attempts.
DIGEST_LENGTH = 40
# What a plan is about, and what of a change says what would be done.
SUBJECT = ("format_version", "environment", "region", "account_id", "destroy")
DONE = ("address", "action", "size", "whole", "unique_id", "fields", "instances", "names", "rollout", "calls")


def plan_data(plan: Plan, user_data: bool = False) -> dict[str, Any]:
    """A plan as one JSON object, its changes in the order in which they will be carried out.

    What has the form of a credential is `***` in it. `digest` is that of what would be done: `plan_digest`.
    `user_data` adds what user data says, which is no part of that: its own digest is.
    """
    subject = _subject(plan)
    content: dict[str, Any] = {
        "summary": {action.value: count for action, count in plan.summary.items()},
        **_to_be_done(plan, user_data),
        "notes": [
            {"address": str(note.address), "message": note.message, "warning": note.is_warning}
            | ({"commands": list(note.commands)} if note.commands else {})
            | _also(note)
            for note in plan.notes
        ],
        "cost": cost_data(plan.cost),
        "proof": proof_data(plan.proof),
        "desired": {str(address): jsonable(desired) for address, desired in plan.desired.items()},
    }
    data = _without_credentials(subject | content)
    told = {"digest": plan_digest(data)}
    return {key: data[key] for key in subject} | told | {key: data[key] for key in content}


def digest_of(plan: Plan) -> str:
    """The `digest` of a plan alone, which takes a fraction of the time of all its data."""
    return plan_digest(_without_credentials(_subject(plan) | _to_be_done(plan, is_told=False)))


def _subject(plan: Plan) -> dict[str, Any]:
    return {
        "format_version": FORMAT_VERSION,
        "environment": plan.environment,
        "region": plan.region,
        "account_id": plan.account_id,
        "destroy": plan.destroy,
    }


def _to_be_done(plan: Plan, user_data: bool = False, is_told: bool = True) -> dict[str, Any]:
    """What would be done; with what is told of it besides, if it is."""
    salt = f"{plan.account_id}/{plan.region}/{plan.environment}"
    return {
        "changes": [_change(change, salt, user_data, is_told) for change in plan.changes],
        "refusals": [
            {"address": str(refusal.address), "message": refusal.message, "hint": refusal.hint}
            | _also(refusal)
            for refusal in plan.refusals
        ],
    }


def plan_digest(data: Mapping[str, Any]) -> str:
    """The digest of what the plan in `data` would do: subject, changes and refusals.

    Not of notes, nor of the sentences that say why, which may change while what is done stays the same.
    """
    changes = [_done(change) for change in data["changes"]]
    refusals = [
        {key: value for key, value in refusal.items() if key != "hint"} for refusal in data["refusals"]
    ]
    subject = {key: data[key] for key in SUBJECT}
    return digest(subject | {"changes": changes, "refusals": refusals})[:DIGEST_LENGTH]


def is_digest(text: str) -> bool:
    """Whether some text is one, in whatever case."""
    return len(text) == DIGEST_LENGTH and all(character in hexdigits for character in text)


def is_same_done(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two changes, as JSON data, would do the same."""
    return _done(one) == _done(other)


def outcomes_data(environment: str, outcomes: Iterable[Outcome]) -> dict[str, Any]:
    """What became of a plan as one JSON object: a list of changes for each way in which one can end."""
    data: dict[str, Any] = {"format_version": FORMAT_VERSION, "environment": environment}
    lists: dict[Result, list[dict[str, Any]]] = {result: [] for result in Result}
    for outcome in outcomes:
        lists[outcome.result].append(_outcome(outcome))
    return data | {result.value: lists[result] for result in Result}


def _also(told: Refusal | Note) -> dict[str, Any]:
    return {"also": [str(address) for address in told.also]} if told.also else {}


def _without_credentials(data: dict[str, Any]) -> dict[str, Any]:
    """JSON data as it may be shown: line by line, as it is printed."""
    # Most have nothing to hide, and to write JSON on one line takes a tenth of the time of many lines. What
    # has the form of a credential has no comma with space after it.
    text = json.dumps(data, ensure_ascii=False)
    if lists_credentials(text):
        data = without_listed_credentials(data)
    if not any(map(looks_secret, text.split(", "))):
        return data
    text = json.dumps(data, indent=2, ensure_ascii=False)
    shown = "\n".join(map(without_credentials, text.split("\n")))
    redacted: dict[str, Any] = data if shown == text else json.loads(shown)
    return redacted


def _done(change: Mapping[str, Any]) -> dict[str, Any]:
    """What of a change says what would be done."""
    fields = [
        {key: _told_alone(field[key]) for key in ("path", "before", "after")} for field in change["fields"]
    ]
    done = {key: change[key] for key in DONE}
    return done | {"fields": fields, "deferred": change["deferred"] is not None}


def _told_alone(value: Any) -> Any:
    """A value of a field without what user data says, which its digest stands for."""
    is_user_data = isinstance(value, Mapping) and value.keys() == {"name", "bytes", "sha256", "content"}
    return {key: value[key] for key in value if key != "content"} if is_user_data else value


def _change(change: Change, salt: str, user_data: bool, is_told: bool) -> dict[str, Any]:
    return {
        "address": str(change.address),
        "action": change.action.value,
        "reason": change.reason,
        "size": change.size,
        "whole": change.whole,
        "unique_id": change.unique_id or None,
        "deferred": change.deferred,
        "fields": [_field(field, user_data, is_told) for field in change.fields],
        "instances": list(change.instances),
        "names": dict(change.names),
        "rollout": jsonable(change.rollout),
        "calls": list(_calls(change, salt)),
    }


def _calls(change: Change, salt: str) -> Iterator[dict[str, Any]]:
    known = foretold_calls(change.steps)
    for count in change.calls:
        calls = [call for call in known if (call.service, call.operation) == (count.service, count.operation)]
        parameters = parameters_digest(calls, salt) if calls else None
        yield {**dataclasses.asdict(count), "parameters": parameters}


def _field(field: FieldChange, user_data: bool, is_told: bool) -> dict[str, Any]:
    sides = {"before": field.before, "after": field.after}
    data: dict[str, Any] = {"path": field.path} | {
        side: without_credentials_at(field.path, jsonable(value)) for side, value in sides.items()
    }
    for side, value in sides.items():
        if user_data and isinstance(value, UserData):
            data[side]["content"] = value.content
    if field.is_default:
        data["default"] = True
    if is_told and (wide := wide_rights(field)):
        data["wide_rights"] = wide
    return data


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
