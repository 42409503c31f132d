"""A report as one page of HTML that needs nothing else: the table, and a section for each environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from provisioner.many.outcome import Outcome, Verdict, in_order
from provisioner.many.table import HEADINGS, LABELS, counts, rows, total_cost
from provisioner.render.as_html import plan_page
from provisioner.render.drift_documents import drift_page
from provisioner.render.page import Page, ReportPage, ReportRow, Section, report_page_html
from provisioner.render.verdict import Verdict as Line


def report_html(
    report: Mapping[str, Any],
    outcomes: Sequence[Outcome],
    local: bool = False,
    missing: tuple[str, str] | None = None,
) -> str:
    """A report as a page. Of environments without an outcome, such as those of a merged report, the table is
    all that is told. `missing`: what is not in it, and what to do."""
    sections = {outcome.place: section for section, outcome in _sections(outcomes, local)}
    return report_page_html(
        ReportPage(
            title=f"{report['command'].capitalize()} of many environments",
            verdict=Line("refused" if missing else _tone(report), counts(report)),
            headings=HEADINGS,
            rows=list(_rows(report, sections)),
            sections=list(sections.values()),
            local=local,
            cost=total_cost(report),
            digest=("" if missing else report["digest"]) or "",
            missing=missing,
        )
    )


def _tone(report: Mapping[str, Any]) -> str:
    summary = report["summary"]
    if any(summary[verdict] for verdict in LABELS):
        return "refused"
    if any(environment["destroys"] for environment in report["environments"]):
        return "destroys"
    return "changes" if summary["changes"] or summary["changed"] else "nothing"


def _rows(report: Mapping[str, Any], sections: Mapping[str, Section]) -> Iterator[ReportRow]:
    for row, environment in zip(rows(report), report["environments"], strict=True):
        words = f"{row.label}: {row.words}" if row.label else row.words
        anchor = sections[row.place].anchor if row.place in sections else ""
        tone = (
            "bad" if row.verdict in LABELS else "destroys" if environment["destroys"] else row.verdict.value
        )
        yield ReportRow((row.name, row.account, row.region, row.cost, words), tone, anchor)


def _sections(outcomes: Sequence[Outcome], local: bool) -> Iterator[tuple[Section, Outcome]]:
    """Those that have more to say than their row."""
    for number, outcome in enumerate(in_order(outcomes), 1):
        page, trouble = _page(outcome, local), outcome.trouble
        is_told = page is not None and (page.items or page.refusals or page.warnings or page.notes)
        if not (is_told or trouble):
            continue
        yield (
            Section(
                anchor=f"environment-{number}",
                name=outcome.name,
                page=page,
                problem=trouble.message if trouble else "",
                hint=(trouble.hint or "") if trouble else "",
                lines=trouble.lines if trouble else (),
            ),
            outcome,
        )


def _page(outcome: Outcome, local: bool) -> Page | None:
    if outcome.plan is not None:
        return plan_page(outcome.plan, local=local)
    if outcome.verdict is not Verdict.WRONG and "drift" in outcome.data:
        return drift_page(outcome.subject, local)
    return None
