"""A plan as a comment: as GitHub renders it, as far as a library of Markdown can tell."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from markdown_it import MarkdownIt

from provisioner.model import Action, Address, Change, FieldChange, Note, Plan, Refusal, Rollout
from provisioner.render.as_html import plan_html
from provisioner.render.as_json import plan_data
from provisioner.render.as_markdown import plan_markdown
from provisioner.render.as_text import plan_text
from provisioner.render.comment import MAX_CHARACTERS
from provisioner.visible import presentable
from tests.support.hostile import TRICKS, harmless, hostile
from tests.support.skeleton import Skeleton, skeleton_of
from tests.unit.render import render_examples as examples

MARKUP = (
    "|",
    "a|b|c",
    "\\|",
    "`",
    "``` ```` `````",
    "`x` | `y`",
    "</details>",
    "</summary></details><h1>x</h1>",
    "<script>alert(1)</script>",
    "<!-- x",
    "-->",
    "<!-- plan of specs/x.yaml -->",
    "<img src=http://example.com/x.png>",
    "![x](http://example.com/x.png)",
    "[x](http://example.com)",
    "<http://example.com>",
    "http://example.com",
    "www.example.com",
    "somebody@example.com",
    "@everybody",
    "@team/all",
    "#123",
    "GH-123",
    "owner/repo#1",
    "a5c3785ed8d6a35868bc169f07e40e889087fd2e",
    "deadbeef",
    ":tada:",
    "$x$",
    "**bold** _x_ ~~x~~",
    "# heading",
    "- [ ] item",
    "> [!NOTE]",
    "&lt;b&gt; &#60;",
    "```\n</details>\n# x",
    "~~~",
    "    indented",
    "x\n\n# heading",
    "---",
    "=====",
    "1. x",
    "*/ x",
)
# What is a link, a mention or a reference where GitHub finds it outside of code.
LINKED = re.compile(r"https?:|www\.|@\w|#\d|GH-\d|\b[0-9a-f]{7,40}\b|\b\w+-\d+\b|:\w+:")
TAGS = {"h3", "p", "code", "pre", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "strong"} | {
    "blockquote",
    "details",
    "summary",
}


def rendered(comment: str, but: tuple[str, ...] = ()) -> Skeleton:
    html = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(comment)
    return skeleton_of(html, but)


def named(value: str) -> Plan:
    """A plan in which everything that somebody else may name has the same name."""
    fleet, role = Address("fleet", f"f{value}"), Address("role", f"r{value}")
    return examples.plan(
        Change(role, Action.CREATE, "will be created", (FieldChange(f"tags.{value}", None, value),)),
        Change(
            fleet,
            Action.UPDATE,
            f"tags differ: {value}",
            (FieldChange("description", value, f"{value}!"), FieldChange("list", (value,), ("other",))),
            instances=("i-1", "i-2"),
            names={"i-1": f"n{value}", "i-2": "other"},
            deferred=value,
        ),
        Change(
            fleet,
            Action.DELETE,
            f"left the spec {value}",
            instances=("i-3", "i-4"),
            names={"i-3": f"n{value}", "i-4": "other"},
        ),
        notes=(
            Note(fleet, f"note {value}", (f"aws {value}",)),
            Note(role, f"warns {value}", is_warning=True),
        ),
        refusals=(Refusal(role, f"refused {value}", f"hint {value}"),),
    )


PLAIN = rendered(plan_markdown(named("plain")), but=("code",))


def check_is_only_shown(value: str) -> None:
    comment = plan_markdown(named(value), f"'{presentable(value)}'")
    harmless(comment)
    read = rendered(comment, but=("code",))
    assert read.tags == PLAIN.tags
    assert set(read.attributes) <= {("code", "class", "language-sh"), ("code", "class", "language-diff")}
    assert read.comments == PLAIN.comments
    assert LINKED.findall(read.prose) == LINKED.findall(PLAIN.prose)


@pytest.mark.parametrize("value", [*MARKUP, *TRICKS])
def test_no_name_is_markup_a_link_a_mention_or_a_reference(value: str) -> None:
    check_is_only_shown(value)
    shown = rendered(plan_markdown(named(value))).code
    assert "".join(presentable(value).split()) in "".join(shown.split())


@settings(deadline=None, max_examples=50)
@given(hostile)
def test_nor_is_any_other(value: str) -> None:
    check_is_only_shown(value)


@pytest.mark.parametrize(
    "plan", [examples.fifty_servers, examples.drifted, examples.refused, examples.destroyed]
)
def test_it_uses_nothing_but_what_github_lets_through(plan: object) -> None:
    read = rendered(plan_markdown(plan()))  # type: ignore[operator]
    assert {tag.strip("</>") for tag in read.tags} <= TAGS


DRIFTED = """\
### Plan for <code>outages-dev</code>: Destroys 7 instances; 2 to create, 51 to update

account <code>123456789012</code>, <code>us-east-1</code>

| | | |
|---|---|---|
| <code>&#43;</code> | 2 to create | 2 instances |
| <code>&#126;</code> | 51 to update | 50 instances, 1 role |
| <code>±</code> | 3 to replace | 3 instances |
| <code>-</code> | 7 to delete | 7 instances |

3 of them deferred. 4 API calls that write. **!** grants wide rights.

> [!CAUTION]
> **Destroys** 7 instances. All of it is named here.

```diff
- fleet/old  left the spec
-   i-000000000000000c8  i-000000000000000c9  i-000000000000000ca  i-000000000000000cb
-   i-000000000000000cc  i-000000000000000cd  i-000000000000000ce
```

<details>
<summary><code>&#126; role/collector</code> description, managed policies, trust differ <strong>!</strong>"""


def test_what_is_destroyed_comes_first_and_the_rest_is_folded() -> None:
    comment = plan_markdown(examples.drifted(), "specs/outages.yaml")
    assert comment.startswith(DRIFTED)
    digest = plan_data(examples.drifted())["digest"]
    assert comment.endswith(
        f"To apply exactly this and nothing else:\n\n"
        f"```sh\nprovisioner apply specs/outages.yaml --expect {digest}\n```\n"
    )


@pytest.mark.parametrize(
    ("plan", "verdict"),
    [
        (examples.plan(), "No changes: outages-dev is as the spec says"),
        (examples.plan(destroy=True), "Nothing to destroy"),
        (examples.fifty_servers(), "Destroys nothing; 52 to create"),
        (examples.refused(), "Refused: nothing of this plan will be carried out"),
        (examples.destroyed(), "Destroys 50 instances, 1 instance profile, 1 role"),
    ],
)
def test_the_first_line_is_the_verdict(plan: Plan, verdict: str) -> None:
    what = "Plan to destroy" if plan.destroy else "Plan for"
    first = rendered(plan_markdown(plan).splitlines()[0])
    assert first.text.strip() == f"{what} outages-dev: {verdict}"


@pytest.mark.parametrize("plan", [examples.refused(), examples.plan()])
def test_what_cannot_be_applied_has_no_command_that_applies_it(plan: Plan) -> None:
    assert "--expect" not in plan_markdown(plan)


# --- what is too long for one comment


def gone(number: int, name: str = "", waves: int = 0) -> Change:
    ids = examples.ids(number)
    size = max(number // waves, 1) if waves else 0
    rollout = (
        Rollout("launch_first", tuple(ids[at : at + size] for at in range(0, number, size)), number, number)
        if waves
        else None
    )
    return Change(
        examples.FLEET,
        Action.REPLACE if waves else Action.DELETE,
        "left the spec",
        (FieldChange("image", "ami-1", "ami-2"), FieldChange("user_data", "x" * 3000, "y" * 3000)),
        instances=ids,
        size=number,
        names={instance_id: f"{name}{at}" for at, instance_id in enumerate(ids)} if name else {},
        rollout=rollout,
        unit="instance",
    )


def changed(count: int, members: int, text: str = "x") -> list[Change]:
    return [
        Change(
            Address("fleet", f"worker-{number:03}"),
            Action.UPDATE,
            "tags differ",
            (FieldChange("tags.team", text, text + "!"),),
            instances=examples.ids(members, number * members),
            size=members,
            unit="instance",
        )
        for number in range(count)
    ]


def length(comment: str) -> int:
    return len(comment.encode("utf-16-le")) // 2


@pytest.mark.parametrize(
    "plan",
    [
        examples.plan(gone(50)),
        examples.plan(gone(1000)),
        examples.plan(gone(2600)),
        examples.plan(gone(1000, "crunch-worker-")),
        examples.plan(gone(2600, "crunch-worker-")),
        examples.plan(gone(1000, waves=100)),
        examples.plan(gone(1000), *changed(100, 10)),
        examples.plan(gone(2600), *changed(300, 10)),
        examples.plan(gone(10), *changed(20, 10, "x" * 30_000)),
        examples.plan(gone(10), *changed(1500, 1)),
        examples.plan(gone(10), *changed(200, 10, "\U0001f600" * 400)),
        examples.plan(
            gone(10), notes=tuple(Note(examples.FLEET, f"{number} " + "x" * 400) for number in range(300))
        ),
    ],
    ids=range(12),
)
def test_no_destruction_is_lost_in_a_comment_of_any_length(plan: Plan) -> None:
    comment = plan_markdown(plan)
    assert length(comment) <= MAX_CHARACTERS
    read = rendered(comment)
    (deleted,) = [change for change in plan.changes if change.action is not Action.UPDATE]
    assert set(deleted.instances) <= set(re.findall(r"i-[0-9a-f]+", read.code))
    assert plan_data(plan)["digest"] in read.code


def test_what_there_is_no_room_for_is_told_in_a_line_then_counted() -> None:
    some, most, all_of_them = (
        plan_markdown(examples.plan(*changed(many, members, "x" * length)))
        for many, members, length in ((60, 50, 10), (60, 50, 1000), (2000, 1, 10))
    )
    for number in range(60):
        assert f"worker-{number:03}" in rendered(most).code
    assert re.search(r"are: [0-9]+ changes without ids\. What", some)
    assert re.search(r"are: [0-9]+ changes in one line[.,]", most)
    assert re.search(r"are: [0-9,]+ changes in one line, [0-9,]+ changes not at all\. What", all_of_them)
    assert "provisioner plan SPEC --format html" in rendered(all_of_them).code


def test_what_has_room_is_told_whole() -> None:
    comment = plan_markdown(examples.plan(*changed(20, 50)))
    assert comment.count("<details>") == 20
    assert "[!IMPORTANT]" not in comment


def test_what_one_comment_cannot_name_is_not_to_be_approved_by_it() -> None:
    comment = plan_markdown(examples.plan(gone(9000), *changed(3, 1)))
    assert length(comment) <= MAX_CHARACTERS
    assert "**Do not approve this plan by this comment.** It destroys 9,000 instances" in comment
    assert "--expect" not in comment
    assert "i-0" not in comment


def test_a_refused_plan_says_what_it_would_destroy() -> None:
    refused = replace(examples.plan(gone(5)), refusals=examples.refused().refusals)
    text = plan_text(refused, 80).plain
    assert ("! WOULD DESTROY 5 instances." in text, "DESTROYS" in text) == (True, False)
    comment = plan_markdown(refused)
    assert ("**Would destroy** 5 instances." in comment, "**Destroys**" in comment) == (True, False)
    page = plan_html(refused)
    assert ("Would be gone" in page, "Will be gone" in page) == (True, False)
    too_many = plan_markdown(replace(examples.plan(gone(9000)), refusals=refused.refusals))
    assert "It would destroy 9,000 instances" in too_many


def test_each_instance_that_is_replaced_is_named_in_its_wave() -> None:
    read = rendered(plan_markdown(examples.plan(gone(200, waves=40))))
    assert "40 waves of 5" in read.code
    ids = r"[-\s]+".join(examples.ids(200)[-5:])
    assert re.search(rf"\n-\s+40\s+{ids}\n", read.code)


@pytest.mark.parametrize("action", ["*", "s3:GetObject"])
def test_what_grants_wide_rights_is_marked_where_it_is_folded(action: str) -> None:
    policy = {"Statement": {"Effect": "Allow", "Action": action, "Resource": "arn:aws:s3:::outages/*"}}
    change = Change(
        examples.ROLE, Action.UPDATE, "differs", (FieldChange("inline_policies.a", None, policy),)
    )
    comment, page = plan_markdown(examples.plan(change)), plan_html(examples.plan(change))
    is_wide = action == "*"
    assert ("differs <strong>!</strong></summary>" in comment) is is_wide
    assert ("**!** grants wide rights." in comment) is is_wide
    assert ('<strong class="wide" title="grants wide rights">!</strong></summary>' in page) is is_wide


def test_a_deferred_replacement_destroys_nothing() -> None:
    plan = examples.plan(replace(gone(5), deferred="not now"))
    assert "Destroys nothing" in plan_markdown(plan)
    assert "[!CAUTION]" not in plan_markdown(plan)
