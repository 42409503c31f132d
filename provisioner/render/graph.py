"""What uses what, laid out from left to right: a drawing as data, in units of SVG."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from provisioner.model import Action, Address, Plan
from provisioner.render.layout import cells, shortened
from provisioner.visible import presentable

# How bad an action is: what happens to a thing to which several things happen.
_WORST_FIRST = (Action.DELETE, Action.REPLACE, Action.UPDATE, Action.CREATE)
# Things that stay and that nothing near them changes are left out of a drawing of more than that many.
_MANY = 60

_HEIGHT, _GAP, _BETWEEN, _MARGIN, _HEADING = 48, 12, 72, 2, 26
_CHARACTER, _PADDING, _NARROWEST, _MOST_CELLS = 7.9, 40, 140, 30
_ROW, _INDENT, _DEEPEST = 330, 24, 6

Uses = Mapping[Address, frozenset[Address]]


class Box(NamedTuple):
    """A thing: where it is, what it is called (`label` as far as there is room), and the actions on it."""

    address: Address
    x: float
    y: float
    width: float
    label: str
    actions: tuple[Action, ...]

    @property
    def tone(self) -> str:
        """The worst that happens to it; empty where nothing does."""
        return self.actions[0].value if self.actions else ""


class Edge(NamedTuple):
    """A line from what is used to what uses it."""

    path: str
    is_changed: bool


class Heading(NamedTuple):
    """What a column is of."""

    x: float
    text: str


class Drawing(NamedTuple):
    """All of it, and how many things were left out because nothing happens to or beside them."""

    width: float
    height: float
    headings: tuple[Heading, ...]
    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]
    left_out: int


def in_columns(plan: Plan) -> Drawing:
    """Everything that a plan is about, what is used left of what uses it; no two boxes overlap."""
    uses, actions, left_out = _content(plan)
    columns = _columns(uses)
    boxes: dict[Address, Box] = {}
    headings = []
    x: float = _MARGIN
    for column in columns:
        labels = [shortened(presentable(address.key), _MOST_CELLS) for address in column]
        title = _heading(column)
        width = max(_NARROWEST, _PADDING + _CHARACTER * max(map(cells, labels)), _CHARACTER * cells(title))
        headings.append(Heading(x, title))
        for row, (address, label) in enumerate(zip(column, labels, strict=True)):
            y = _MARGIN + _HEADING + row * (_HEIGHT + _GAP)
            boxes[address] = Box(address, x, y, width, label, actions.get(address, ()))
        x += width + _BETWEEN
    rows = max(map(len, columns), default=0)
    height = _MARGIN * 2 + _HEADING + rows * (_HEIGHT + _GAP) - _GAP
    return _drawing(x - _BETWEEN + _MARGIN, height, headings, boxes, uses, _curve, left_out)


def in_rows(plan: Plan) -> Drawing:
    """The same for a narrow screen: one below the other, what uses another below it and indented."""
    uses, actions, left_out = _content(plan)
    boxes: dict[Address, Box] = {}

    def place(address: Address, depth: int) -> None:
        x = _MARGIN + min(depth, _DEEPEST) * _INDENT
        y = _MARGIN + len(boxes) * (_HEIGHT + _GAP)
        width = _ROW - x - _MARGIN
        label = shortened(presentable(address.key), int((width - _PADDING) / _CHARACTER))
        boxes[address] = Box(address, x, y, width, label, actions.get(address, ()))
        for user in sorted(user for user, used in uses.items() if address in used):
            if user not in boxes:
                place(user, depth + 1)

    used_by_any = frozenset().union(*uses.values())
    for address in sorted(uses, key=lambda at: (bool(uses[at]), at not in used_by_any, at)):
        if address not in boxes:
            place(address, 0)
    height = _MARGIN * 2 + len(boxes) * (_HEIGHT + _GAP) - _GAP
    return _drawing(_ROW, height, (), boxes, uses, _elbow, left_out)


def _drawing(
    width: float,
    height: float,
    headings: Iterable[Heading],
    boxes: Mapping[Address, Box],
    uses: Uses,
    line: Callable[[Box, Box], str],
    left_out: int,
) -> Drawing:
    edges = tuple(
        Edge(line(boxes[used], boxes[user]), bool(boxes[used].actions or boxes[user].actions))
        for user in boxes
        for used in sorted(uses[user])
    )
    return Drawing(width, max(height, 0), tuple(headings), tuple(boxes.values()), edges, left_out)


def _content(plan: Plan) -> tuple[Uses, dict[Address, tuple[Action, ...]], int]:
    """What is drawn with what it uses, what happens to it, and how many things are left out."""
    uses, actions = _uses(plan), _actions(plan)
    shown = _shown(uses, actions)
    kept = {address: used & shown for address, used in uses.items() if address in shown}
    return kept, actions, len(uses) - len(shown)


def _uses(plan: Plan) -> Uses:
    """What each thing uses; a plan that was not made from a spec only knows what its changes wait for."""
    found = {change.address: change.needs for change in plan.changes} | dict(plan.uses)
    known = found.keys()
    return {address: used & known - {address} for address, used in found.items()}


def _actions(plan: Plan) -> dict[Address, tuple[Action, ...]]:
    found: dict[Address, set[Action]] = {}
    for change in plan.changes:
        if change.deferred is None:
            found.setdefault(change.address, set()).add(change.action)
    return {
        address: tuple(action for action in _WORST_FIRST if action in some) for address, some in found.items()
    }


def _shown(uses: Uses, changed: Iterable[Address]) -> frozenset[Address]:
    if len(uses) <= _MANY:
        return frozenset(uses)
    near = set(changed)
    users = {user for user, used in uses.items() if used & near}
    return frozenset(near | users | {used for address in near | users for used in uses[address]})


def _columns(uses: Uses) -> list[list[Address]]:
    """The things of a kind in one column, behind all that they use; near what they are joined with."""
    depth = dict.fromkeys(uses, 0)
    for _ in uses:
        deeper = {
            user: 1 + max((depth[address] for address in used), default=-1) for user, used in uses.items()
        }
        if deeper == depth:
            break
        depth = {address: min(number, len(uses)) for address, number in deeper.items()}
    of_kind: dict[str, int] = {}
    for address, number in depth.items():
        of_kind[address.kind] = max(of_kind.get(address.kind, 0), number)
    used_by_any = frozenset().union(*uses.values())
    columns = [
        sorted(
            (address for address in uses if of_kind[address.kind] == number),
            key=lambda at: (at not in used_by_any, at),
        )
        for number in sorted(set(of_kind.values()))
    ]
    for index, column in enumerate(columns[1:], 1):
        rows = {address: row for row, address in enumerate(columns[index - 1])}
        columns[index] = sorted(column, key=lambda address: _place(uses[address], rows))
    return columns


def _place(used: Iterable[Address], rows: Mapping[Address, int]) -> float:
    return fmean(found) if (found := [rows[address] for address in used if address in rows]) else len(rows)


def _heading(column: Sequence[Address]) -> str:
    return ", ".join(
        f"{kind.replace('_', ' ')}s" for kind in dict.fromkeys(address.kind for address in column)
    )


def _curve(used: Box, user: Box) -> str:
    """From the right side of the one to the left side of the other."""
    x1, y1 = used.x + used.width, used.y + _HEIGHT / 2
    x2, y2 = user.x, user.y + _HEIGHT / 2
    middle = (x1 + x2) / 2
    return f"M{x1:.0f} {y1:.0f}C{middle:.0f} {y1:.0f} {middle:.0f} {y2:.0f} {x2:.0f} {y2:.0f}"


def _elbow(used: Box, user: Box) -> str:
    """From below the one to the left side of the other."""
    return f"M{used.x + _INDENT / 2:.0f} {used.y + _HEIGHT:.0f}V{user.y + _HEIGHT / 2:.0f}H{user.x:.0f}"
