"""Plans as one page of HTML that needs nothing else."""

from __future__ import annotations

from provisioner.model import Action, Plan
from provisioner.render.as_json import digest_of
from provisioner.render.as_text import SYMBOLS
from provisioner.render.cost_words import cost_sentences
from provisioner.render.graph import in_columns, in_rows
from provisioner.render.page import Label, Page, Tile, listed, page_html
from provisioner.render.proof_words import sentences
from provisioner.render.verdict import Counted, counted, deferred, destroyed, verdict, writing_calls
from provisioner.render.words import breakdown

_LABELS = {action.value: Label(SYMBOLS[action], action.value, f"to {action.value}") for action in Action}


def plan_html(plan: Plan, given: str = "SPEC", local: bool = False, user_data: bool = False) -> str:
    """A plan as a page; `given` is what the command that applies it is given.

    `user_data` shows what user data says.
    """
    return page_html(plan_page(plan, given, local, user_data))


def plan_page(plan: Plan, given: str = "SPEC", local: bool = False, user_data: bool = False) -> Page:
    """What is on the page of a plan."""
    digest = digest_of(plan)
    is_drawn = plan.changes or not plan.destroy
    is_applicable = plan.changes and not plan.is_refused
    command = f"provisioner {'destroy' if plan.destroy else 'apply'} {given} --expect {digest}"
    return Page(
        kind="Plan to destroy" if plan.destroy else "Plan",
        environment=plan.environment,
        account_id=plan.account_id,
        region=plan.region,
        verdict=verdict(plan),
        labels=_LABELS,
        local=local,
        digest=digest,
        tiles=_tiles(plan),
        aside=_aside(plan),
        cost=_cost(plan),
        refusals=plan.refusals,
        warnings=[note for note in plan.notes if note.is_warning],
        gone=breakdown(destroyed(plan)),
        drawings={"columns": in_columns(plan), "rows": in_rows(plan)} if is_drawn else {},
        items=listed(plan.changes, user_data),
        notes=[note for note in plan.notes if not note.is_warning],
        command=command if is_applicable else "",
    )


def _tiles(plan: Plan) -> list[Tile]:
    """A number for each action, also where it is none."""
    rows = {row.action: row for row in counted(plan)}
    if not rows:
        return []
    none = Counted(Action.CREATE, 0, "")
    return [Tile(action.value, *rows.get(action, none)[1:]) for action in Action]


def _aside(plan: Plan) -> str:
    later = deferred(plan)
    told = [f"{later:,} of them deferred: apply leaves them as they are."] if later else []
    told += [f"{writing_calls(plan.changes)}."] if plan.changes and not plan.refusals else []
    if plan.proof and plan.proof.verdicts:
        told.append(f"Proof: {' '.join(sentences(plan.proof))}")
    return " ".join(told)


def _cost(plan: Plan) -> str:
    has_cost = plan.cost is not None and plan.cost.changes and not plan.refusals
    return ": ".join(cost_sentences(plan.cost)) if plan.cost and has_cost else ""
