"""Reports as Markdown and HTML: names of others do no harm, what is destroyed is named, and it fits."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from provisioner.drift import DriftReport
from provisioner.many.as_html import report_html
from provisioner.many.as_markdown import report_markdown
from provisioner.many.jobs import Job
from provisioner.many.merge import merge_reports, troubles
from provisioner.many.outcome import Outcome, Trouble, Verdict
from provisioner.many.plans import plan_outcome
from provisioner.many.report import report_data
from provisioner.many.spec_file import SpecFile
from provisioner.model import Change, Environment
from tests.unit.many.test_plans import GONE, NEW, plan

MOST = 65_536
HOSTILE = "x`|<script>alert(1)</script>\n# @all \x1b[31m\u202e"


def planned(name: str, *changes: Change) -> Outcome:
    made = replace(plan(*changes), environment=name)
    return plan_outcome(Job(SpecFile(f"{name}.yaml"), Environment(name, "us-east-1")), made)


def gone(number: int, name: str = "worker") -> Change:
    ids = tuple(f"i-{index:017x}" for index in range(number))
    return replace(GONE, instances=ids, names={id_: f"{name}-{id_}" for id_ in ids}, size=number)


def markdown(*outcomes: Outcome, command: str = "plan") -> str:
    return report_markdown(report_data(command, outcomes), outcomes)


def html(*outcomes: Outcome, command: str = "plan") -> str:
    return report_html(report_data(command, outcomes), outcomes)


def broken(name: str, lines: int = 1) -> Outcome:
    problem = Trouble("the spec has problems", "look at it", lines=(f"{name}:1:1: bad",) * lines)
    return Outcome(name, Verdict.WRONG, 3, "the spec has problems", trouble=problem)


def test_a_comment_tells_of_each_environment_once_and_how_to_apply() -> None:
    outcomes = [planned("quiet"), planned("new", NEW), planned("less", NEW, gone(2)), broken("bad.yaml")]
    comment = markdown(*outcomes)
    assert re.findall(r"#### <code>([a-z]+)</code>", comment) == ["less", "new"]
    assert comment.index("Destroys") < comment.index("#### <code>new")
    assert "bad.yaml:1:1: bad" in comment
    assert f"--expect {report_data('plan', outcomes)['digest']}" in comment
    assert "Do not approve" not in comment


@pytest.mark.parametrize("number", [50, 300, 2000])
def test_a_comment_fits_and_names_what_is_destroyed_however_many_there_are(number: int) -> None:
    outcomes = [planned(f"env-{index}", NEW) for index in range(number)]
    comment = markdown(*outcomes, planned("less", gone(100)))
    assert len(comment.encode("utf-16-le")) // 2 <= MOST
    assert all(f"i-{index:017x}" in comment for index in range(100))
    assert f"{number + 1:,} with changes" in comment


def test_a_comment_that_cannot_name_what_is_destroyed_says_not_to_approve_by_it() -> None:
    comment = markdown(*(planned(f"env-{index}", gone(200)) for index in range(40)))
    assert len(comment) <= MOST
    assert "Do not approve this by this comment" in comment
    assert "--expect" not in comment


@pytest.mark.parametrize("others", [2, 2000])
def test_nor_is_a_comment_approved_on_plans_that_it_does_not_have(others: int) -> None:
    outcomes = [planned("less", gone(2)), *(planned(f"env-{index}", NEW) for index in range(others))]
    report = merge_reports([("1.json", report_data("plan", outcomes))])
    comment = report_markdown(report, troubles(report))
    assert len(comment) <= MOST
    assert "Do not approve this by this comment.** What it destroys in 1 environment is not named" in comment
    assert "--expect" not in comment


def test_what_destroys_nothing_is_approved_by_a_comment_without_its_plans() -> None:
    report = merge_reports([("1.json", report_data("plan", [planned("new", NEW), broken("bad.yaml")]))])
    comment = report_markdown(report, troubles(report))
    assert "Do not approve" not in comment
    assert f"--expect {report['digest']}" in comment


def test_a_comment_on_many_wrong_specs_fits() -> None:
    comment = markdown(*(broken(f"{index:04}.yaml", 200) for index in range(400)), planned("less", gone(3)))
    assert len(comment) <= MOST
    assert "i-00000000000000002" in comment


def test_a_page_tells_of_each_environment_and_each_place_on_it_is_one() -> None:
    page = html(planned("quiet"), planned("new", NEW), planned("less", NEW, gone(2)), broken("bad.yaml"))
    places = re.findall(r' id="([^"]+)"', page)
    assert len(places) == len(set(places))
    for target in re.findall(r'href="#([^"]+)"', page):
        assert target in places
    assert "i-00000000000000001" in page
    assert "bad.yaml:1:1: bad" in page


def test_drift_is_told_too() -> None:
    found = DriftReport("shop", "us-east-1", "123456789012", (), (), (), (), ())
    outcome = replace(planned("shop"), plan=None, data={"drift": {}}, subject=found, words="no drift")
    assert "no drift" in markdown(outcome, command="drift")
    assert "no drift" in html(outcome, command="drift")


def test_names_of_others_do_no_harm() -> None:
    hostile = [
        planned(HOSTILE, replace(gone(1, HOSTILE), reason=HOSTILE)),
        Outcome(HOSTILE, Verdict.FAILED, 1, HOSTILE, trouble=Trouble(HOSTILE, HOSTILE, lines=(HOSTILE,))),
    ]
    for document in (markdown(*hostile), html(*hostile)):
        assert "<script>alert" not in re.sub(r"(?s)```.*?```", "", document)
        assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", document)
        assert "\n# @all" not in document
