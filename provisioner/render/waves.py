"""A rollout in lines: how many waves, in what order, who is in which, and how many stay healthy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from provisioner.model import Rollout
from provisioner.render.layout import INDENT, Line, Piece, columns, flow, line, padded, words
from provisioner.render.words import called, labelled

_HOW = {
    "launch_first": "launch, wait until healthy, then terminate",
    "terminate_first": "terminate, then launch, wait until healthy",
    "restart": "stop, change, start, wait until healthy",
    "parked": "change while stopped",
}
# What is not destroyed is told by its number, and with `--ids` by id.
FEW = 4
MAX_PATTERNS = 6


def wave_lines(
    rollout: Rollout,
    style: str,
    width: int,
    names: Mapping[str, str] = MappingProxyType({}),
    ids: bool = True,
) -> list[Line]:
    """A rollout, its ids in a style; `names` are what people call the instances, by id.

    Without `ids` the instances of more than a few waves are told as `member_lines` does.
    """
    first, *rest = words(wave_words(rollout))
    lines = flow(rest, width, (Piece(" " * INDENT), *first, Piece(" ")), INDENT + 2, " ")
    every = [instance_id for wave in rollout.waves for instance_id in wave]
    if not ids and len(every) > FEW:
        return lines + member_lines(every, names, width)
    if max(map(len, rollout.waves), default=0) <= 1:
        # Each is a wave, so that their order is all there is to tell.
        return lines + id_lines(every, names, style, width, INDENT + 2)
    places = len(str(len(rollout.waves)))
    for index, wave in enumerate(rollout.waves, 1):
        indent = INDENT + 2 + places + 2
        start = padded((Piece(" " * (INDENT + 2)), Piece(f"{index:>{places}}", "faint")), indent)
        lines += id_lines(wave, names, style, width, indent, start)
    return lines


def wave_words(rollout: Rollout) -> str:
    """How many waves there are, what is done in each, and how many members stay healthy."""
    number = len(rollout.waves)
    sizes = {len(wave) for wave in rollout.waves}
    waves = "1 wave" if number == 1 else f"{number} waves"
    of = f"of {sizes.pop()}" if len(sizes) == 1 else f"of up to {max(sizes, default=0)}"
    told = f"{waves} {of}: {_HOW[rollout.order]}"
    if rollout.order != "parked":
        told += f"; never fewer than {rollout.healthy} of {rollout.count} healthy"
    return told if rollout.pause_on_failure else f"{told}; goes on where members do not get healthy"


def id_lines(
    ids: Sequence[str],
    names: Mapping[str, str],
    style: str,
    width: int,
    indent: int = INDENT,
    first: Line = (),
) -> list[Line]:
    """All ids of instances in columns, with what people call them."""
    return (
        columns([line(label, style) for label in labelled(ids, names)], width, first, indent) if ids else []
    )


def member_lines(ids: Sequence[str], names: Mapping[str, str], width: int) -> list[Line]:
    """Instances by their number and what they are called: `50 instances: web-[1-50]  (--ids lists them)`."""
    if len(ids) <= FEW:
        return id_lines(ids, names, "faint", width)
    named = [names[instance_id] for instance_id in ids if instance_id in names]
    told = called(named)
    if len(told) > MAX_PATTERNS:
        told = [*told[: MAX_PATTERNS - 1], f"and {len(told) - MAX_PATTERNS + 1:,} other names"]
    if named and len(named) < len(ids):
        told.append(f"{len(ids) - len(named):,} without a Name")
    start = f"{len(ids):,} instances" + (": " if told else " ")
    more = [line("(--ids lists them)", "faint")]
    return flow(
        [*(line(text, "faint") for text in told), *more],
        width,
        (Piece(" " * INDENT), Piece(start, "faint")),
        INDENT + 2,
    )
