"""What there is: one line a thing, and below it a table of its members. What members share is said once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

FORMAT_VERSION = 1
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
ALWAYS_IN_THE_TABLE = ("id", "state", "launched")
STATE_STYLES = {"running": "green", "pending": "yellow", "stopping": "yellow", "stopped": "yellow"}

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
    heading = Text.assemble("Status of ", (environment, "bold"), (f"  account {account_id}, {region}", "dim"))
    if local:
        heading.append("  LOCAL", "bold cyan")
    lines = [heading, Text()]
    width = max((len(address) for address in statuses), default=0)
    for address, status in statuses.items():
        members: Sequence[Mapping[str, Any]] = status.get("members", ())
        shared = _shared(members)
        lines.append(_line(address, status, shared, width))
        lines += _table(members, [key for key in TITLES if key not in shared])
    if not statuses:
        lines.append(Text("Nothing."))
    return Text("\n").join(lines)


def _shared(members: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What all members have alike, and so need not be said for each."""
    if not members:
        return {}
    return {
        key: members[0].get(key)
        for key in TITLES
        if key not in ALWAYS_IN_THE_TABLE and len({member.get(key) for member in members}) == 1
    }


def _line(address: str, status: Mapping[str, Any], shared: Mapping[str, Any], width: int) -> Text:
    line = Text.assemble((address.ljust(width), "bold"), "  ", str(status["state"]))
    said = {key: value for key, value in status.items() if key not in ("state", "members", "arn")}
    for key, value in (said | {TITLES[key]: value for key, value in shared.items()}).items():
        if value:
            line.append(f"  {key.replace('_', ' ')} ", "dim").append(_shown(value))
    return line


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(each).split(":policy/")[-1] for each in value)
    return str(value)


def _table(members: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> list[Text]:
    if not members:
        return []
    rows = [[str(member.get(key) or "-") for key in keys] for member in members]
    titles = [TITLES[key] for key in keys]
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    lines = [Text("  " + "  ".join(map(str.ljust, titles, widths)).rstrip(), "dim")]
    for row in rows:
        line = Text("  " + "  ".join(map(str.ljust, row, widths)).rstrip())
        for state, style in STATE_STYLES.items():
            line.highlight_words([state], style)
        lines.append(line)
    return lines
