"""`keep: true` is a tag, and what carries it does not go, whatever the spec says by then."""

from __future__ import annotations

from typing import Any

import pytest

from provisioner.errors import ChangedMeanwhile
from provisioner.execution import run_step
from provisioner.kinds import KINDS
from provisioner.kinds.iam import (
    IsStillThe,
)
from provisioner.model import Address, Call, Environment, Plan
from provisioner.naming import KEEP_TAG
from provisioner.render.as_status import status_text
from tests.support.build import (
    FLEET,
    OURS,
    PROFILE,
    ROLE,
    environment,
    fleet_of,
    found_profile,
    member,
    observed_fleet,
    observed_role,
    planned,
    told,
)

KEPT = {KEEP_TAG: "yes"}
FORGED = {KEEP_TAG: "whatever"}
NOTHING = environment()


def spec(fleet: dict[str, Any] | None = None, **keep: Any) -> Environment:
    """A role, its profile, and a fleet of two if anything is said of it; `keep` of role and profile."""
    plain = {"count": 2, "image": "ami-00000000000000001", "instance_type": "t3.micro"}
    return environment(
        ignore_tags=["*"],
        roles={"web": keep},
        instance_profiles={"web": {"role": "web", **keep}},
        fleets={} if fleet is None else {"web": plain | fleet},
    )


def plan_of(
    desired: Environment, tags: dict[str, str], *members: dict[str, str], destroying: bool = False
) -> Plan:
    """The plan where role and profile have these tags besides ours, and members those."""
    there: dict[Address, Any] = {
        ROLE: observed_role(tags={**OURS, **tags}),
        PROFILE: found_profile(tags={**OURS, **tags}),
    }
    if members:
        fleet = fleet_of(spec({}))
        there[FLEET] = observed_fleet(
            [member(number, fleet, tags=its_tags) for number, its_tags in enumerate(members, start=1)]
        )
    return planned(desired, there, destroying)


def why(plan: Plan) -> list[str]:
    return [f"{refusal.address}: {refusal.message}; {refusal.hint}" for refusal in plan.refusals]


# --- the tag

# What the spec says, the tag that is there, and the tag after it.
TAGGED = {
    "put on": (True, {}, (None, "yes")),
    "there": (True, KEPT, None),
    "put right": (True, FORGED, ("whatever", "yes")),
    "not said": (None, KEPT, None),
    "not said, and not there": (None, {}, None),
    "taken off, also where all tags are ignored": (False, KEPT, ("yes", None)),
    "off": (False, {}, None),
}


@pytest.mark.parametrize("case", TAGGED)
def test_the_tag_follows_what_is_said_and_stays_where_nothing_is(case: str) -> None:
    keep, there, expected = TAGGED[case]
    said: dict[str, Any] = {} if keep is None else {"keep": keep}
    plan = plan_of(spec(said, **said), there, there, there)
    changed = {
        str(change.address): (field.before, field.after)
        for change in plan.changes
        for field in change.fields
        if field.path == f"tags.{KEEP_TAG}"
    }
    addresses = ("role/web", "instance_profile/web", "fleet/web")
    assert changed == (dict.fromkeys(addresses, expected) if expected else {})
    assert {told(change).split()[0] for change in plan.changes} <= {"update"}
    assert plan.refusals == ()


def test_new_members_are_launched_with_it() -> None:
    assert fleet_of(spec({"keep": True})).tags[KEEP_TAG] == "yes"
    assert KEEP_TAG not in fleet_of(spec({"keep": False})).tags
    assert KEEP_TAG not in fleet_of(spec({})).tags


# --- what it stops

IAM_REFUSED = [
    f"role/web: role env-web would be deleted, and is kept by the tag {KEEP_TAG} (`keep: true`); {{role}}",
    f"instance_profile/web: instance profile env-web would be deleted, and is kept by the tag {KEEP_TAG} "
    "(`keep: true`); {profile}",
]
SET = "set `keep: false` and apply that first, with nothing else changed on it"
PUT_BACK = f"put it back into the spec with{SET.removeprefix('set')}"


@pytest.mark.parametrize("tags", [KEPT, FORGED], ids=["our tag", "a tag of others"])
@pytest.mark.parametrize(
    ("desired", "destroying", "hint"),
    [
        (NOTHING, False, PUT_BACK),
        (NOTHING, True, PUT_BACK),
        (spec(), True, SET),
        (spec(keep=True), True, SET),
        (spec(keep=False), True, SET),
    ],
    ids=["gone from the spec", "all is gone", "destroyed", "said, and destroyed", "not applied yet"],
)
def test_a_role_and_a_profile_are_not_deleted(
    desired: Environment, destroying: bool, hint: str, tags: dict[str, str]
) -> None:
    refused = why(plan_of(desired, tags, destroying=destroying))
    assert refused == [line.format(role=hint, profile=hint) for line in IAM_REFUSED]


# What the spec says of the fleet, None: nothing; the tags of its members; and why it is refused.
STOPPED: dict[str, tuple[dict[str, Any] | None, tuple[dict[str, str], ...], str]] = {
    "gone from the spec": (None, (KEPT, KEPT), "2 members would be terminated, and all of them are kept"),
    "one of them kept": (None, ({}, KEPT), "2 members would be terminated, and i-02 is kept"),
    "scaled in": ({"count": 1}, (KEPT, KEPT), "1 of 2 members would have to go, and all of them are kept"),
    "scaled to nothing": ({"count": 0, "keep": True}, (KEPT, KEPT), "2 of 2 members would have to go"),
    "scaled in, and no longer kept by the same plan": (
        {"count": 1, "keep": False},
        (KEPT, KEPT),
        "1 of 2 members would have to go",
    ),
    "below those that are kept": (
        {"count": 1},
        ({}, KEPT, KEPT),
        "2 of 3 members would have to go, and i-02, i-03 are kept",
    ),
    "replaced": ({"key_name": "ops"}, (KEPT, KEPT), "2 of 2 members would be replaced, and all of them are"),
    "one of them replaced": (
        {"key_name": "ops"},
        ({}, KEPT),
        "2 of 2 members would be replaced, and i-02 is",
    ),
    "replaced and no longer kept": (
        {"key_name": "ops", "keep": False},
        (KEPT, KEPT),
        "2 of 2 members would be replaced",
    ),
}


@pytest.mark.parametrize("case", STOPPED)
def test_members_are_not_terminated(case: str) -> None:
    fleet, tags, expected = STOPPED[case]
    plan = plan_of(spec(fleet), {}, *tags)
    (refused,) = [refusal for refusal in plan.refusals if refusal.address == FLEET]
    assert expected in refused.message
    assert f"kept by the tag {KEEP_TAG}" in refused.message
    assert refused.hint == (PUT_BACK if fleet is None else SET)
    assert refused.exit_code == 4


ALLOWED: dict[str, tuple[dict[str, Any], tuple[dict[str, str], ...], list[str]]] = {
    "more": ({"count": 3}, (KEPT, KEPT), ["create fleet/web count instance_type image spread"]),
    "those that are not kept go": ({"count": 1}, (KEPT, {}), ["delete fleet/web count i-02"]),
    "changed while they run": ({"monitoring": True}, (KEPT, KEPT), ["update fleet/web monitoring i-01,i-02"]),
    "restarted": ({"instance_type": "t3.large"}, (KEPT, KEPT), ["update fleet/web instance_type i-01,i-02"]),
    "stopped": ({"power": "stopped"}, (KEPT, KEPT), ["update fleet/web power i-01,i-02"]),
}


@pytest.mark.parametrize("case", ALLOWED)
def test_all_else_may_be_done_with_them(case: str) -> None:
    fleet, tags, expected = ALLOWED[case]
    plan = plan_of(spec(fleet), {}, *tags)
    assert [told(change) for change in plan.changes] == expected
    assert plan.refusals == ()


def test_once_the_tag_is_off_everything_may_go() -> None:
    plan = plan_of(NOTHING, {}, {}, {})
    assert plan.refusals == ()
    assert {change.action for change in plan.changes} == {"delete"}


# --- put on after the plan was made


class Answering:
    """An execution context that answers each call with the same."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.answer = answer

    def send(self, call: Call) -> dict[str, Any]:
        return self.answer


@pytest.mark.parametrize("noun", ["Role", "InstanceProfile"])
def test_what_is_kept_since_the_plan_was_made_is_left_alone(noun: str) -> None:
    step = IsStillThe(noun, "env-web", "ID1")
    there = {f"{noun}Id": "ID1", "Tags": [{"Key": "a", "Value": "b"}]}
    run_step(step, Answering({noun: there}))  # type: ignore[arg-type]
    there["Tags"] = [{"Key": KEEP_TAG, "Value": "yes"}]
    with pytest.raises(ChangedMeanwhile, match=f"env-web got the tag {KEEP_TAG} meanwhile"):
        run_step(step, Answering({noun: there}))  # type: ignore[arg-type]


# --- seeing it


@pytest.mark.parametrize(
    ("keep", "tags", "noted"),
    [(None, KEPT, True), (None, FORGED, True), (None, {}, False), (True, KEPT, False), (False, KEPT, False)],
)
def test_a_plan_notes_what_is_kept_where_the_spec_does_not_say_so(
    keep: bool | None, tags: dict[str, str], noted: bool
) -> None:
    said: dict[str, Any] = {} if keep is None else {"keep": keep}
    plan = plan_of(spec(dict(said), **said), tags, tags, {})
    notes = [note for note in plan.notes if KEEP_TAG in note.message]
    assert [note.address for note in notes] == ([ROLE, PROFILE, FLEET] if noted else [])
    assert all("`keep: false`" in note.message for note in notes)


def test_a_status_says_what_is_kept() -> None:
    statuses = {
        at: kind.status(at, None, thing, None)  # type: ignore[arg-type]
        for kind in KINDS
        for at, thing in {
            ROLE: observed_role(tags={**OURS, **KEPT}),
            PROFILE: found_profile(tags={**OURS}),
            FLEET: observed_fleet([member(1, fleet_of(spec({})), tags=KEPT), member(2, fleet_of(spec({})))]),
        }.items()
        if at.kind == kind.name
    }
    assert {str(at): status["kept"] for at, status in statuses.items()} == {
        str(ROLE): True,
        str(PROFILE): False,
        str(FLEET): 1,
    }
    shown = status_text("test", "us-east-1", "123456789012", {str(at): each for at, each in statuses.items()})
    role, profile, fleet, *_ = (line for line in shown.plain.splitlines() if "/" in line)
    assert "kept yes" in role
    assert "kept" not in profile
    assert "kept 1" in fleet


@pytest.mark.parametrize("keep", [True, False, None])
def test_what_is_made_shows_what_the_spec_says(keep: bool | None) -> None:
    said: dict[str, Any] = {} if keep is None else {"keep": keep}
    made = planned(spec(**said), {}).changes
    shown = {
        str(change.address): [field.after for field in change.fields if field.path == "keep"]
        for change in made
    }
    expected = [] if keep is None else [keep]
    assert shown == {str(address): expected for address in (ROLE, PROFILE)}
