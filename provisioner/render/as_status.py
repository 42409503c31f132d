"""What there is: one line a thing, and below it a table of its members. What members share is said once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from provisioner.render.layout import Line, Piece, cells, line, padded, shortened
from provisioner.render.styled import styled
from provisioner.visible import presentable

FORMAT_VERSION = 1
# A Name can have 256 characters, and one long one would push all else out of sight.
WIDEST_NAME = 60
TITLES = {
    "id": "instance",
    "name": "name",
    "state": "state",
    "type": "type",
    "market": "market",
    "zone": "zone",
    "private_ip": "private address",
    "public_ip": "public address",
    "instance_profile": "profile",
    "launched": "launched",
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
ALWAYS_IN_THE_TABLE = ("id", "state", "launched")
STATE_STYLES = {
    "running": "well",
    "pending": "unfinished",
    "stopping": "unfinished",
    "stopped": "unfinished",
}

Statuses = Mapping[str, Mapping[str, Any]]


def status_data(environment: str, region: str, account_id: str, statuses: Statuses) -> dict[str, Any]:
    """The status as one JSON object."""
    return {
        "format_version": FORMAT_VERSION,
        "environment": environment,
        "region": region,
        "account_id": account_id,
        "resources": {address: dict(status) for address, status in statuses.items()},
    }


def status_text(
    environment: str, region: str, account_id: str, statuses: Statuses, local: bool = False
) -> Text:
    """The status laid out for a terminal; print it with `soft_wrap=True`."""
    heading: Line = (
        Piece("Status of "),
        Piece(environment, "title"),
        Piece(f"  account {account_id}, {region}", "faint"),
        *((Piece("  LOCAL", "place"),) if local else ()),
    )
    lines: list[Line] = [heading, ()]
    width = max((cells(presentable(address)) for address in statuses), default=0)
    for address, status in statuses.items():
        members: Sequence[Mapping[str, Any]] = status.get("members", ())
        shared = _shared(members)
        lines.append(_line(address, status, shared, width))
        lines += _table(members, {key: title for key, title in TITLES.items() if key not in shared})
        lines += _table(status.get(VOLUMES, ()), VOLUME_TITLES)
    if not statuses:
        lines.append(line("Nothing."))
    return styled(lines)


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


def _line(address: str, status: Mapping[str, Any], shared: Mapping[str, Any], width: int) -> Line:
    pieces = [*padded(line(address, "title"), width), Piece("  ")]
    pieces.append(Piece(_single_spaced(str(status["state"]))))
    said = {key: value for key, value in status.items() if key not in ("state", "arn", *IN_TABLES)}
    for key, value in (said | {TITLES[key]: value for key, value in shared.items()}).items():
        if value:
            pieces += [Piece(f"  {key.replace('_', ' ')} ", "faint"), Piece(_shown(value))]
    return tuple(pieces)


def _shown(value: Any) -> str:
    if value is True:
        return "yes"
    if isinstance(value, list):
        value = ", ".join(str(item).split(":policy/")[-1] for item in value)
    return _single_spaced(str(value))


def _table(things: Sequence[Mapping[str, Any]], columns_of: Mapping[str, str]) -> list[Line]:
    if not things:
        return []
    titles = [Piece(title, "faint") for title in columns_of.values()]
    rows = [[_cell(str(thing.get(key) or "-"), key) for key in columns_of] for thing in things]
    columns = [max(cells(piece.text) for piece in column) for column in zip(titles, *rows, strict=True)]
    return [_row(row, columns) for row in (titles, *rows)]


def _cell(text: str, key: str) -> Piece:
    text = _single_spaced(text)
    if key == "name":
        text = shortened(presentable(text), WIDEST_NAME)
    return Piece(text, STATE_STYLES.get(text, "") if key == "state" else "")


def _row(row: Sequence[Piece], columns: Sequence[int]) -> Line:
    pieces: Line = ()
    for piece, width in zip(row, columns, strict=True):
        pieces = (*pieces, Piece("  "), *padded((piece,), width))
    return pieces
