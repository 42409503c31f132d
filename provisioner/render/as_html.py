"""Plans as one page of HTML that needs nothing else: no network, no other file, and no script to be read.

Each value goes through `presentable` and is escaped, whoever writes a template: Jinja's `finalize` and
`autoescape` see to it. The page's own policy allows its one style and its one script by their hashes, and
nothing else, so that a value could do no harm even as a script: https://www.w3.org/TR/CSP3/#meta-element.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from provisioner.model import Action, Change, Plan, Rollout
from provisioner.render.as_json import plan_data
from provisioner.render.as_text import SYMBOLS
from provisioner.render.fields import Field, fields_of, has_wide_rights
from provisioner.render.graph import in_columns, in_rows
from provisioner.render.verdict import counted, deferred, destroyed, destroys, verdict, writing_calls
from provisioner.render.waves import wave_words
from provisioner.render.words import breakdown, count
from provisioner.visible import presentable

_TEMPLATES = Path(__file__).with_name("templates")


class Member(NamedTuple):
    """An instance, and what people call it where that tells it from others."""

    id: str
    name: str


class Wave(NamedTuple):
    """A wave of a rollout; `start` and `size` are members, of those that all waves take."""

    number: int
    start: int
    size: int
    members: tuple[Member, ...]


class Item(NamedTuple):
    """A change, ready to be shown; `anchor` is where on the page."""

    anchor: str
    change: Change
    symbol: str
    fields: tuple[Field, ...]
    name: str
    members: tuple[Member, ...]
    rollout: str
    waves: tuple[Wave, ...]
    calls: str
    destroys: bool


def plan_html(plan: Plan, given: str = "SPEC", local: bool = False) -> str:
    """A plan as a page; `given` is what the command that applies it is given."""
    items = [_item(number, change) for number, change in enumerate(plan.changes, 1)]
    command = "destroy" if plan.destroy else "apply"
    digest = plan_data(plan)["digest"]
    anchors: dict[Any, str] = {}
    for item in items:
        anchors.setdefault(item.change.address, item.anchor)
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            plan=plan,
            local=local,
            verdict=verdict(plan),
            tiles=_tiles(plan),
            deferred=deferred(plan),
            calls=writing_calls(plan.changes),
            items=items,
            gone=[item for item in items if item.destroys],
            gone_told=breakdown(destroyed(plan)),
            warnings=[note for note in plan.notes if note.is_warning],
            notes=[note for note in plan.notes if not note.is_warning],
            drawings={"columns": in_columns(plan), "rows": in_rows(plan)},
            anchors=anchors,
            symbols=SYMBOLS,
            has_wide=any(has_wide_rights(item.fields) for item in items),
            digest=digest,
            command=f"provisioner {command} {given} --expect {digest}",
            style=_source("page.css"),
            script=_source("page.js"),
            policy=_policy(),
        )
    )


def _tiles(plan: Plan) -> list[dict[str, Any]]:
    """A number for each action, also where it is none."""
    rows = {row.action: row for row in counted(plan)}
    return [
        {
            "action": action.value,
            "symbol": SYMBOLS[action],
            "number": f"{rows[action].number:,}" if action in rows else "0",
            "told": rows[action].told if action in rows else "",
        }
        for action in Action
    ]


def _item(number: int, change: Change) -> Item:
    names = {change.names.get(each, "") for each in change.instances}
    common = names.pop() if len(names) == 1 and len(change.instances) > 1 else ""
    calls = [f"{call.operation}{f' x{call.count:,}' if call.count > 1 else ''}" for call in change.calls]
    return Item(
        f"change-{number}",
        change,
        SYMBOLS[change.action],
        fields_of(change),
        common,
        _members(change, change.instances, common),
        wave_words(change.rollout) if change.rollout else "",
        _waves(change, change.rollout, common) if change.rollout else (),
        ", ".join(calls),
        destroys(change),
    )


def _members(change: Change, ids: Sequence[str], common: str) -> tuple[Member, ...]:
    return tuple(Member(each, "" if common else change.names.get(each, "")) for each in ids)


def _waves(change: Change, rollout: Rollout, common: str) -> tuple[Wave, ...]:
    waves = []
    start = 0
    for number, ids in enumerate(rollout.waves, 1):
        waves.append(Wave(number, start, len(ids), _members(change, ids, common)))
        start += len(ids)
    return tuple(waves)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["count"] = count
    environment.filters["said"] = _said
    return environment


def _shown(value: Any) -> Any:
    """What a template puts out for a value: a text that may be shown; of ours, what is markup already."""
    return value if isinstance(value, Markup) else presentable(str(value))


def _said(text: str) -> Markup:
    """A sentence of ours, in which what is between backticks is code."""
    pieces = enumerate(presentable(text).split("`"))
    return Markup("").join(Markup("<code>{}</code>").format(each) if at % 2 else each for at, each in pieces)


@cache
def _source(name: str) -> Markup:
    """The page's style or script. Ours, with no value in it."""
    return Markup((_TEMPLATES / name).read_text("ascii"))


@cache
def _policy() -> str:
    style, script = (_hash(_source(name)) for name in ("page.css", "page.js"))
    return (
        f"default-src 'none'; style-src '{style}'; script-src '{script}'; base-uri 'none'; form-action 'none'"
    )


def _hash(source: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
