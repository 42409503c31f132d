"""What uses what, drawn: nothing lies on anything else, and what changes is always there."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.model import Action, Address, Change, Plan
from provisioner.render.graph import Drawing, in_columns, in_rows
from tests.unit.render import render_examples as examples

ROLE, PROFILE, FLEET = examples.ROLE, examples.PROFILE, examples.FLEET
OTHER = Address("role", "other")
CHAIN = {ROLE: frozenset(), PROFILE: frozenset({ROLE}), FLEET: frozenset({PROFILE}), OTHER: frozenset()}


def drawn(drawing: Drawing) -> dict[Address, str]:
    return {box.address: box.tone for box in drawing.boxes}


def change(address: Address, action: Action, deferred: str | None = None) -> Change:
    return Change(address, action, "because", deferred=deferred)


@pytest.mark.parametrize("layout", [in_columns, in_rows])
def test_all_of_the_environment_is_drawn_and_what_changes_has_a_colour(layout: type) -> None:
    plan = examples.plan(
        change(PROFILE, Action.CREATE),
        change(FLEET, Action.CREATE),
        change(FLEET, Action.DELETE),
        change(ROLE, Action.UPDATE, deferred="not now"),
        uses=CHAIN,
    )
    assert drawn(layout(plan)) == {ROLE: "", PROFILE: "create", FLEET: "delete", OTHER: ""}
    assert [edge.is_changed for edge in layout(plan).edges] == [True, True]


def test_what_uses_another_is_right_of_it_and_kinds_have_a_column_each() -> None:
    drawing = in_columns(examples.plan(uses=CHAIN))
    at = {box.address: box.x for box in drawing.boxes}
    assert at[ROLE] == at[OTHER] < at[PROFILE] < at[FLEET]
    assert [heading.text for heading in drawing.headings] == ["roles", "instance profiles", "fleets"]


def test_on_a_narrow_screen_it_is_below_and_indented() -> None:
    boxes = {box.address: box for box in in_rows(examples.plan(uses=CHAIN)).boxes}
    assert boxes[ROLE].y < boxes[PROFILE].y < boxes[FLEET].y < boxes[OTHER].y
    assert boxes[ROLE].x < boxes[PROFILE].x < boxes[FLEET].x
    assert boxes[ROLE].x == boxes[OTHER].x


def test_a_plan_that_knows_no_uses_draws_its_changes() -> None:
    assert drawn(in_columns(examples.destroyed())) == {ROLE: "delete", PROFILE: "delete", FLEET: "delete"}
    assert drawn(in_columns(examples.plan())) == {}


def test_of_a_large_environment_what_stays_far_from_changes_is_counted() -> None:
    uses = CHAIN | {Address("role", f"r{number}"): frozenset[Address]() for number in range(100)}
    drawing = in_columns(examples.plan(change(PROFILE, Action.UPDATE), uses=uses))
    assert drawn(drawing) == {ROLE: "", PROFILE: "update", FLEET: ""}
    assert drawing.left_out == 101


addresses = st.builds(
    Address,
    st.sampled_from(["role", "profile", "fleet", "attachment"]),
    st.text("ab", min_size=1, max_size=40),
)


@settings(deadline=None)
@given(
    st.dictionaries(addresses, st.frozensets(addresses, max_size=3), max_size=20),
    st.lists(st.builds(change, addresses, st.sampled_from(list(Action))), max_size=8),
)
def test_no_box_lies_on_another_or_outside_whatever_uses_what(
    uses: dict[Address, frozenset[Address]], changes: list[Change]
) -> None:
    """Also in circles, which AWS has none of."""
    plan: Plan = examples.plan(*changes, uses=uses)
    for drawing in (in_columns(plan), in_rows(plan)):
        assert {change.address for change in changes} <= drawn(drawing).keys()
        for box in drawing.boxes:
            assert 0 <= box.x < box.x + box.width <= drawing.width
            assert 0 <= box.y < box.y + 48 <= drawing.height
        for one, other in pairwise(sorted(drawing.boxes, key=lambda box: (box.x, box.y))):
            assert one.y + 48 < other.y or one.x + one.width < other.x or one.y > other.y
