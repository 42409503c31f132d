"""What a plan comes to, in one line and in a table: for whoever reads nothing else of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from provisioner.model import Action, Change, NoteKind, Plan
from provisioner.render.words import breakdown, count


class Verdict(NamedTuple):
    """The one line, and how bad it is: `refused`, `destroys`, `changes` or `nothing`."""

    tone: str
    words: str


class Counted(NamedTuple):
    """How many things an action concerns, and of what."""

    action: Action
    number: int
    told: str


def destroys(change: Change) -> bool:
    """Whether carrying out a change leaves less than there was."""
    return change.action in (Action.DELETE, Action.REPLACE) and change.deferred is None


def destroyed(plan: Plan) -> list[Change]:
    """The changes after which something that was there is gone."""
    return [change for change in plan.changes if destroys(change)]


def destroying_words(plan: Plan) -> str:
    """What a plan does to what will be gone, in words: one that is refused only would."""
    return "would destroy" if plan.refusals else "destroys"


def ending(plan: Plan) -> str:
    """What will end itself once a plan is carried out, in words; empty: nothing."""
    number = len({id_ for note in plan.notes if note.kind is NoteKind.ENDING for id_ in note.instances})
    return f"{count(number, 'running instance')} within a minute" if number else ""


def verdict(plan: Plan) -> Verdict:
    """What a plan comes to."""
    gone = breakdown(destroyed(plan))
    ends = ending(plan)
    if plan.refusals:
        return Verdict("refused", "Refused: nothing of this plan will be carried out")
    if gone:
        rest = [change for change in counted(plan) if change.action in (Action.CREATE, Action.UPDATE)]
        also = f"; {_numbers(rest)}" if rest else ""
        return Verdict("destroys", f"Destroys {gone}{f'; ends {ends}' if ends else ''}{also}")
    if ends:
        return Verdict("destroys", f"Ends {ends}; {_numbers(counted(plan))}")
    if plan.changes:
        return Verdict("changes", f"Destroys nothing; {_numbers(counted(plan))}")
    if plan.destroy:
        return Verdict("nothing", "Nothing to destroy")
    return Verdict("nothing", f"No changes: {as_it_is(plan)}")


def as_it_is(plan: Plan) -> str:
    """What an environment is of which a plan changes nothing."""
    expired = any(note.kind is NoteKind.EXPIRED for note in plan.notes)
    return f"{plan.environment} is as the spec says{', but for what has expired' if expired else ''}"


def counted(plan: Plan) -> list[Counted]:
    """A row for each action that concerns anything."""
    return [
        Counted(action, number, breakdown(change for change in plan.changes if change.action is action))
        for action, number in plan.summary.items()
        if number
    ]


def deferred(plan: Plan) -> int:
    """How many things a plan names and leaves undone."""
    return sum(change.size for change in plan.changes if change.deferred is not None)


def writing_calls(changes: Iterable[Change]) -> str:
    """`9 API calls that write`, of what is not deferred."""
    number = sum(call.count for change in changes if change.deferred is None for call in change.calls)
    return f"{count(number, 'API call')} that {'writes' if number == 1 else 'write'}"


def _numbers(rows: Iterable[Counted]) -> str:
    return ", ".join(f"{row.number:,} to {row.action}" for row in rows)
