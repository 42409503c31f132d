"""Drift is what a plan shows of the world, without advice; what is accepted is taken out, and told."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from provisioner.drift import ANY_VALUE, Acceptance, Difference, DriftReport, State, differences, report
from provisioner.kinds import schema_folder
from provisioner.model import Action, Address, Change, FieldChange, Note, NoteKind, Plan, Refusal
from provisioner.render.as_drift import drift_data, drift_text

ROLE, FLEET, BOX = Address("role", "web"), Address("fleet", "web"), Address("attachment", "box")
ONE, TWO = "i-0aaaaaaaaaaaaaaa1", "i-0aaaaaaaaaaaaaaa2"
TODAY = date(2026, 11, 26)
SCHEMA = json.loads((schema_folder() / "drift.schema.json").read_text())

DESCRIPTION = FieldChange("description", "by hand", "Works")
POLICIES = FieldChange("managed_policies", ("a", "b"), ("a",))
DIFFERENT = Change(ROLE, Action.UPDATE, "differs", (DESCRIPTION, POLICIES))
COUNT = FieldChange("count", 1, 2)
LAUNCH = Change(
    FLEET, Action.CREATE, "launch 1", (COUNT, FieldChange("image", None, "ami-1")), unit="instance"
)
TAGGED = Change(
    FLEET,
    Action.UPDATE,
    "tags",
    (FieldChange("tags.team", "x", "data"),),
    (ONE,),
    unit="instance",
    names={ONE: "web"},
)


def plan(*changes: Change, **more: Any) -> Plan:
    return Plan("dev", "us-east-1", "123456789012", changes, **more)


def told(*changes: Change, **more: Any) -> list[tuple[str, str, str | None]]:
    return [
        (str(difference.address), difference.state.value, difference.path)
        for difference in differences(plan(*changes, **more))
    ]


NEW_ROLE = Change(ROLE, Action.CREATE, "will be created", (FieldChange("trust", None, {"Statement": []}),))
FOUND: dict[str, tuple[tuple[Change, ...], list[tuple[str, str, str | None]]]] = {
    "nothing": ((), []),
    "a thing that is missing, without what it would be made with": (
        (NEW_ROLE,),
        [("role/web", "missing", None)],
    ),
    "and with what it would get in a second step": (
        (NEW_ROLE, Change(ROLE, Action.UPDATE, "it trusts another", (FieldChange("trust", None, {}),))),
        [("role/web", "missing", None)],
    ),
    "each field that differs": (
        (DIFFERENT,),
        [("role/web", "different", "description"), ("role/web", "different", "managed_policies")],
    ),
    "members that are missing": ((LAUNCH,), [("fleet/web", "missing", "count")]),
    "a fleet without any": (
        (replace(LAUNCH, fields=(FieldChange("count", 0, 2),)),),
        [("fleet/web", "missing", "count")],
    ),
    "members that are too many": (
        (Change(FLEET, Action.DELETE, "terminate 1", (FieldChange("count", 3, 2),), (ONE,)),),
        [("fleet/web", "unexpected", "count")],
    ),
    "a thing that is not in the spec": (
        (Change(ROLE, Action.DELETE, "no longer in the spec"),),
        [("role/web", "unexpected", None)],
    ),
    "also where apply leaves it": (
        (Change(ROLE, Action.DELETE, "no longer in the spec", deferred="in use"),),
        [("role/web", "unexpected", None)],
    ),
    "what is replaced, without what stays the same": (
        (
            Change(
                FLEET,
                Action.REPLACE,
                "",
                (FieldChange("image", "ami-1", "ami-2"), FieldChange("key", "k", "k")),
            ),
        ),
        [("fleet/web", "different", "image")],
    ),
    "nor what only rides along": (
        (
            Change(
                FLEET,
                Action.REPLACE,
                "",
                (FieldChange("image", "a", "b"), FieldChange("type", "x", "y", is_consequence=True)),
            ),
        ),
        [("fleet/web", "different", "image")],
    ),
    "members that are spread unevenly": (
        (Change(FLEET, Action.REPLACE, "members are spread unevenly"),),
        [("fleet/web", "different", None)],
    ),
    "one instance of several without a profile, and one with another": (
        (
            Change(BOX, Action.CREATE, "", (FieldChange("instance_profile", None, "p"),), (ONE,)),
            Change(BOX, Action.UPDATE, "", (FieldChange("instance_profile", "q", "p"),), (TWO,)),
        ),
        [("attachment/box", "missing", None), ("attachment/box", "different", "instance_profile")],
    ),
}


@pytest.mark.parametrize(("changes", "expected"), FOUND.values(), ids=FOUND)
def test_is(changes: tuple[Change, ...], expected: list[tuple[str, str, str | None]]) -> None:
    assert told(*changes) == expected


def test_is_also_what_apply_refuses_and_what_no_change_corrects() -> None:
    refusal = Refusal(ROLE, "the name is taken (the same for role/db)", "", also=(Address("role", "db"),))
    notes = (
        Note(FLEET, "a newer image"),
        Note(FLEET, "a volume has grown", kind=NoteKind.DIFFERENCE),
        Note(FLEET, "user data is not compared", kind=NoteKind.NOT_COMPARED),
    )
    found = report(plan(refusals=(refusal,), notes=notes), (), TODAY)
    assert [(str(difference.address), difference.message) for difference in found.differences] == [
        ("role/web", "the name is taken"),
        ("role/db", "the name is taken"),
        ("fleet/web", "a volume has grown"),
    ]
    assert found.not_compared == ((FLEET, "user data is not compared"),)


# --- what is accepted


def accepting(address: Address = ROLE, path: str | None = None, **more: Any) -> Acceptance:
    return Acceptance(
        address, "because", more.pop("until", TODAY), path, place="accepted-drift.yaml:1:3", **more
    )


ACCEPTED: dict[str, tuple[Acceptance, list[str | None]]] = {
    "everything at an address": (accepting(), ["description", "managed_policies"]),
    "a field": (accepting(path="description"), ["description"]),
    "a field with the value it has": (
        accepting(path="managed_policies", value=["a", "b"]),
        ["managed_policies"],
    ),
    "a field with another value": (accepting(path="managed_policies", value=["a"]), []),
    "a field with no value": (accepting(path="description", value=None), []),
    "a field whose name begins alike": (accepting(path="desc"), []),
    "another address": (accepting(FLEET), []),
    "this environment": (accepting(environment="dev"), ["description", "managed_policies"]),
    "another environment": (accepting(environment="prod"), []),
    "until yesterday": (accepting(until=date(2026, 11, 25)), []),
    "until a later day": (accepting(until=date(2027, 1, 1)), ["description", "managed_policies"]),
}


@pytest.mark.parametrize(("acceptance", "paths"), ACCEPTED.values(), ids=ACCEPTED)
def test_that_is_accepted(acceptance: Acceptance, paths: list[str | None]) -> None:
    found = report(plan(DIFFERENT), [acceptance], TODAY)
    assert [entry.difference.path for entry in found.accepted] == paths
    left = [path for path in ("description", "managed_policies") if path not in paths]
    assert [difference.path for difference in found.differences] == left


@pytest.mark.parametrize(
    ("path", "is_accepted"), [("tags", True), ("tags.team", True), ("tags.te", False), ("tag", False)]
)
def test_a_section_is_accepted_with_all_its_fields(path: str, is_accepted: bool) -> None:
    assert bool(report(plan(TAGGED), [accepting(FLEET, path)], TODAY).accepted) is is_accepted


def test_what_is_missing_is_accepted_by_its_address_or_its_count() -> None:
    assert report(plan(NEW_ROLE), [accepting()], TODAY).accepted
    assert not report(plan(NEW_ROLE), [accepting(path="trust")], TODAY).accepted
    assert report(plan(LAUNCH), [accepting(FLEET, "count", value=1)], TODAY).accepted


def test_acceptances_that_are_past_or_accept_nothing_are_told_and_others_are_not() -> None:
    past, other = accepting(until=date(2020, 1, 1)), accepting(path="description", value="else")
    elsewhere = accepting(FLEET, environment="prod")
    found = report(plan(DIFFERENT), [past, other, elsewhere, accepting(path="description")], TODAY)
    assert (found.expired, found.superfluous) == ((past,), (other,))


# --- told

FULL = report(
    plan(
        DIFFERENT,
        TAGGED,
        LAUNCH,
        Change(Address("role", "gone"), Action.DELETE, "no longer in the spec"),
        notes=(Note(FLEET, "user data is not compared", kind=NoteKind.NOT_COMPARED),),
    ),
    [
        accepting(path="managed_policies"),
        accepting(until=date(2020, 1, 1)),
        accepting(BOX, "x", value=1, environment="dev"),
    ],
    TODAY,
)
TEXT = """\
Drift of dev  account 123456789012, us-east-1  LOCAL
- in AWS  + in the spec  AWS → spec

role/web  different
    description  by hand → Works
fleet/web  different on 1 instance
    tags.team  x → data
    i-0aaaaaaaaaaaaaaa1 (web)
fleet/web  1 instance missing: in the spec, and not in AWS
    count  1 → 2
role/gone  unexpected: in AWS, and not in the spec

note 1 difference accepted: role/web managed_policies with any value until 2026-11-26 (because)
note accepted-drift.yaml:1:3: role/web was accepted until 2020-01-01, which is past
note accepted-drift.yaml:1:3: attachment/box x is accepted, and AWS does not have that value there; remove it
note fleet/web: user data is not compared

Drift: 4 differences at 3 addresses (1 missing, 2 different, 1 unexpected)."""


def test_for_people() -> None:
    assert drift_text(FULL, 120, local=True).plain == TEXT


def test_what_another_spec_of_the_folder_may_need_is_not_to_be_removed() -> None:
    for environment, told in (("dev", "nothing differs there; remove it"), (None, "nothing differs in dev")):
        found = report(plan(), [accepting(BOX, environment=environment)], TODAY)
        (line,) = (line for line in drift_text(found, 200).plain.splitlines() if "attachment/box" in line)
        assert line == f"note accepted-drift.yaml:1:3: attachment/box is accepted, and {told}"


def test_many_instances_are_counted_and_listed_where_that_is_asked_for() -> None:
    many = tuple(f"i-{number:017x}" for number in range(9))
    found = report(plan(replace(TAGGED, instances=many, names={})), (), TODAY)
    assert many[-1] not in (text := drift_text(found, 80).plain)
    assert "9 instances (--ids lists them)" in text
    assert many[-1] in drift_text(found, 80, ids=True).plain
    assert drift_data(found)["drift"][0]["instances"] == [*many]


NONE = DriftReport("dev", "us-east-1", "123456789012")


def test_none_for_people() -> None:
    assert drift_text(NONE, 80).plain.splitlines()[-1] == "No drift. dev is as the spec says."
    accepted = report(plan(DIFFERENT), [accepting()], TODAY)
    last = drift_text(accepted, 80).plain.splitlines()[-1]
    assert last == "No drift. dev is as the spec says but for 2 accepted differences."


def test_many_acceptances_are_told_in_one_line() -> None:
    changes = [replace(DIFFERENT, address=Address("role", f"r{number}")) for number in range(9)]
    entries = [accepting(change.address) for change in changes]
    text = drift_text(report(plan(*changes), entries, TODAY), 500).plain
    (line,) = [line for line in text.splitlines() if "accepted:" in line]
    assert line.startswith("note 18 differences accepted: role/r0 with all that differs there until")
    assert line.endswith("; 6 more")


@pytest.mark.parametrize("width", [40, 80])
def test_no_line_is_too_wide_and_none_can_be_forged(width: int) -> None:
    odd = replace(
        TAGGED,
        fields=(FieldChange("tags.a\nrole/x  missing", "\x1b[2J\u202e", "y" * 200),),
        names={ONE: "\n"},
    )
    entries = [replace(accepting(BOX), reason="x\nNo drift.")]
    text = drift_text(report(plan(odd, Change(BOX, Action.DELETE, "")), entries, TODAY), width).plain
    assert all(character.isprintable() or character == "\n" for character in text)
    assert "\nrole/x" not in text
    assert "\nNo drift" not in text
    assert max(map(len, text.splitlines())) <= width


WIDE = report(
    plan(
        Change(
            ROLE,
            Action.UPDATE,
            "",
            (FieldChange("managed_policies", ("arn:aws:iam::aws:policy/AdministratorAccess",), ()),),
        )
    ),
    (),
    TODAY,
)


@pytest.mark.parametrize("drift", [FULL, NONE, WIDE], ids=["all of it", "none", "wide rights"])
def test_for_programs(drift: DriftReport) -> None:
    data = json.loads(json.dumps(drift_data(drift)))
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(SCHEMA).validate(data)
    assert [entry["field"] for entry in data["drift"]] == [
        difference.path for difference in drift.differences
    ]


def test_values_for_programs() -> None:
    data = drift_data(FULL)
    assert (data["drift"][0]["aws"], data["drift"][0]["spec"]) == ("by hand", "Works")
    assert data["accepted"][0]["reason"] == "because"
    assert data["expired"][0]["place"] == "accepted-drift.yaml:1:3"


def test_states_and_values_are_what_they_seem() -> None:
    assert Difference(ROLE, State.MISSING).path is None
    assert accepting(value=None).has_value
    assert not accepting(value=ANY_VALUE).has_value


def test_a_tag_that_is_called_as_a_credential_is_hidden() -> None:
    change = Change(
        FLEET, Action.UPDATE, "", (FieldChange("tags.access_token", "hunter2abc", "hunter3abc"),), (ONE,)
    )
    found = report(Plan("dev", "us-east-1", "123456789012", (change,)), (), TODAY)
    assert drift_data(found)["drift"][0]["aws"] == drift_data(found)["drift"][0]["spec"] == "***"
    assert "hunter" not in drift_text(found, 120).plain


def test_so_is_a_list_of_what_a_policy_compares_with_a_credential() -> None:
    sides = [
        {"Condition": {"StringEquals": {"aws:RequestTag/access_token": [f"hunter{number}abc", "other-one"]}}}
        for number in (2, 3)
    ]
    change = Change(ROLE, Action.UPDATE, "", (FieldChange("trust", sides[0], sides[1]),))
    found = report(Plan("dev", "us-east-1", "123456789012", (change,)), (), TODAY)
    assert "hunter" not in str(drift_data(found)) + drift_text(found, 120).plain
