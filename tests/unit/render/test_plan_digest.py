"""The digest of a plan: it moves with what would be done, with nothing else, and tells no secret."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.canonical import ROUNDS, parameters_digest
from provisioner.model import Action, Address, Call, Change, FieldChange, Parallel, Plan, Rollout, Step, Whole
from provisioner.render import as_json
from provisioner.render.as_json import plan_data, plan_digest
from provisioner.secrecy import HIDDEN
from tests.unit.render import render_examples as examples

FLEET = replace(examples.new_fleet(), instances=examples.ids(2), names={examples.ids(1)[0]: "web"})
ROLE = examples.new_role()
SECRET = "hunter2"


def digest_of(plan: Plan) -> str:
    digest: str = plan_data(plan)["digest"]
    assert as_json.digest_of(plan) == digest
    return digest


def with_calls(*calls: Step) -> Plan:
    return examples.plan(replace(FLEET, steps=calls))


def launch(**params: Any) -> Call:
    return Call("ec2", "RunInstances", params)


def tagged(value: Any) -> Plan:
    return examples.plan(replace(examples.new_profile(), fields=(FieldChange("tags", None, value),)))


ROLLOUT = Rollout("restart", (examples.ids(1), examples.ids(1, 1)), 1, 2)
OTHERS = {
    "environment": examples.plan(FLEET, environment="outages"),
    "region": examples.plan(FLEET, region="eu-central-1"),
    "account": examples.plan(FLEET, account_id="210987654321"),
    "destroy": examples.plan(FLEET, destroy=True),
    "a change more": examples.plan(FLEET, ROLE),
    "order": examples.plan(ROLE, FLEET),
    "action": examples.plan(replace(FLEET, action=Action.UPDATE)),
    "a field less": examples.plan(replace(FLEET, fields=FLEET.fields[1:])),
    "a field before": examples.plan(
        replace(FLEET, fields=(replace(FLEET.fields[0], before=1), *FLEET.fields[1:]))
    ),
    "a field after": examples.plan(
        replace(FLEET, fields=(replace(FLEET.fields[0], after=51), *FLEET.fields[1:]))
    ),
    "instances": examples.plan(replace(FLEET, instances=examples.ids(1))),
    "the name of an instance": examples.plan(replace(FLEET, names={examples.ids(1)[0]: "keep this one"})),
    "size": examples.plan(replace(FLEET, size=49)),
    "deferred": examples.plan(replace(FLEET, deferred="later")),
    "whole": examples.plan(replace(FLEET, whole=True)),
    "made again under its name": examples.plan(replace(FLEET, unique_id="AROAEXAMPLE")),
    "waves": examples.plan(replace(FLEET, rollout=ROLLOUT)),
    "what a failed wave leads to": examples.plan(
        replace(FLEET, rollout=replace(ROLLOUT, pause_on_failure=False))
    ),
    "other waves": examples.plan(replace(FLEET, rollout=replace(ROLLOUT, waves=(examples.ids(2),)))),
    "calls": examples.plan(replace(FLEET, steps=())),
    "parameters": with_calls(launch(KeyName="a"), launch(), launch()),
    "other parameters": with_calls(launch(KeyName="b"), launch(), launch()),
    "parameters within steps": with_calls(Parallel((launch(KeyName="c"), Whole((launch(), launch()))))),
    "refusal": examples.plan(FLEET, refusals=examples.refused().refusals),
    "destroyed": examples.destroyed(),
}


def test_it_moves_with_all_that_would_be_done() -> None:
    digests = {name: digest_of(plan) for name, plan in OTHERS.items()}
    digests["itself"] = digest_of(examples.plan(FLEET))
    assert len(set(digests.values())) == len(digests)


SAME = {
    "reason": examples.plan(replace(FLEET, reason="launch; AWS reclaimed 1 Spot instance")),
    "a note": examples.plan(FLEET, notes=examples.drifted().notes),
    "how it is scheduled": examples.plan(replace(FLEET, phase=3, blocks=False)),
}


@pytest.mark.parametrize("plan", SAME.values(), ids=SAME)
def test_it_stays_with_what_is_only_said(plan: Plan) -> None:
    assert digest_of(plan) == digest_of(examples.plan(FLEET))


def test_why_it_is_deferred_and_what_helps_against_a_refusal_are_only_said() -> None:
    assert digest_of(OTHERS["deferred"]) == digest_of(examples.plan(replace(FLEET, deferred="later still")))
    refusal = examples.refused().refusals[0]
    other = examples.plan(refusals=(replace(refusal, hint="do something"),))
    assert digest_of(other) == digest_of(examples.plan(refusals=(refusal,)))


@given(st.dictionaries(st.text(), st.text()), st.randoms())
def test_it_knows_no_order_of_mappings_and_sets(tags: dict[str, str], random: Any) -> None:
    keys = list(tags)
    random.shuffle(keys)
    assert digest_of(tagged(tags)) == digest_of(tagged({key: tags[key] for key in keys}))
    assert digest_of(tagged(frozenset(tags))) == digest_of(tagged(set(keys)))
    pairs = [{"Key": key, "Value": tags[key]} for key in tags]
    shuffled = [{"Key": key, "Value": tags[key]} for key in keys]
    assert digest_of(with_calls(launch(Tags=pairs))) == digest_of(with_calls(launch(Tags=shuffled)))


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.text()
        | st.text(alphabet="token=:\\/\"'@ \n\u2028{},secret"),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_it_can_be_computed_again_from_what_is_printed(value: Any) -> None:
    data = plan_data(tagged(value))
    assert plan_digest(data) == data["digest"]


@pytest.mark.long
def test_it_is_the_same_in_every_process() -> None:
    code = (
        "from tests.unit.render.test_plan_digest import OTHERS, digest_of\n"
        "print({name: digest_of(plan) for name, plan in OTHERS.items()})"
    )
    root = Path(__file__).parents[3]
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1


def test_it_is_this_one() -> None:
    """A digest that was approved yesterday has to be the same tomorrow."""
    fields = (FieldChange("tags", {"a": "1"}, {"a": "ü"}),)
    call = Call("iam", "TagRole", {"Tags": [{"Key": "a", "Value": "ü"}]})
    change = Change(ROLE.address, Action.UPDATE, "tags differ", fields, steps=(call,))
    assert digest_of(examples.plan(change)) == "f6eeb7efe17353f76cfa26fe2fc6f815807b6799"


# --- secrets


def test_what_has_the_form_of_a_credential_is_hidden_and_its_digest_moves_all_the_same() -> None:
    def plan(secret: str) -> Plan:
        tag = f"https://somebody:{secret}@example.com"
        call = Call("ec2", "CreateTags", {"Tags": [{"Key": "url", "Value": tag}]})
        return examples.plan(
            Change(FLEET.address, Action.UPDATE, "", (FieldChange("tags.url", None, tag),), steps=(call,))
        )

    assert SECRET not in str(plan_data(plan(SECRET)))
    assert digest_of(plan(SECRET)) != digest_of(plan("hunter3"))


@pytest.mark.parametrize(
    "text",
    [
        f"first, Bearer {SECRET}{SECRET}, last",
        f"a, client_secret: {SECRET}, b",
        f'{{"a": 1, "session_token": "{SECRET}", "b": 2}}',
        f"one,\nclient_secret={SECRET}\n, two",
        f"https://somebody:{SECRET}@example.com, https://example.com",
    ],
)
def test_a_credential_among_others_is_hidden(text: str) -> None:
    field = FieldChange("description", None, text)
    told = str(plan_data(examples.plan(Change(ROLE.address, Action.UPDATE, "", (field,)))))
    assert SECRET not in told
    assert HIDDEN in told


@pytest.mark.parametrize(
    "params",
    [{"UserData": SECRET.encode()}, {"UserData": SECRET}, {"UserData": {"Value": SECRET.encode()}}],
    ids=["bytes", "text", "attribute"],
)
def test_user_data_moves_it_and_is_not_hashed_as_it_is(params: dict[str, Any]) -> None:
    digest = parameters_digest([launch(**params)], "here")
    assert digest != parameters_digest([launch(UserData=b"hunter3")], "here")
    assert digest != parameters_digest([launch(**params)], "there")
    assert ROUNDS >= 100_000


def test_user_data_that_is_the_hash_of_another_is_not_taken_for_it() -> None:
    """HMAC takes a key of more than 64 bytes for its hash."""
    long = b"#!/bin/sh\n" * 10
    pair = (long, sha256(long).digest())
    assert len({parameters_digest([launch(UserData=user_data)], "here") for user_data in pair}) == 2
    zeros = (b"a", b"a\x00")
    assert len({parameters_digest([launch(UserData=user_data)], "here") for user_data in zeros}) == 2


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, True),
        (False, False),
        (None, None),
        (123456, HIDDEN),
        (-1.5e9, HIDDEN),
        ("hunter2hunter2", HIDDEN),
        # A list as one value: how many there are is no secret.
        (["hunter2hunter2", 123456, True, None, "true"], [HIDDEN, HIDDEN, True, None, "true"]),
    ],
)
def test_what_has_the_name_of_a_credential_stays_json(value: object, shown: object) -> None:
    condition = {"NumericEquals": {"aws:PrincipalTag/access_token": value}}
    planned = replace(
        tagged({"Condition": condition}), desired={Address("role", "r"): {"Condition": condition}}
    )
    data = plan_data(planned)
    expected = {"NumericEquals": {"aws:PrincipalTag/access_token": shown}}
    assert data["changes"][0]["fields"][0]["after"]["Condition"] == expected
    assert data["desired"]["role/r"]["Condition"] == expected
    assert plan_digest(data) == data["digest"]
