"""What a plan tells of new and replaced members: all that they get, and all that will differ."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from typing import Any

import pytest

from provisioner.kinds.fleet.settings.setting import NOT_COMPARED
from provisioner.kinds.fleet.settings.table import SETTINGS
from provisioner.model import Change, UserData
from provisioner.naming import LAUNCH_TAG
from provisioner.render.as_json import plan_data
from tests.support.build import (
    FLEET,
    PROFILE,
    ROLE,
    TRUST,
    environment,
    fleet_of,
    found_profile,
    member,
    observed_fleet,
    observed_role,
    planned,
)
from tests.support.setting_cases import CASES

SCRIPT, OTHER_SCRIPT = "#!/bin/sh\nexec true\n", "#!/bin/sh\nexec false\n"
PLAIN: dict[str, Any] = {"count": 2, "image": "ami-00000000000000001", "instance_type": "t3.micro"}
NEWER = {"image": "ami-00000000000000002"}

NOBODY = {FLEET: observed_fleet([])}


def digest(script: str) -> str:
    return hashlib.sha256(script.encode()).hexdigest()[:12]


def of_launch(**fleet: Any) -> Change:
    (change,) = planned(environment(fleets={"web": PLAIN | fleet}, tags={"team": "data"}), NOBODY).changes
    return change


def said(change: Change) -> dict[str, Any]:
    return {field.path: field.after for field in change.fields if not field.is_default}


def differing(change: Change) -> dict[str, tuple[Any, Any]]:
    return {field.path: (field.before, field.after) for field in change.fields}


# --- what is launched


EVERYTHING: dict[str, Any] = {
    "name": "web-{index}",
    "key_name": "me",
    "security_groups": ["web", "db"],
    "user_data": SCRIPT,
    "associate_public_ip": True,
    "root_volume": {"size_gb": 20, "encrypted": True},
    "volumes": [{"device": "/dev/sdf", "size_gb": 8}],
    "metadata": {"http_tokens": "optional"},
    "monitoring": True,
    "source_dest_check": False,
    "cpu_options": {"core_count": 1, "threads_per_core": 1},
    "tags": {"stage": "dev"},
    "update": {"max_unavailable": 2},
    "power": "stopped",
}


def test_a_launch_tells_everything_that_the_spec_says() -> None:
    assert said(of_launch(**EVERYTHING)) == {
        "count": 2,
        "instance_type": "t3.micro",
        "image": "ami-00000000000000001",
        "spread": "1 each in us-east-1a, b",
        "name": "web-{index}",
        "key_name": "me",
        "security_groups": ["web", "db"],
        "user_data": UserData(digest(SCRIPT), None, len(SCRIPT), SCRIPT),
        "associate_public_ip": True,
        "root_volume": {"size_gb": 20, "encrypted": True, "delete_on_termination": True},
        "volumes./dev/sdf": {"size_gb": 8, "type": "gp3", "delete_on_termination": True},
        "metadata.http_tokens": "optional",
        "monitoring": True,
        "source_dest_check": False,
        "cpu_options": {"core_count": 1, "threads_per_core": 1},
        "tags": {"team": "data", "stage": "dev"},
        "update.max_unavailable": 2,
        "power": "stopped",
    }


def test_a_launch_folds_what_the_spec_does_not_say() -> None:
    change = of_launch()
    assert {field.path: field.after for field in change.fields if field.is_default} == {
        "name": "env-web",
        "metadata.http_tokens": "required",
        "metadata.http_endpoint": "enabled",
        "metadata.hop_limit": 1,
        "metadata.instance_tags": "disabled",
        "monitoring": False,
        "termination_protection": "off",
        "shutdown_behavior": "stop",
        "market": "on_demand",
        "root_volume.delete_on_termination": True,
        "power": "running",
    }
    paths = [field.path for field in change.fields]
    assert len(paths) == len(set(paths))


@pytest.mark.parametrize("path", [path for path, case in CASES.items() if not callable(case.second)])
def test_each_setting_that_a_spec_says_is_in_its_launch(path: str) -> None:
    case = CASES[path]
    written: dict[str, Any] = dict(case.around)
    section, _, name = path.partition(".")
    value: Any = case.second
    if section == "volumes" and name:
        value = [{"device": "/dev/sdf", "size_gb": 8, name: case.second}]
    elif name:
        value = {**written.get(section, {}), name: case.second}
    change = of_launch(**{**written, section: value})
    told = {
        field_path
        for field in change.fields
        if not field.is_default
        for field_path in (field.path, *_keys(field))
    }
    assert told & {path, f"{section}.{name}", f"volumes./dev/sdf.{name}", "volumes./dev/sdf"}


def _keys(field: Any) -> list[str]:
    return [f"{field.path}.{key}" for key in field.after] if isinstance(field.after, dict) else []


def test_a_plan_of_settings_that_are_given_after_the_launch_has_a_digest() -> None:
    plan = planned(environment(fleets={"web": PLAIN | {"source_dest_check": False}}), NOBODY)
    assert plan_data(plan)["digest"]


# --- what is replaced


def replaced(spec: dict[str, Any], **has: Any) -> Change:
    """The replacement of a member that has what the spec says but for `has`, by a newer image."""
    desired = environment(fleets={"web": {**PLAIN, "count": 1, **NEWER, **spec}}, tags={"team": "data"})
    its = member(1, fleet_of(desired), image=PLAIN["image"], **has)
    changes = planned(desired, {FLEET: observed_fleet([its])}).changes
    (change,) = [change for change in changes if change.action == "replace"]
    return change


IMAGE = {"image": (PLAIN["image"], NEWER["image"])}

ALSO: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "nothing": ({}, {}, {}),
    "a type that a restart would change": (
        {"instance_type": "t3.large"},
        {"type": "t3.micro"},
        {"instance_type": ("t3.micro", "t3.large")},
    ),
    "a type that was the second choice": (
        {"instance_type": ["t3.large", "t3a.large"]},
        {"type": "t3a.large"},
        {"instance_type": ("t3a.large", ("t3.large", "t3a.large"))},
    ),
    "a type that may be had no more": (
        {"instance_type": ["t3.large", "t3a.large"]},
        {"type": "t3.large"},
        {"instance_type": ("t3.large", ("t3.large", "t3a.large"))},
    ),
    "a market that may be had no more": (
        {"market": "spot", "fallback": "on_demand"},
        {"market": "spot"},
        {"market": ("spot", ("spot", "on_demand"))},
    ),
    "a live setting": (
        {"monitoring": True},
        {"monitoring": False},
        {"monitoring": (False, True)},
    ),
    "what is left to others on members that are there": (
        {"monitoring": True, "ignore_changes": ["monitoring"]},
        {"monitoring": False},
        {"monitoring": (False, True)},
    ),
    "what `update:` leaves as it is": (
        {"user_data": SCRIPT, "update": {"on_user_data": "ignore"}},
        {"tags": {LAUNCH_TAG: "user_data=0123456789ab"}},
        {"user_data": (UserData("0123456789ab"), UserData(digest(SCRIPT), None, len(SCRIPT), SCRIPT))},
    ),
    "tags": ({"tags": {"stage": "dev"}}, {"tags": {"team": "shop"}}, {"tags.team": ("shop", "data")}),
    "tags of others, which go with the member": (
        {},
        {"tags": {"cost": "42"}},
        {"tags.cost": ("42", None)},
    ),
    "the name": ({"name": "front"}, {"tags": {"Name": "web"}}, {"name": ("web", "front")}),
    "a number of its own is no difference": (
        {"name": "web-{index}"},
        {"tags": {"Name": "web-7", "provisioner:index": "7"}},
        {},
    ),
    "the groups that a launch without any gets": (
        {},
        {"groups": {"sg-1": "web"}},
        {"security_groups": (("web",), None)},
    ),
    "a placement group that the spec does not say": (
        {},
        {"described": {"Placement": {"GroupName": "near"}}},
        {"placement_group": ("near", None)},
    ),
    "what EC2 gives by itself": (
        {},
        {"described": {"SourceDestCheck": False, "MaintenanceOptions": {"AutoRecovery": "default"}}},
        {"source_dest_check": (False, None)},
    ),
    "a root volume that the spec no longer says": (
        {},
        {"tags": {LAUNCH_TAG: "root_volume=size_gb:20"}},
        {"root_volume": ("size_gb:20", None)},
    ),
    "a member that is down": ({}, {"state": "stopped"}, {"power": ("stopped", "running")}),
}


@pytest.mark.parametrize("case", ALSO)
def test_a_replacement_tells_what_rides_along(case: str) -> None:
    spec, has, also = ALSO[case]
    change = replaced(spec, **has)
    assert differing(change) == IMAGE | also
    assert next(iter(change.fields)).path == "image"


# What rides along and is as the spec says: it is taken, or left to others, or not asked for.
CONSEQUENCES = (
    "a type that was the second choice",
    "a type that may be had no more",
    "a market that may be had no more",
    "what is left to others on members that are there",
    "the groups that a launch without any gets",
    "a placement group that the spec does not say",
    "what EC2 gives by itself",
    "a root volume that the spec no longer says",
)


@pytest.mark.parametrize("case", ALSO)
def test_what_rides_along_is_told_from_what_differs_from_the_spec(case: str) -> None:
    spec, has, also = ALSO[case]
    assert {field.path: field.is_consequence for field in replaced(spec, **has).fields} == {
        "image": False
    } | dict.fromkeys(also, case in CONSEQUENCES)


def test_a_tag_that_is_to_be_ignored_differs_from_nothing() -> None:
    desired = environment(fleets={"web": {**PLAIN, "count": 1, **NEWER}}, ignore_tags=["cost"])
    its = member(1, fleet_of(desired), image=PLAIN["image"], tags={"cost": "42"})
    (change,) = planned(desired, {FLEET: observed_fleet([its])}).changes
    assert {field.path: field.is_consequence for field in change.fields} == {
        "image": False,
        "tags.cost": True,
    }


def test_a_replacement_that_leaves_fewer_members_tells_the_count() -> None:
    desired = environment(fleets={"web": {**PLAIN, "count": 1, **NEWER}})
    members = [member(number, fleet_of(desired), image=PLAIN["image"]) for number in (1, 2)]
    (change,) = planned(desired, {FLEET: observed_fleet(members)}).changes
    assert differing(change) == {"count": (2, 1)} | IMAGE


def test_an_instance_profile_rides_along() -> None:
    desired = environment(
        roles={"web": {}},
        instance_profiles={"web": {"role": "web"}},
        fleets={"web": {**PLAIN, "count": 1, **NEWER, "instance_profile": "web"}},
    )
    its = replace(member(1, fleet_of(desired), image=PLAIN["image"]), profile=None)
    changes = planned(desired, {FLEET: observed_fleet([its])}).changes
    (change,) = [change for change in changes if change.action == "replace"]
    assert differing(change)["instance_profile"] == (None, "env-web")


def test_many_values_that_members_have_are_told_by_their_number() -> None:
    desired = environment(fleets={"web": {**PLAIN, "count": 7, **NEWER}})
    members = [
        member(number, fleet_of(desired), image=PLAIN["image"], tags={"host": f"h{number}"})
        for number in range(1, 8)
    ]
    (change,) = planned(desired, {FLEET: observed_fleet(members)}).changes
    assert differing(change)["tags.host"] == ("7 different values", None)


def test_user_data_that_was_read_is_told_with_its_size_and_at_hand() -> None:
    has = base64.b64encode(OTHER_SCRIPT.encode()).decode()
    change = replaced(
        {"user_data": SCRIPT},
        tags={LAUNCH_TAG: f"user_data={digest(OTHER_SCRIPT)}"},
        described={"UserData": has},
    )
    before, after = differing(change)["user_data"]
    assert before == UserData(digest(OTHER_SCRIPT), None, len(OTHER_SCRIPT), OTHER_SCRIPT)
    assert after == UserData(digest(SCRIPT), None, len(SCRIPT), SCRIPT)
    assert OTHER_SCRIPT not in repr(change)


def test_each_setting_that_has_a_launch_default_is_one_that_a_spec_may_leave_out() -> None:
    fleet = fleet_of(environment(fleets={"web": PLAIN}))
    by_themselves = [setting for setting in SETTINGS if setting.by_itself is not NOT_COMPARED]
    compared = [setting.path for setting in by_themselves if setting.desired(fleet) is not NOT_COMPARED]
    assert compared == []


# --- roles and profiles


def test_what_goes_is_told_by_the_name_that_it_has_in_aws_and_with_what_it_has() -> None:
    role = observed_role(
        managed_policies=frozenset({"arn:aws:iam::aws:policy/ReadOnlyAccess"}),
        inline_policies={"read": {"Statement": []}},
    )
    profile, gone = planned(environment(), {ROLE: role, PROFILE: found_profile()}).changes
    assert differing(profile) == {"name": ("env-web", None), "role": ("env-web", None)}
    assert differing(gone) == {
        "name": ("env-web", None),
        "managed_policies": (("arn:aws:iam::aws:policy/ReadOnlyAccess",), None),
        "inline_policies": (("read",), None),
    }


def test_a_name_and_a_path_that_the_spec_says_are_no_defaults() -> None:
    desired = environment(roles={"web": {"name": "front", "path": "batch/", "max_session_duration": 7200}})
    (change,) = planned(desired, {}).changes
    assert said(change) == {
        "trust": TRUST,
        "name": "front",
        "path": "/provisioner/env/batch/",
        "max_session_duration": 7200,
    }
