"""Drift as a comment and as a page: all that differs, what is accepted, and no value that is markup."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from markdown_it import MarkdownIt

from provisioner.drift import ANY_VALUE, Acceptance, Accepted, Difference, DriftReport, State
from provisioner.model import Address, FieldChange
from provisioner.render.as_drift import drift_data, drift_text
from provisioner.render.comment import MAX_CHARACTERS
from provisioner.render.drift_documents import drift_html, drift_markdown
from tests.support.hostile import TRICKS, harmless
from tests.support.skeleton import Skeleton, skeleton_of
from tests.unit.render import render_examples as examples

ROLE, FLEET = Address("role", "web"), Address("fleet", "web")


def drift(value: str = "by hand") -> DriftReport:
    acceptance = Acceptance(ROLE, f"reason {value}", date(2027, 1, 31), "tags", ANY_VALUE, None, "a.yaml:3")
    accepted = Accepted(Difference(ROLE, State.DIFFERENT, FieldChange("tags.x", "1", "2")), acceptance)
    return DriftReport(
        "env",
        "us-east-1",
        "123456789012",
        differences=(
            Difference(ROLE, State.DIFFERENT, FieldChange("description", value, "Works")),
            Difference(ROLE, State.DIFFERENT, FieldChange(f"tags.{value}", value, None)),
            Difference(FLEET, State.MISSING, FieldChange("count", 1, 3), size=2, unit="instance"),
            Difference(Address("role", f"x{value}"), State.UNEXPECTED),
            Difference(
                FLEET,
                State.UNEXPECTED,
                size=2,
                unit="instance",
                instances=("i-1", "i-2"),
                names={"i-1": value},
            ),
        ),
        accepted=(accepted,),
        expired=(acceptance,),
        not_compared=((FLEET, f"not compared {value}"),),
    )


def rendered(comment: str) -> Skeleton:
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(comment)
    return skeleton_of(html, but=("code",))


@pytest.mark.parametrize("value", ["by hand", "</details>|`@all` #1", *TRICKS])
def test_no_value_is_markup(value: str) -> None:
    comment, page = drift_markdown(drift(value)), drift_html(drift(value))
    harmless(comment)
    harmless(page)
    assert rendered(comment).tags == rendered(drift_markdown(drift("plain"))).tags
    plain = drift_html(drift("plain"))
    assert skeleton_of(page, but=("code",)).tags == skeleton_of(plain, but=("code",)).tags


def texts(drift: DriftReport) -> list[str]:
    """What a reader sees of the comment and of the page."""
    return [rendered(drift_markdown(drift)).text, skeleton_of(drift_html(drift)).text]


@pytest.mark.parametrize("text", texts(drift()), ids=["markdown", "html"])
def test_all_that_differs_is_told_and_what_is_known_of_it(text: str) -> None:
    verdict = "Drift: 5 differences at 3 addresses (1 missing, 2 different, 2 unexpected)."
    for told in (verdict, "by hand", "Works", "tags.by hand", "count", "i-1", "i-2", "role/xby hand"):
        assert told in text, told
    assert "1 difference accepted: role/web tags with any value until 2027-01-31 (reason by hand)" in text
    assert "a.yaml:3: role/web tags was accepted until 2027-01-31, which is past" in text
    assert "--expect" not in text


def policy(action: str) -> dict[str, Any]:
    return {"Statement": [{"Sid": "A", "Effect": "Allow", "Action": action, "Resource": "*"}]}


ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
ALL, READ = "A: Allow * on *", "A: Allow s3:GetObject on *"
WIDE: dict[str, tuple[FieldChange, str, list[str]]] = {
    "attached by hand": (
        FieldChange("managed_policies", (ADMIN, "x"), ("x",)),
        "- ! AdministratorAccess",
        ["AdministratorAccess"],
    ),
    "taken off by hand": (FieldChange("managed_policies", (), (ADMIN,)), "+ AdministratorAccess", []),
    "an inline policy put by hand": (
        FieldChange("inline_policies.a", policy("*"), None),
        f"- ! {ALL}",
        [ALL],
    ),
    "an inline policy that is not there": (
        FieldChange("inline_policies.a", None, policy("*")),
        f"+ {ALL}",
        [],
    ),
    "a statement widened by hand": (
        FieldChange("inline_policies.a", policy("*"), policy("s3:GetObject")),
        "~ ! A: Allow on *: Action",
        ["A: Allow on *: Action"],
    ),
    "a statement narrowed by hand": (
        FieldChange("inline_policies.a", policy("s3:GetObject"), policy("*")),
        "~ A: Allow on *: Action",
        [],
    ),
}


@pytest.mark.parametrize(("field", "line", "wide"), WIDE.values(), ids=WIDE)
def test_what_grants_wide_rights_in_aws_is_marked_and_what_only_the_spec_grants_is_not(
    field: FieldChange, line: str, wide: list[str]
) -> None:
    found = DriftReport("env", "us-east-1", "123456789012", (Difference(ROLE, State.DIFFERENT, field),))
    is_wide, text = bool(wide), drift_text(found, 200).plain
    assert line in text
    assert ("! grants wide rights" in text) is is_wide
    comment, page = drift_markdown(found), drift_html(found)
    assert line in comment
    assert ("<strong>!</strong></summary>" in comment) is is_wide
    assert ("**!** grants wide rights." in comment) is is_wide
    assert ('<strong class="wide" title="grants wide rights">!</strong></summary>' in page) is is_wide
    assert drift_data(found)["drift"][0].get("wide_rights", []) == wide


def test_no_drift_is_said_in_a_sentence() -> None:
    for text in texts(DriftReport("env", "us-east-1", "123456789012")):
        assert "No drift. env is as the spec says." in text


def test_more_than_a_comment_can_hold_is_told_in_short() -> None:
    many = tuple(
        Difference(
            Address("fleet", f"f{number}"),
            State.DIFFERENT,
            FieldChange("x", "y" * 900, "z"),
            instances=examples.ids(5),
            size=5,
            unit="instance",
        )
        for number in range(200)
    )
    comment = drift_markdown(DriftReport("env", "us-east-1", "123456789012", many), "a.yaml")
    assert len(comment) <= MAX_CHARACTERS
    assert "differences in one line" in comment
    code = rendered(comment).code
    assert "provisioner drift a.yaml --format html" in code
    assert all(f"fleet/f{number}" in code for number in range(200))
