"""What an account has of environments, for people and for programs. Each line goes through the gate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from provisioner.account.contents import called, end_of
from provisioner.account.environments import Found
from provisioner.account.reaping import Ended, Reaped
from provisioner.expiry.times import clock_words, distance_words, read_stamp, span_words, stamp
from provisioner.naming import ENVIRONMENT_TAG, FLEET_TAG, KEEP_TAG
from provisioner.render.layout import INDENT, cells, flow, line
from provisioner.visible import presentable

if TYPE_CHECKING:
    from provisioner.kinds.instances import Instance
    from provisioner.model import Environment

FORMAT_VERSION = 1
AS_WIDE_AS_NEEDED = 100_000
HOW_FREE = "under termination or stop protection: switch that off in its spec first"


def reap_lines(
    account_id: str, found: Sequence[Ended], unread: Sequence[str], now: datetime, local: bool
) -> Iterator[str]:
    """What would be terminated, what is left alone and why, and what could not be read."""
    yield _heading("What has expired", account_id, [region.region for region in found], local)
    yield ""
    for region in found:
        yield from (_going(region.region, instance, now) for instance in region.instances)
    for region in found:
        for why, instances in (
            (f"kept by the tag {KEEP_TAG}", region.kept),
            (HOW_FREE, region.protected),
            ("carries the tags, and was not launched by that fleet: foreign", region.foreign),
        ):
            yield from (f"left alone  {_whose(entry, region.region)}: {why}" for entry in instances)
    yield from (f"not read    {problem}" for problem in unread)
    number = sum(len(region.instances) for region in found)
    if number:
        yield f"! TERMINATES {number} instance{'' if number == 1 else 's'}."
    else:
        is_known = not unread and not any(_left(found))
        yield "Nothing has expired that is still there." if is_known else "Nothing to terminate."


def _left(found: Iterable[Ended]) -> Iterator[Instance]:
    for region in found:
        yield from (*region.kept, *region.protected, *region.foreign)


def _heading(what: str, account_id: str, regions: Sequence[str], local: bool) -> str:
    where = ", ".join(regions) if len(regions) <= 3 else f"{len(regions)} regions"
    return f"{what}  account {account_id}, {where}{'  LOCAL' if local else ''}"


def _whose(instance: Instance, region: str) -> str:
    at = f"{instance.tag(ENVIRONMENT_TAG)} fleet/{instance.tag(FLEET_TAG)}"
    return f"{region}  {at}  {called(instance)}"


def _going(region: str, instance: Instance, now: datetime) -> str:
    end = end_of(instance)
    told = f"expired {clock_words(end)}, {distance_words(end, now)}" if end else ""
    return f"- {_whose(instance, region)}  {instance.state}  {told}"


def reap_data(
    account_id: str, found: Sequence[Ended], results: Sequence[Reaped], unread: Sequence[str]
) -> dict[str, Any]:
    """The same as one JSON object, with what became of it."""
    return {
        "format_version": FORMAT_VERSION,
        "account_id": account_id,
        "expired": [_item(region.region, item) for region in found for item in region.instances],
        "left_alone": [
            {**_item(region.region, item), "why": why}
            for region in found
            for why, items in (
                ("kept", region.kept),
                ("protected", region.protected),
                ("foreign", region.foreign),
            )
            for item in items
        ],
        "terminated": [name for reaped in results for name in reaped.done],
        "failed": [{"id": name, "message": why} for reaped in results for name, why in reaped.failed],
        "unread": list(unread),
    }


def _item(region: str, instance: Instance) -> dict[str, Any]:
    end = end_of(instance)
    return {
        "environment": instance.tag(ENVIRONMENT_TAG),
        "fleet": instance.tag(FLEET_TAG),
        "region": region,
        "id": instance.id,
        "name": instance.tag("Name"),
        "state": instance.state,
        "expires": stamp(end) if end else None,
    }


class Listed(NamedTuple):
    """The environments of an account, what of it could not be read, and `costs` an hour by environment and
    region, where they are known."""

    account_id: str
    found: Sequence[Found]
    unread: Sequence[str]
    costs: Mapping[tuple[str, str], str]


def list_data(
    accounts: Sequence[Listed], not_asked: Sequence[Environment] = (), problems: Sequence[str] = ()
) -> dict[str, Any]:
    """All environments as JSON. `not_asked`: those of specs that are in other accounts."""
    return {
        "format_version": FORMAT_VERSION,
        "account_id": accounts[0].account_id if len(accounts) == 1 else None,
        "environments": [
            {
                "environment": entry.environment,
                "account_id": account.account_id,
                "region": entry.region or None,
                "members": len(entry.members) if entry.has_members else None,
                "states": entry.states,
                "fleets": entry.fleets,
                "launched": entry.launched,
                "expires": [stamp(end) for end in entry.ends],
                "without_end": entry.endless,
                "unreadable_end": entry.unreadable,
                "cost_an_hour": account.costs.get((entry.environment, entry.region)),
                "roles": entry.roles,
                "instance_profiles": entry.profiles,
                "volumes": [volume.summary() for volume in entry.volumes],
                "others": [{"kind": item.kind, "id": item.id, "name": item.name} for item in entry.things],
                "foreign": [
                    *(item.id for item in entry.foreign),
                    *(item.id for item in entry.foreign_things),
                ],
                **({} if entry.specs is None else {"specs": list(entry.specs)}),
            }
            for account in accounts
            for entry in account.found
        ],
        "not_asked": [
            {
                "environment": environment.name,
                "account_id": environment.account_id,
                "region": environment.region,
                "spec": environment.argument,
            }
            for environment in not_asked
        ],
        "unread": [*problems, *(problem for account in accounts for problem in account.unread)],
    }


def list_lines(
    heading: tuple[str, Sequence[str], bool],
    found: Sequence[Found],
    unread: Sequence[str],
    now: datetime,
    costs: Mapping[tuple[str, str], str],
    width: int = AS_WIDE_AS_NEEDED,
) -> Iterator[str]:
    """All environments as a table, or a paragraph each where it is wider than `width`; and below it what of
    them is not a member."""
    account_id, regions, local = heading
    yield _heading("Environments", account_id, regions, local)
    yield ""
    if not found:
        yield "None that could be read." if unread else "None."
    titles = ["environment", "region", "members", "age", "expires", "cost an hour", "besides", "spec"]
    rows = [_row(entry, now, costs.get((entry.environment, entry.region), "")) for entry in found]
    has_column = [any(row[at] for row in rows) or at < 3 for at in range(len(titles))]
    shown = [[cell for cell, has in zip(row, has_column, strict=True) if has] for row in (titles, *rows)]
    widths = [max(map(cells, column)) for column in zip(*shown, strict=True)]
    is_table = sum(widths) + 2 * len(widths) <= width
    if found and not is_table:
        for row in shown[1:]:
            items = [f"{title} {cell}" for title, cell in list(zip(shown[0], row, strict=True))[2:] if cell]
            yield from wrapped("  ".join([row[0], row[1], *items]), width)
    for row in shown if found and is_table else ():
        padded = (cell + " " * (width - cells(cell)) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(padded).rstrip()
    for entry in found:
        for instance in entry.foreign:
            yield f"foreign   {entry.region}  {called(instance)} only carries the tags of {entry.environment}"
        for thing in entry.foreign_things:
            yield f"foreign   {entry.region}  {thing} only carries the tag of {entry.environment}"
    yield from (f"not read  {problem}" for problem in unread)


def wrapped(text: str, width: int) -> list[str]:
    """A line on as many as it takes, broken where it has two blanks; all but the first are indented."""
    if cells(text) <= width:
        return [text]
    items = [item.strip() for item in text.split("  ") if item.strip()]
    lines = flow(
        [line(item) for item in items], width, indent=0 if width < 2 * INDENT else INDENT, hanging=True
    )
    return ["".join(piece.text for piece in one).rstrip() for one in lines]


def _row(entry: Found, now: datetime, cost: str) -> list[str]:
    states = ", ".join(f"{number} {state}" for state, number in entry.states.items())
    launched = read_stamp(entry.launched)
    spec = "" if entry.specs is None else ", ".join(map(presentable, entry.specs)) or "none of these"
    return [
        presentable(entry.environment),
        entry.region or "-",
        states or ("none" if entry.has_members else "not read"),
        span_words(now - launched) if launched else "",
        _ends(entry, now),
        cost,
        besides(entry),
        spec,
    ]


def _ends(entry: Found, now: datetime) -> str:
    others = [
        *([f"{entry.unreadable} unreadable"] if entry.unreadable else []),
        *([f"{entry.endless} never"] if entry.endless else []),
    ]
    if not entry.ends:
        return "; ".join(others) if len(others) > 1 else "".join(others).partition(" ")[2]
    first = entry.ends[0]
    told = f"{'expired ' if first <= now else ''}{clock_words(first)}, {distance_words(first, now)}"
    if len(entry.ends) > 1:
        told += f"; the last {clock_words(entry.ends[-1])}"
    return "; ".join([told, *others])


def besides(entry: Found) -> str:
    """What there is of an environment besides its members, by number."""
    kinds = [
        *(item.kind for item in entry.things),
        *(f"foreign {item.kind}" for item in entry.foreign_things),
    ]
    counted = [
        (entry.roles, "role"),
        (entry.profiles, "instance profile"),
        *((kinds.count(kind), kind) for kind in sorted(set(kinds))),
        (len(entry.volumes), "volume"),
        (len(entry.foreign), "foreign instance"),
    ]
    return ", ".join(
        f"{number} {what}{'' if number == 1 else 's'}" if number else f"{what}s not read"
        for number, what in counted
        if number != 0
    )


def left_lines(environment: str, found: Sequence[Found], unread: Sequence[str]) -> Iterator[str]:
    """What of an environment is left after its destruction that costs money, or that nothing is."""
    left = [
        *(f"instance {called(item)}, {item.state}" for entry in found for item in entry.members),
        *(
            f"instance {called(item)}, which only carries its tags"
            for entry in found
            for item in entry.foreign
        ),
        *(f"{item}, which only carries its tag" for entry in found for item in entry.foreign_things),
        *(f"volume {volume}" for entry in found for volume in entry.volumes),
        *(f"{thing}, which is free" for entry in found for thing in entry.things),
    ]
    if unread:
        yield f"Whether anything of {environment} is left is not known: {'; '.join(unread)}"
    elif not left:
        yield f"Nothing of {environment} is left that costs money."
    if left:
        yield f"Left of {environment}:"
        yield from (f"  {line}" for line in left)
