"""A plan hides nothing: whatever differs occurs in every format, whole.

First for any change at all, then for what applying a random spec really changes on a fake AWS.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from provisioner.model import Action, Address, Change, FieldChange, Plan, Rollout, UserData
from provisioner.render.as_html import plan_html
from provisioner.render.as_json import plan_data
from provisioner.render.as_markdown import plan_markdown
from provisioner.render.as_text import plan_text
from tests.properties.any_spec.environments import Spec, pairs
from tests.properties.any_spec.fake_iam import Role
from tests.properties.any_spec.fake_parts import Machine, disks_of
from tests.properties.any_spec.picture import NOTES, Picture, fleet_of, is_ours, picture
from tests.properties.any_spec.scenario import Scenario, loaded, run


def _read(markup: str) -> str:
    """What a reader sees of Markdown or HTML."""
    return html.unescape(re.sub(r"<[^>]*>", "", markup)).replace("\\", "")


# A further format is a further line.
FORMATS: dict[str, Callable[[Plan], str]] = {
    "text, narrow": lambda plan: plan_text(plan, 40).plain,
    "text": lambda plan: plan_text(plan, 80).plain,
    "text, wide": lambda plan: plan_text(plan, 200, ids=True).plain,
    "JSON": lambda plan: json.dumps(plan_data(plan), ensure_ascii=False),
    "Markdown": lambda plan: _read(plan_markdown(plan)),
    "HTML": lambda plan: _read(plan_html(plan)),
}
quick = partial(
    settings,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def whole(text: str) -> str:
    """A text as it is whatever lines it was broken into."""
    return re.sub(r"\s", "", text)


# --- any change


# What is said by whoever wrote a policy, and not by its grammar.
_WORD = re.compile("w[0-9]+q|^[0-9]+$")
words = st.integers(0, 10**9).map(lambda number: f"w{number}q")
long_words = words.map(lambda word: word + "a" * 200 + word)
texts = st.one_of(words, long_words, st.lists(words, min_size=2, max_size=30).map(" ".join))
arns = words.map(lambda word: f"arn:aws:iam::aws:policy/{word}")
lists = st.lists(st.one_of(words, arns), min_size=1, max_size=14, unique=True).map(tuple)
mappings = st.dictionaries(words, texts, min_size=1, max_size=6)
user_data = st.builds(UserData, words, words, st.integers(1, 9))
statements = st.fixed_dictionaries(
    {"Effect": st.sampled_from(["Allow", "Deny"]), "Action": st.lists(words, min_size=1, max_size=30)},
    optional={
        "Sid": words,
        "Resource": st.lists(words, min_size=1, max_size=5),
        "Principal": st.fixed_dictionaries({"AWS": st.lists(words, min_size=1, max_size=5)}),
        "Condition": st.fixed_dictionaries({"StringEquals": st.dictionaries(words, words, min_size=1)}),
    },
)
policies = st.lists(statements, min_size=1, max_size=6).map(lambda listed: {"Statement": listed})
values = st.one_of(texts, lists, mappings, policies, user_data, st.integers(1000, 10**6))
paths = st.sampled_from(["managed_policies", "tags", "inline_policies.a", "description", "a.b.c", "x"])


@st.composite
def fields(draw: st.DrawFn, action: Action) -> FieldChange:
    """A field of a change: something new, something that goes, or two of the same sort."""
    path = f"{draw(paths)}.{draw(words)}"
    match action:
        case Action.CREATE:
            return FieldChange(path, None, draw(values), draw(st.booleans()))
        case Action.DELETE:
            return FieldChange(path, draw(values), None)
    sort = draw(st.sampled_from([texts, lists, mappings, policies, user_data]))
    before, after = draw(sort), draw(sort)
    side = draw(st.sampled_from(["both", "both", "both", "before", "after"]))
    return FieldChange(path, before if side != "after" else None, after if side != "before" else None)


@st.composite
def changes(draw: st.DrawFn) -> Change:
    action = draw(st.sampled_from(Action))
    number = draw(st.sampled_from([0, 1, 7, 60]))
    ids = tuple(f"i-{index:017x}" for index in range(number))
    waves = draw(st.sampled_from([0, 1, 5, 50]))
    rollout = None
    if waves and ids:
        parts = tuple(ids[at : at + waves] for at in range(0, number, waves))
        rollout = Rollout("launch_first", parts, number, number)
    return Change(
        Address("fleet", draw(words)),
        action,
        "why",
        tuple(draw(st.lists(fields(action), min_size=1, max_size=8))),
        ids,
        max(number, 1),
        rollout=rollout,
        names={instance: f"n{instance[-3:]}" for instance in ids} if draw(st.booleans()) else {},
    )


def _leaves(value: Any) -> Iterator[str]:
    """All that is said anywhere in a value."""
    match value:
        case UserData():
            yield from (value.digest, value.name or "")
        case Mapping():
            for key, inner in value.items():
                yield from (key, *_leaves(inner))
        case list() | tuple():
            for inner in value:
                yield from _leaves(inner)
        case None:
            return
        case _:
            yield str(value).removeprefix("arn:aws:iam::aws:policy/")


any_change = given(changes())


def occurs_in_every_format(change: Change) -> None:
    plan = Plan("env", "us-east-1", "123456789012", (change,))
    for name, shown in FORMATS.items():
        told = whole(shown(plan))
        for field in change.fields:
            before, after = set(_leaves(field.before)), set(_leaves(field.after))
            missing = [each for each in before ^ after if _WORD.search(each) and whole(each) not in told]
            assert not missing, f"{name} hides {missing} of {field}"
            assert field.path in told or before == after, f"{name} hides the path of {field}"
        if change.action in (Action.DELETE, Action.REPLACE):
            hidden = [each for each in change.instances if each not in told]
            assert not hidden, f"{name} hides {hidden}, which will be gone"


@quick(max_examples=30)
@any_change
def test_all_that_differs_occurs_in_every_format(change: Change) -> None:
    occurs_in_every_format(change)


@pytest.mark.long
def test_all_that_differs_in_two_hundred_changes_occurs_in_every_format() -> None:
    quick(max_examples=200)(any_change(occurs_in_every_format))()


# --- what applying a plan changes


def facts_of(machine: Machine) -> dict[str, Any]:
    """What an instance is, by the path of the field that a spec says it with."""
    disks = disks_of(machine)
    root = disks.pop("/dev/xvda")
    names = {
        "HttpTokens": "http_tokens",
        "HttpEndpoint": "http_endpoint",
        "HttpPutResponseHopLimit": "hop_limit",
        "InstanceMetadataTags": "instance_tags",
    }
    return {
        "instance_type": machine.type,
        "image": machine.image,
        "key_name": machine.key,
        "security_groups": sorted(machine.groups),
        "monitoring": machine.monitoring,
        "termination_protection": machine.protected,
        "shutdown_behavior": machine.shutdown,
        "user_data": machine.user_data,
        "market": machine.market,
        "instance_profile": machine.profile and machine.profile[0],
        "root_volume": (root["VolumeSize"], root["VolumeType"]),
        "volumes": {at: (disk.get("VolumeSize"), disk.get("VolumeType")) for at, disk in disks.items()},
        **{f"metadata.{path}": machine.metadata[name] for name, path in names.items()},
        **{f"tags.{key}": value for key, value in machine.tags.items() if key not in (*NOTES, "Name")},
    }


def facts_of_role(role: Role) -> dict[str, Any]:
    return {
        "description": role.description,
        "max_session_duration": role.duration,
        "managed_policies": sorted(role.attached),
        "permissions_boundary": role.boundary,
        **{f"inline_policies.{name}": document for name, document in role.inline.items()},
        **{f"tags.{key}": value for key, value in role.tags.items()},
    }


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> set[str]:
    return {path for path in one.keys() | other.keys() if one.get(path) != other.get(path)}


def changed_by(plan: Plan, before: Picture, after: Picture) -> Iterator[tuple[Address, str]]:
    """What is another one afterwards, by address and path: of what stayed, and of what was replaced."""
    replacing = [change for change in plan.changes if change.action is Action.REPLACE]
    replaced = {instance: change.address for change in replacing for instance in change.instances}
    for instance, was in before.live.items():
        key = fleet_of(was)
        if key and instance in after.live:
            for path in _differing(facts_of(was), facts_of(after.live[instance])):
                yield Address("fleet", key), path
        new = [one for name, one in after.members(key or "").items() if name not in before.live]
        if instance in replaced and new:
            for path in set.intersection(*(_differing(facts_of(was), facts_of(one)) for one in new)):
                yield replaced[instance], path
    keys = {change.address.key: change.address for change in plan.changes if change.address.kind == "role"}
    for name, role in before.roles.items():
        now = after.roles.get(name)
        if now and is_ours(role) and role.id == now.id:
            for path in _differing(facts_of_role(role), facts_of_role(now)):
                key = name.removeprefix("any-")
                if key in keys:
                    yield keys[key], path


any_pair = given(pairs())


def was_told_in_every_format(pair: tuple[Spec, Spec]) -> None:
    first, second = pair
    scenario = Scenario()
    if not scenario.apply(first):
        return
    scenario.let_pass()
    before = picture(scenario.aws)
    wanted = scenario._grounded(second)
    ran = run(loaded(wanted), scenario.aws.execute, scenario.aws.time)
    if ran.carried is None:
        return
    scenario.let_pass()
    told: dict[Address, dict[str, str]] = {}
    for address, path in set(changed_by(ran.plan, before, picture(scenario.aws))):
        if address not in told:
            concerned = tuple(change for change in ran.plan.changes if change.address == address)
            plan = replace(ran.plan, changes=concerned, notes=(), refusals=())
            told[address] = {name: whole(shown(plan)) for name, shown in FORMATS.items()}
        for name, text in told[address].items():
            assert path in text, f"{name} does not tell of {path} of {address}"


@quick(max_examples=10)
@any_pair
def test_all_that_applying_a_plan_changes_was_told_in_every_format(pair: tuple[Spec, Spec]) -> None:
    was_told_in_every_format(pair)


@pytest.mark.long
def test_all_that_applying_a_hundred_plans_changes_was_told_in_every_format() -> None:
    quick(max_examples=100)(any_pair(was_told_in_every_format))()


def test_every_format_is_asked() -> None:
    assert {"text", "JSON", "Markdown", "HTML"} <= FORMATS.keys()


@pytest.mark.parametrize("shown", FORMATS.values(), ids=FORMATS)
def test_a_format_that_hid_something_would_be_found(shown: Callable[[Plan], str]) -> None:
    change = Change(Address("role", "a"), Action.UPDATE, "why", (FieldChange("x", None, "w1q"),))
    assert "w2q" not in whole(shown(Plan("env", "us-east-1", "123456789012", (change,))))
