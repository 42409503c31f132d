"""The proof of a plan in words, and as data: what would be refused first, then what is not known."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from provisioner.proof.verdicts import Answer, Proof, Verdict
from provisioner.render.layout import Line, Piece, flow, words
from provisioner.render.words import count

_STYLES = {Answer.NO: "alarm", Answer.UNPROVEN: "warning", Answer.YES: "good"}
_ORDER = (Answer.NO, Answer.UNPROVEN, Answer.YES)
_INDENT = 2
MAX_SENTENCES = 20


def proof_data(proof: Proof | None) -> dict[str, Any] | None:
    """A proof as JSON data."""
    if proof is None:
        return None
    return {
        "principal": proof.principal,
        "summary": {answer.value: number for answer, number in proof.summary.items()},
        "dry_runs": proof.dry_runs,
        "simulations": proof.simulations,
        "reads": proof.reads,
        "verdicts": [
            dataclasses.asdict(verdict)
            | {
                "address": str(verdict.address),
                "answer": verdict.answer.value,
                "way": verdict.way.value,
            }
            for verdict in proof.verdicts
        ],
    }


def summary_words(proof: Proof) -> str:
    """`12 yes, 1 no, 2 unproven; asked as ARN by 9 dry runs and 5 simulations.`"""
    told = ", ".join(f"{number} {answer.value}" for answer, number in proof.summary.items() if number)
    asked = f"{count(proof.dry_runs, 'dry run')} and {count(proof.simulations, 'simulation')}"
    return f"{told}; asked as {proof.principal} by {asked}."


def proof_lines(proof: Proof, width: int) -> list[Line]:
    """A proof for people: what would be refused first."""
    lines = flow(words(summary_words(proof)), width, (Piece("Proof:", "title"), Piece(" ")), _INDENT, gap=" ")
    for alike in alike_verdicts(proof):
        answer = alike[0].answer
        start: Line = (
            Piece(" " * _INDENT),
            Piece(answer.value.ljust(len(Answer.UNPROVEN) + 2), _STYLES[answer]),
        )
        lines += flow(words(verdict_words(alike)), width, start, _INDENT + len(Answer.UNPROVEN) + 2, gap=" ")
    return lines


def sentences(proof: Proof) -> list[str]:
    """The summary, then what would be refused and what is not known, a sentence each; of many the first."""
    open_ = [alike for alike in alike_verdicts(proof) if alike[0].answer is not Answer.YES]
    told = [f"{alike[0].answer.value}: {verdict_words(alike)}" for alike in open_[:MAX_SENTENCES]]
    more = [f"and {len(open_) - MAX_SENTENCES} more"] if len(open_) > MAX_SENTENCES else []
    return [summary_words(proof), *told, *more]


def alike_verdicts(proof: Proof) -> Iterator[list[Verdict]]:
    """Verdicts of which the same is said, together: refusals, then what is not proven, then the rest."""
    groups: dict[tuple[object, ...], list[Verdict]] = {}
    for verdict in sorted(proof.verdicts, key=lambda each: _ORDER.index(each.answer)):
        key = (verdict.answer, verdict.address, verdict.service, verdict.action, verdict.layer, verdict.why)
        groups.setdefault((*key, verdict.resource), []).append(verdict)
    yield from groups.values()


def verdict_words(alike: Sequence[Verdict]) -> str:
    """What is said of operations of one change."""
    first = alike[0]
    operations = ", ".join(map(_operation, alike))
    told = f"{first.address}: {first.service} {operations}"
    what = f"{first.action} on {first.resource or 'it'}" if first.action else ""
    match first.answer:
        case Answer.NO if what:
            by = f", refused by {first.layer}" if first.layer else ""
            told += f": {what} is not allowed{by}"
        case Answer.NO:
            told += f": refused by {first.layer or 'AWS'}"
        case Answer.UNPROVEN if what:
            told += f": {what}"
    return f"{told}: {first.why}" if first.why else told


def _operation(verdict: Verdict) -> str:
    if verdict.tried in (0, verdict.count):
        return verdict.operation
    return f"{verdict.operation} ({verdict.tried} of {verdict.count} tried)"
