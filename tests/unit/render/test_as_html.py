"""A plan as a page: what is on it, and that no value is anything but text there."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings

from provisioner.model import Action, Address, Change, FieldChange, Note, Plan, Refusal, Rollout, UserData
from provisioner.render.as_html import plan_html
from provisioner.render.as_json import plan_data
from provisioner.render.as_markdown import plan_markdown
from provisioner.visible import presentable
from tests.support.hostile import TRICKS, harmless, hostile
from tests.support.skeleton import Skeleton, skeleton_of
from tests.unit.render import render_examples as examples

MARKUP = (
    "<b>x</b>",
    "</title><script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</style><style>*{display:none}</style>",
    "<!-- x",
    "-->",
    "]]>",
    "<svg onload=alert(1)>",
    '" onfocus="alert(1)" autofocus="',
    "' onfocus='alert(1)",
    "javascript:alert(1)",
    "&lt;b&gt;",
    "&#60;b>",
    "{{ 7 * 7 }}",
    "{% for x in y %}",
    "<base href=//example.com>",
    "<meta http-equiv=refresh content=0>",
    "<textarea>",
    "<plaintext>",
)


def named(value: str) -> Plan:
    """A plan in which everything that somebody else may name has the same name."""
    fleet, role = Address("fleet", f"f{value}"), Address("role", f"r{value}")
    waves = Rollout("restart", (("i-1",), ("i-2",)), 1, 2)
    return examples.plan(
        Change(role, Action.CREATE, "will be created", (FieldChange(f"tags.{value}", None, value),)),
        Change(
            fleet,
            Action.UPDATE,
            f"tags differ: {value}",
            (FieldChange("description", value, f"{value}!"), FieldChange("list", (value,), ("other",))),
            instances=("i-1", "i-2"),
            names={"i-1": f"n{value}", "i-2": "other"},
            rollout=waves,
        ),
        Change(
            fleet,
            Action.DELETE,
            f"left the spec {value}",
            instances=("i-3", "i-4"),
            names={"i-3": f"n{value}", "i-4": "other"},
            deferred=value,
        ),
        notes=(
            Note(fleet, f"note {value}", (f"aws {value}",)),
            Note(role, f"warns {value}", is_warning=True),
        ),
        refusals=(Refusal(role, f"refused {value}", f"hint {value}"),),
        uses={role: frozenset(), fleet: frozenset({role})},
    )


def page(plan: Plan) -> Skeleton:
    return skeleton_of(plan_html(plan), but=("code",))


PLAIN = page(named("plain"))
WITH_VALUES = {"title", "aria-label", "width", "x", "viewbox", "d", "height"}


def shape(read: Skeleton) -> list[tuple[str, str, str]]:
    return [(tag, name, "" if name in WITH_VALUES else value) for tag, name, value in read.attributes]


def check_is_only_shown(value: str) -> None:
    html = plan_html(named(value), value)
    harmless(html)
    # Between two backticks in a sentence is code.
    read = skeleton_of(html, but=("code",))
    assert read.tags == PLAIN.tags
    assert shape(read) == shape(PLAIN)
    assert read.comments == []


@pytest.mark.parametrize("value", [*MARKUP, *TRICKS])
def test_no_name_is_markup(value: str) -> None:
    check_is_only_shown(value)
    shown = presentable(value)
    # In the summary, twice in fields, as a name, and in what is said.
    assert page(named(value)).text.count(shown) >= 8


@settings(deadline=None, max_examples=50)
@given(hostile)
def test_nor_is_any_other(value: str) -> None:
    check_is_only_shown(value)


def test_the_policy_allows_the_one_style_and_the_one_script_and_nothing_else() -> None:
    html = plan_html(examples.drifted())
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', html)

    def hashes(tag: str) -> list[str]:
        found = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        return [base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() for content in found]

    (style,), (script,) = hashes("style"), hashes("script")
    assert policy.replace("&#39;", "'").split("; ") == [
        "default-src 'none'",
        f"style-src 'sha256-{style}'",
        f"script-src 'sha256-{script}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]


def test_nothing_on_it_is_fetched_and_nothing_of_it_needs_a_looser_policy() -> None:
    html = plan_html(examples.drifted())
    read = skeleton_of(html)
    for tag, name, value in read.attributes:
        assert not re.fullmatch("src|style|srcset|action|on.*", name), tag
        assert name != "href" or value.startswith("#")
    assert "url(" not in html
    assert "@import" not in html


@pytest.mark.parametrize(
    ("plan", "verdict"),
    [
        (examples.plan(), "No changes: outages-dev is as the spec says."),
        (examples.plan(destroy=True), "Nothing to destroy."),
        (examples.fifty_servers(), "Destroys nothing; 52 to create."),
        (examples.drifted(), "Destroys 7 instances; 2 to create, 51 to update."),
        (examples.refused(), "Refused: nothing of this plan will be carried out."),
        (examples.destroyed(), "Destroys 50 instances, 1 instance profile, 1 role."),
    ],
)
def test_it_begins_with_the_verdict(plan: Plan, verdict: str) -> None:
    (shown,) = re.findall(r'id="verdict">([^<]+)<', plan_html(plan))
    assert shown == verdict


def test_every_address_every_id_and_every_value_is_on_it() -> None:
    for plan in (examples.fifty_servers(), examples.drifted(), examples.destroyed()):
        text = page(plan).text
        for change in plan.changes:
            assert str(change.address) in text
            assert set(change.instances) <= set(text.split())
        for wanted in ("OutageWriter", "AdministratorAccess", "s3:PutObject", "ami-0fedcba9876543210"):
            assert (wanted in text) == any(wanted in repr(change.fields) for change in plan.changes), wanted


def test_it_names_the_command_that_applies_exactly_this() -> None:
    plan = examples.destroyed()
    digest = plan_data(plan)["digest"]
    code = skeleton_of(plan_html(plan, "specs/x.yaml --deep")).code
    assert f"provisioner destroy specs/x.yaml --deep --expect {digest}" in code
    assert "--expect" not in page(examples.refused()).text
    assert "--expect" not in page(examples.plan()).text


def test_it_shows_the_whole_digest_as_expect_takes_no_part_of_it() -> None:
    for plan in (examples.destroyed(), examples.refused()):
        assert f"<dd>{plan_data(plan)['digest']}</dd>" in plan_html(plan)


def test_links_of_the_graph_lead_to_changes() -> None:
    plan = examples.drifted()
    html = plan_html(replace(plan, uses={change.address: frozenset() for change in plan.changes}))
    links = set(re.findall(r'href="#(change-\d+)"', html))
    assert links == {"change-1", "change-2", "change-4", "change-5"}
    assert links <= set(re.findall(r'id="(change-\d+)"', html))


def test_a_name_is_given_to_one_thing_only() -> None:
    ids = re.findall(r'\sid="([^"]+)"', plan_html(examples.drifted()))
    assert sorted(set(ids)) == sorted(ids)


def test_style_and_script_are_written_in_ascii() -> None:
    """They would be something else in an encoding that has to replace letters, and have another hash."""
    folder = Path(examples.__file__).parents[3] / "provisioner/render/templates"
    for path in folder.glob("page.[cj]s*"):
        assert path.read_text(encoding="utf-8").isascii()


def test_a_thousand_members_and_a_hundred_changes_take_no_more_than_they_need() -> None:
    changes = [
        Change(
            Address("fleet", f"f{n}"), Action.UPDATE, "differs", instances=examples.ids(10, n * 10), size=10
        )
        for n in range(100)
    ]
    assert len(plan_html(examples.plan(*changes))) < 400_000


@pytest.mark.parametrize("form", [plan_html, plan_markdown])
def test_what_user_data_says_is_only_told_to_who_asks(form: Callable[..., str]) -> None:
    before = UserData("0" * 64, "boot.sh", 20, "#!/bin/sh\necho one\n")
    after = UserData("1" * 64, "boot.sh", 20, "#!/bin/sh\necho two\n")
    change = Change(examples.FLEET, Action.UPDATE, "differs", (FieldChange("user_data", before, after),))
    assert "echo" not in form(examples.plan(change))
    told = form(examples.plan(change), user_data=True)
    assert re.search(r"- *echo one.*\+ *echo two", told, re.DOTALL)
