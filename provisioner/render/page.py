"""Pages of HTML that need nothing else: no network, no other file, and no script to be read.

Each value goes through `presentable` and is escaped, whoever writes a template: Jinja's `finalize` and
`autoescape` see to it. The page's own policy allows its one style and its one script by their hashes, and
nothing else, so that a value could do no harm even as a script: https://www.w3.org/TR/CSP3/#meta-element.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from provisioner.model import Address, Change, Note, Refusal, Rollout
from provisioner.render.fields import Field, fields_of, has_wide_rights
from provisioner.render.graph import Drawing
from provisioner.render.verdict import Verdict, destroys
from provisioner.render.waves import wave_words
from provisioner.render.words import count
from provisioner.visible import presentable

_CODE = re.compile("`([^`]+)`")
_TEMPLATES = Path(__file__).with_name("templates")


class Label(NamedTuple):
    """What an action is called: a sign, which may be empty, a word, and what is counted of it."""

    sign: str
    word: str
    counted: str


class Tile(NamedTuple):
    """How many things an action concerns, and which."""

    action: str
    number: int
    told: str


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
    fields: tuple[Field, ...]
    name: str
    members: tuple[Member, ...]
    rollout: str
    waves: tuple[Wave, ...]
    calls: str

    @property
    def destroys(self) -> bool:
        return destroys(self.change)

    @property
    def is_wide(self) -> bool:
        return has_wide_rights(self.fields)


@dataclass(frozen=True)
class Page:
    """Everything on a page, from top to bottom. `labels` are by the name of an action, `items` listed.

    `drawings` are by their layout: `columns` and `rows`.
    """

    kind: str
    environment: str
    account_id: str
    region: str
    verdict: Verdict
    labels: Mapping[str, Label]
    local: bool = False
    digest: str = ""
    tiles: Sequence[Tile] = ()
    aside: str = ""
    cost: str = ""
    refusals: Sequence[Refusal] = ()
    warnings: Sequence[Note] = ()
    gone: str = ""
    drawings: Mapping[str, Drawing] = field(default_factory=dict)
    heading: str = "Changes"
    items: Sequence[Item] = ()
    notes: Sequence[Note] = ()
    remarks: Sequence[str] = ()
    command: str = ""

    @property
    def anchors(self) -> dict[Address, str]:
        """Where on the page the first is that is listed of each thing."""
        return {item.change.address: item.anchor for item in reversed(self.items)}

    @property
    def has_wide(self) -> bool:
        return any(item.is_wide for item in self.items)


class ReportRow(NamedTuple):
    """A line of the table of a report; `tone` is how bad it is, `anchor` where more of it is, or empty."""

    cells: tuple[str, ...]
    tone: str
    anchor: str


class Section(NamedTuple):
    """One environment of a report: what is on its page, or what went wrong with it, in lines."""

    anchor: str
    name: str
    page: Page | None = None
    problem: str = ""
    hint: str = ""
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReportPage:
    """A report of many environments, from top to bottom. `missing`: what is not in it, and what to do."""

    title: str
    verdict: Verdict
    headings: tuple[str, ...]
    rows: Sequence[ReportRow]
    sections: Sequence[Section]
    local: bool = False
    cost: str = ""
    digest: str = ""
    missing: tuple[str, str] | None = None


def page_html(page: Page) -> str:
    """The page as HTML."""
    return _environment().get_template("page.html.j2").render(page=page, **_sources())


def report_page_html(report: ReportPage) -> str:
    """The report as one page of HTML."""
    template = _environment().get_template("section.html.j2")
    sections = [Markup(template.render(section=section, page=_apart(section))) for section in report.sections]
    page = _environment().get_template("report.html.j2")
    return page.render(report=report, sections=sections, **_sources())


def _apart(section: Section) -> Page | None:
    """A page whose places are told from those of other sections."""
    if section.page is None:
        return None
    items = [item._replace(anchor=f"{section.anchor}-{item.anchor}") for item in section.page.items]
    return replace(section.page, items=items)


def _sources() -> dict[str, Any]:
    return {"style": _source("page.css"), "script": _source("page.js"), "policy": _policy()}


def listed(changes: Sequence[Change], user_data: bool = False, is_drift: bool = False) -> list[Item]:
    """Changes, ready to be shown, as `fields_of` tells them."""
    return [
        _item(number, change, fields_of(change, user_data, is_drift))
        for number, change in enumerate(changes, 1)
    ]


def _item(number: int, change: Change, fields: tuple[Field, ...]) -> Item:
    names = {change.names.get(instance_id, "") for instance_id in change.instances}
    common = names.pop() if len(names) == 1 and len(change.instances) > 1 else ""
    calls = [f"{call.operation}{f' x{call.count:,}' if call.count > 1 else ''}" for call in change.calls]
    return Item(
        f"change-{number}",
        change,
        fields,
        common,
        _members(change, change.instances, common),
        wave_words(change.rollout) if change.rollout else "",
        _waves(change, change.rollout, common) if change.rollout else (),
        ", ".join(calls),
    )


def _members(change: Change, ids: Sequence[str], common: str) -> tuple[Member, ...]:
    return tuple(
        Member(instance_id, "" if common else change.names.get(instance_id, "")) for instance_id in ids
    )


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
    pieces = enumerate(_CODE.split(presentable(text)))
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if at % 2 else piece for at, piece in pieces
    )


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
