"""What an approval permits elsewhere: the approved plan, what is left of it, and nothing else."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import pytest

from provisioner.many.permit import not_permitted, permit_of
from provisioner.model import Action, Address, Change, FieldChange, Plan, Refusal, UserData
from tests.support.plans import fifty_destroyed, hundred_changes, nothing_to_do, something_of_everything

ROLE, FLEET, OTHER = Address("role", "web"), Address("fleet", "web"), Address("fleet", "other")
IDS = ("i-1", "i-2", "i-3", "i-4")


def plan(*changes: Change, **more: Any) -> Plan:
    return Plan("shop", "us-east-1", "123456789012", changes=changes, desired={FLEET: {"count": 4}}, **more)


def role(*fields: FieldChange, action: Action = Action.CREATE) -> Change:
    return Change(ROLE, action, "", fields=fields)


def fleet(action: Action, size: int = 1, *instances: str, **more: Any) -> Change:
    return Change(FLEET, action, "", size=size, instances=instances, unit="instance", **more)


TRUST, DESCRIPTION = FieldChange("trust", None, {"a": 1}), FieldChange("description", "old", "new")
TAG, IMAGE = FieldChange("tags.team", None, "data"), FieldChange("image", None, "ami-1")
SPREAD = FieldChange("spread", None, "1 in us-east-1a")


@pytest.mark.parametrize(
    "made", [nothing_to_do(), something_of_everything(), fifty_destroyed(), hundred_changes()]
)
def test_a_plan_itself_is_permitted_and_each_part_of_it(made: Plan) -> None:
    permit = permit_of(made)
    assert not_permitted(permit, made) is None
    for number in range(len(made.changes)):
        rest = made.changes[:number] + made.changes[number + 1 :]
        assert not_permitted(permit, replace(made, changes=rest)) is None
    assert not_permitted(permit, replace(made, changes=())) is None


@pytest.mark.parametrize(
    ("approved", "left"),
    [
        # A worker died when a role was made without all of it, and when some members were.
        (plan(role(TRUST, DESCRIPTION)), plan(role(DESCRIPTION, action=Action.UPDATE))),
        (plan(role(TRUST)), plan(role(FieldChange("tags.a", None, "b"), action=Action.UPDATE))),
        (plan(fleet(Action.CREATE, 4)), plan(fleet(Action.CREATE, 2))),
        (plan(fleet(Action.CREATE, 4)), plan(fleet(Action.CREATE, 2), fleet(Action.UPDATE, 2, "i-1", "i-2"))),
        (plan(fleet(Action.DELETE, 4, *IDS)), plan(fleet(Action.DELETE, 1, "i-4"))),
        (plan(fleet(Action.REPLACE, 4, *IDS)), plan(fleet(Action.REPLACE, 2, *IDS[:2]))),
        # Others were there already, and have what they were to get, or not.
        (
            plan(fleet(Action.CREATE, 2), fleet(Action.UPDATE, 1, "i-1", fields=(TAG,))),
            plan(fleet(Action.CREATE, 1), fleet(Action.UPDATE, 2, "i-1", "i-9", fields=(TAG,))),
        ),
        # One that was to be replaced is gone without a successor.
        (
            plan(fleet(Action.REPLACE, 4, *IDS)),
            plan(fleet(Action.REPLACE, 3, *IDS[:3]), fleet(Action.CREATE, 1)),
        ),
        (
            plan(fleet(Action.CREATE, 4, fields=(IMAGE,))),
            plan(fleet(Action.CREATE, 1, fields=(IMAGE, SPREAD))),
        ),
        # One that replaces was made, and the one that it replaces has yet to go.
        (plan(fleet(Action.REPLACE, 4, *IDS)), plan(fleet(Action.DELETE, 1, "i-1"))),
    ],
)
def test_what_is_left_of_a_plan_is_permitted(approved: Plan, left: Plan) -> None:
    assert not_permitted(permit_of(approved), left) is None


@pytest.mark.parametrize(
    ("approved", "now", "words"),
    [
        (plan(role(TRUST)), plan(role(TRUST), fleet(Action.CREATE, 5)), "fleet/web would be changed as well"),
        (plan(), plan(fleet(Action.CREATE, 1)), "fleet/web would be changed as well"),
        (
            plan(fleet(Action.CREATE, 4)),
            plan(fleet(Action.CREATE, 5)),
            "5 of fleet/web would be made, and not 4",
        ),
        (
            plan(fleet(Action.DELETE, 1, "i-1")),
            plan(fleet(Action.DELETE, 1, "i-2")),
            "i-2 of fleet/web would go",
        ),
        (plan(fleet(Action.CREATE, 4)), plan(fleet(Action.DELETE, 1, "i-1")), "fleet/web would be deleted"),
        (plan(role(TRUST)), plan(role(TRUST, action=Action.DELETE)), "role/web would be deleted"),
        (
            plan(role(DESCRIPTION, action=Action.UPDATE)),
            plan(role(FieldChange("description", "old", "newer"), action=Action.UPDATE)),
            "description of role/web would be changed as well",
        ),
        (
            plan(role(DESCRIPTION, action=Action.UPDATE)),
            plan(role(DESCRIPTION, TRUST, action=Action.UPDATE)),
            "trust of role/web would be changed as well",
        ),
        (
            plan(fleet(Action.UPDATE, 2, "i-1", "i-2")),
            plan(fleet(Action.UPDATE, 3, *IDS[:3])),
            "i-3 of fleet/web would be changed as well",
        ),
        # Nobody has seen that these are changed: only that others are made, or go.
        (
            plan(fleet(Action.CREATE, 1)),
            plan(fleet(Action.CREATE, 1), fleet(Action.UPDATE, 3, *IDS[:3])),
            "i-1, i-2, i-3 of fleet/web would be changed as well",
        ),
        (
            plan(fleet(Action.DELETE, 1, "i-1")),
            plan(fleet(Action.UPDATE, 1, "i-2", fields=(TAG,))),
            "tags.team of fleet/web would be changed as well",
        ),
        (
            plan(fleet(Action.UPDATE, 1, "i-1", fields=(TAG,))),
            plan(fleet(Action.UPDATE, 1, "i-2", fields=(TAG,))),
            "i-2 of fleet/web would be changed as well",
        ),
        (
            plan(fleet(Action.DELETE, 1, "i-1")),
            plan(fleet(Action.REPLACE, 1, "i-1")),
            "1 of fleet/web would be made, and not 0",
        ),
        (
            plan(fleet(Action.CREATE, 4, fields=(IMAGE,))),
            plan(fleet(Action.CREATE, 4, fields=(replace(IMAGE, after="ami-2"),))),
            "image of fleet/web would be another one",
        ),
        # What was put off is not approved.
        (
            plan(fleet(Action.CREATE, 4, deferred="others use it")),
            plan(fleet(Action.CREATE, 4)),
            "fleet/web would be changed as well",
        ),
        (plan(role(TRUST)), replace(plan(role(TRUST)), account_id="999999999999"), "in account 999999999999"),
        (plan(role(TRUST)), replace(plan(role(TRUST)), destroy=True), "it is shop in account"),
        (
            plan(role(TRUST)),
            replace(plan(role(TRUST)), desired={FLEET: {"count": 40}}),
            "the spec is another one there",
        ),
        (
            plan(role(TRUST)),
            replace(plan(role(TRUST)), refusals=(Refusal(ROLE, "is somebody else's", ""),)),
            "role/web: is somebody else's",
        ),
    ],
)
def test_whatever_was_not_approved_is_not_permitted(approved: Plan, now: Plan, words: str) -> None:
    told = not_permitted(permit_of(approved), now)
    assert told
    assert words in told


def test_a_permit_is_data_without_what_user_data_and_policies_say() -> None:
    secret = UserData("abc", "boot.sh", 9, "password=hunter2")
    approved = plan(role(TRUST), fleet(Action.REPLACE, 1, "i-1"))
    fields = (FieldChange("user_data", None, secret), FieldChange("tags.password", None, "hunter2"))
    approved = replace(approved, changes=(*approved.changes, Change(OTHER, Action.CREATE, "", fields=fields)))
    sent = pickle.dumps(permit_of(approved))
    assert b"hunter2" not in sent
    assert not_permitted(pickle.loads(sent), approved) is None


def test_when_a_duration_has_begun_is_no_other_spec() -> None:
    """The first launch says it, so that a worker which goes on knows it, and the approved plan did not."""

    def asked(expires: str, lifetime: str) -> Plan:
        tags = {"provisioner:expires": expires, "provisioner:lifetime": lifetime, "team": "data"}
        return replace(plan(role(TRUST)), desired={ROLE: {"tags": tags}})

    approved = asked("8h from the first launch", "8h from then")
    begun = asked("2026-11-27T16:00:00Z", "8h from 2026-11-27T08:00:00Z")
    assert not_permitted(permit_of(approved), begun) is None
    other = asked("2026-11-27T17:00:00Z", "9h from 2026-11-27T08:00:00Z")
    assert "another one" in (not_permitted(permit_of(approved), other) or "")
