"""What there is: a line or more for each thing, and below it its members. What members share is said once.

Members are a table where it fits, and else a paragraph each: nothing is cut off at any width.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from rich.text import Text

from provisioner.costs.status_cost import StatusCost
from provisioner.expiry.times import duration_text
from provisioner.render.cost_words import MADE_UP, daily, hourly, line_data, money, number
from provisioner.render.layout import INDENT, Line, Piece, cells, flow, line, padded, words
from provisioner.render.styled import stacked, styled
from provisioner.visible import presentable

FORMAT_VERSION = 1
# What is less is not told in digits.
LEAST = Decimal("0.01")
# Wider than any table.
AS_WIDE_AS_NEEDED = 100_000
TITLES = {
    "id": "instance",
    "name": "name",
    "state": "state",
    "type": "type",
    "market": "market",
    "zone": "zone",
    "private_ip": "private IP",
    "public_ip": "public IP",
    "instance_profile": "profile",
    "age": "age",
    "price": "price",
    "expires": "expires",
}
# What former members have left behind.
VOLUMES = "volumes_on_no_member"
VOLUME_TITLES = {
    "id": "volume on no member",
    "size_gb": "GiB",
    "type": "type",
    "zone": "zone",
    "state": "state",
    "instance": "attached to",
}
IN_TABLES = ("members", VOLUMES)
ALWAYS_IN_THE_TABLE = ("id", "state", "age")
STATE_STYLES = {
    "running": "well",
    "pending": "unfinished",
    "stopping": "unfinished",
    "stopped": "unfinished",
}

Statuses = Mapping[str, Mapping[str, Any]]


def status_data(
    environment: str, region: str, account_id: str, statuses: Statuses, cost: StatusCost | None = None
) -> dict[str, Any]:
    """The status as one JSON object."""
    resources = {address: dict(status) for address, status in statuses.items()}
    data: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "environment": environment,
        "region": region,
        "account_id": account_id,
        "resources": resources,
        "cost": None,
    }
    if cost is None:
        return data
    for status in resources.values():
        if "members" in status:
            status["members"] = [member | {"hourly": _hourly(member, cost)} for member in status["members"]]
    data["cost"] = {
        "currency": cost.currency,
        "made_up": cost.made_up,
        "hourly": number(cost.cost.hourly),
        "since_launch": {"at_least": cost.is_least, "amount": number(cost.since_launch)},
        "unknown": list(cost.cost.unknown),
        "reason": cost.reason,
        "lines": [{"what": line.what, **line_data(line)} for line in cost.cost.lines],
    }
    return data


def _hourly(member: Mapping[str, Any], cost: StatusCost) -> float | None:
    amount = cost.members.get(member["id"])
    return None if amount is None else number(amount)


def status_text(
    environment: str,
    region: str,
    account_id: str,
    statuses: Statuses,
    local: bool = False,
    width: int = AS_WIDE_AS_NEEDED,
    cost: StatusCost | None = None,
    now: datetime | None = None,
) -> Text:
    """The status in its colours; print it with `soft_wrap=True`."""
    return styled(status_lines(environment, region, account_id, statuses, local, width, cost, now))


def status_lines(
    environment: str,
    region: str,
    account_id: str,
    statuses: Statuses,
    local: bool = False,
    width: int = AS_WIDE_AS_NEEDED,
    cost: StatusCost | None = None,
    now: datetime | None = None,
) -> list[Line]:
    """The status laid out for `width` columns."""
    heading: list[Line] = [
        (Piece("Status of "), Piece(environment, "title")),
        line(f"account {account_id}, {region}", "faint"),
        *([line("LOCAL", "place")] if local else []),
    ]
    lines: list[Line] = [*flow(heading, width, indent=0), *_cost_lines(cost, width), ()]
    column = max((cells(presentable(address)) for address in statuses), default=0)
    for address, status in statuses.items():
        members = [_told(member, cost, now) for member in status.get("members", ())]
        shared = _shared(members)
        lines += _lines(address, status, shared, column, width)
        left = {key: title for key, title in TITLES.items() if key not in shared}
        lines += _members(members, left, width)
        lines += _members(status.get(VOLUMES, ()), VOLUME_TITLES, width)
    if not statuses:
        lines.append(line("Nothing."))
    return lines


def watched(shown: Text, now: datetime, height: int | None, width: int) -> Text:
    """A status as it is shown again and again: when that was, and what fits on a screen of `height` rows.

    None: there is no screen. The row after the last one is for the cursor.
    """
    rows = shown.split("\n")
    last = _last_lines(0, now, width)
    room = len(rows)
    if height is not None and room + len(last) >= height:
        # As many as are left where the largest number is told.
        room = max(height - 1 - len(_last_lines(len(rows), now, width)), 1)
        last = _last_lines(len(rows) - room, now, width)
    return stacked([*rows[:room], *styled(last).split("\n")])


def _last_lines(left: int, now: datetime, width: int) -> list[Line]:
    """When that was, and how many lines are left out."""
    looked = f"Looked at {now.astimezone(UTC):%H:%M:%S} UTC; Ctrl-C ends."
    more = f"{left} more line{'' if left == 1 else 's'}, for a taller window. " if left else ""
    return flow(words(more + looked, "faint"), width, gap=" ")


def _cost_lines(cost: StatusCost | None, width: int) -> list[Line]:
    """What all of it costs by the hour, and has cost."""
    if cost is None or not cost.cost.lines:
        return []
    told = f"{hourly(cost.cost, cost.currency)}"
    if cost.cost.hourly:
        told += daily(cost.cost.hourly, cost.cost.is_known, cost.currency)
        some = f"{'at least' if cost.is_least else 'about'} {money(cost.since_launch)}"
        some = some if cost.since_launch >= LEAST else f"under {LEAST}"
        # Where there is more than is known, little says nothing.
        if cost.since_launch >= LEAST or not cost.is_least:
            told += f"; {some} {cost.currency} since launch, of what is there"
    told += f"; {MADE_UP}" if cost.made_up else ""
    told += f"; not all is known ({cost.reason})" if cost.cost.unknown and cost.reason else ""
    return flow(words(told), width, (Piece("Costs "),), INDENT, gap=" ")


def _told(member: Mapping[str, Any], cost: StatusCost | None, now: datetime | None) -> dict[str, Any]:
    """A member as it is shown: how old it is, what it costs, and on which market."""
    launched = member.get("launched")
    amount = cost.members.get(member["id"]) if cost else None
    price = "unknown" if cost and member["id"] in cost.members else None
    return {
        **member,
        "market": (member.get("market") or "on demand").replace("_", " "),
        "age": _age(launched, now) if launched and now else launched,
        "price": price if cost is None or amount is None else f"{money(amount)} {cost.currency}/h",
    }


def _age(launched: str, now: datetime) -> str:
    began = datetime.fromisoformat(launched)
    # A column of fifty ages is as wide as its widest.
    return duration_text(abs(now - (began if began.tzinfo else began.replace(tzinfo=UTC)))) or "<1m"


def _shared(members: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What all members have alike, and so need not be said for each."""
    if not members:
        return {}
    return {
        key: members[0].get(key)
        for key in TITLES
        if key not in ALWAYS_IN_THE_TABLE and len({member.get(key) for member in members}) == 1
    }


def _single_spaced(text: str) -> str:
    """A text in which no run of spaces ends a column, or a line of the terminal, before its end."""
    return re.sub(" {2,}", " ", text)


def _lines(
    address: str, status: Mapping[str, Any], shared: Mapping[str, Any], column: int, width: int
) -> list[Line]:
    """A thing: its address, its state, and all else that is said of it."""
    said = {key: value for key, value in status.items() if key not in ("state", "arn", *IN_TABLES)}
    titled = {TITLES[key]: value for key, value in shared.items() if not said.get(key)}
    items = [line(_single_spaced(str(status["state"])))]
    items += [_item(key.replace("_", " "), _shown(value)) for key, value in (said | titled).items() if value]
    start = padded(line(address, "title"), column)
    return flow(items, width, (*start, Piece("  ")), INDENT)


def _item(title: str, value: str) -> Line:
    return (Piece(f"{title} ", "faint"), Piece(value))


def _shown(value: Any) -> str:
    if value is True:
        return "yes"
    if isinstance(value, list):
        value = ", ".join(str(item).split(":policy/")[-1] for item in value)
    return _single_spaced(str(value))


def _members(things: Sequence[Mapping[str, Any]], columns_of: Mapping[str, str], width: int) -> list[Line]:
    """A table of things, or a paragraph for each where it is wider than that."""
    if not things:
        return []
    titles = [Piece(title, "faint") for title in columns_of.values()]
    rows = [[_cell(thing.get(key), key) for key in columns_of] for thing in things]
    columns = [max(cells(piece.text) for piece in column) for column in zip(titles, *rows, strict=True)]
    if sum(columns) + 2 * len(columns) <= width:
        return [_row(row, columns) for row in (titles, *rows)]
    return [part for row in rows for part in _paragraph(row, titles, width)]


def _paragraph(row: Sequence[Piece], titles: Iterable[Piece], width: int) -> list[Line]:
    """A thing on as many lines as it takes: its id, and each of its columns with its title."""
    items: list[Line] = [
        (Piece(f"{title.text} ", "faint"), piece)
        for title, piece in list(zip(titles, row, strict=True))[1:]
        if piece.text != "-"
    ]
    return flow([(row[0],), *items], width, (Piece("  "),), INDENT)


def _cell(value: Any, key: str) -> Piece:
    text = _single_spaced(str(value or "-"))
    return Piece(text, STATE_STYLES.get(text, "") if key == "state" else "")


def _row(row: Sequence[Piece], columns: Sequence[int]) -> Line:
    pieces: Line = ()
    for piece, width in zip(row, columns, strict=True):
        pieces = (*pieces, Piece("  "), *padded((piece,), width))
    return pieces
