"""A rollout in lines: how many waves, in what order, who is in which, and how many stay healthy."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from provisioner.model import Rollout
from provisioner.render.fields import INDENT
from provisioner.render.layout import Line, Piece, flow, line, padded, words
from provisioner.render.words import labelled

_HOW = {
    "launch_first": "launch, wait until healthy, then terminate",
    "terminate_first": "terminate, then launch, wait until healthy",
    "restart": "stop, change, start, wait until healthy",
    "parked": "change while stopped",
}
_MOST_WAVES = 12
_FIRST_WAVES = 4
_MOST_IDS = 5


def wave_lines(
    rollout: Rollout, style: str, width: int, names: Mapping[str, str] = MappingProxyType({})
) -> list[Line]:
    """A rollout, its ids in a style; `names` are what people call the instances, by id."""
    number = len(rollout.waves)
    sizes = {len(wave) for wave in rollout.waves}
    waves = "1 wave" if number == 1 else f"{number} waves"
    of = f"of {sizes.pop()}" if len(sizes) == 1 else f"of up to {max(sizes, default=0)}"
    told = _HOW[rollout.order]
    if rollout.order != "parked":
        told += f"; never fewer than {rollout.healthy} of {rollout.count} healthy"
    lines = flow(
        words(told), width, (Piece(" " * INDENT), Piece(f"{waves} {of}:"), Piece(" ")), INDENT + 2, " "
    )
    places = len(str(number))
    for index, wave in enumerate(rollout.waves, 1):
        if number > _MOST_WAVES and _FIRST_WAVES < index < number:
            if index == _FIRST_WAVES + 1:
                lines.append(
                    (Piece(" " * (INDENT + 2)), Piece(f"and so on for {number - _FIRST_WAVES - 1} waves"))
                )
            continue
        lines += _wave(index, wave, style, places, width, names)
    return lines


def _wave(
    index: int, wave: tuple[str, ...], style: str, places: int, width: int, names: Mapping[str, str]
) -> list[Line]:
    few = wave if len(wave) <= _MOST_IDS + 1 else wave[:_MOST_IDS]
    items = [line(each, style) for each in labelled(few, names)]
    if len(few) < len(wave):
        items.append(line(f"and {len(wave) - len(few):,} more", "faint"))
    indent = INDENT + 2 + places + 2
    start = padded((Piece(" " * (INDENT + 2)), Piece(f"{index:>{places}}", "faint")), indent)
    return flow(items, width, start, indent)
