"""What `ignore_changes` may name: settings, groups of them, and fields of volumes."""

from __future__ import annotations

from typing import Any

import pytest

from provisioner.errors import AwsError, SpecError
from provisioner.kinds.fleet.rolling_update.starting import Start
from provisioner.kinds.fleet.settings.differences import differing, with_reset
from provisioner.kinds.fleet.settings.setting import How
from provisioner.kinds.fleet.settings.table import SETTINGS
from provisioner.kinds.instances import Instance
from tests.support.build import environment, fleet_of, member
from tests.support.scripted import Scripted

FLEET = {
    "count": 1,
    "image": "ami-00000000000000001",
    "instance_type": "t3.micro",
    "volumes": [{"device": "/dev/sdf", "size_gb": 5}],
}


def ignoring(*paths: str, **more: Any) -> Any:
    return fleet_of(environment(fleets={"web": {**FLEET, **more, "ignore_changes": list(paths)}}))


# What is named, and settings that are ignored then, and are not.
NAMED: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "a setting": ("user_data", ("user_data",), ("monitoring",)),
    "a setting in a group": ("metadata.hop_limit", ("metadata.hop_limit",), ("metadata.http_tokens",)),
    "a group": ("metadata", ("metadata.hop_limit", "metadata.http_tokens"), ("monitoring",)),
    "a field of the root volume": (
        "root_volume.size_gb",
        ("root_volume.size_gb",),
        ("root_volume", "root_volume.iops", "volumes.size_gb"),
    ),
    "a field of all further volumes": (
        "volumes.size_gb",
        ("volumes.size_gb", "volumes./dev/sdf.size_gb"),
        ("volumes", "volumes./dev/sdf", "volumes./dev/sdf.iops"),
    ),
    "a volume": (
        "volumes./dev/sdf",
        ("volumes./dev/sdf", "volumes./dev/sdf.size_gb"),
        ("volumes", "volumes.size_gb", "volumes./dev/sdg.size_gb"),
    ),
    "whether a volume goes": (
        "volumes./dev/sdf.delete_on_termination",
        ("volumes./dev/sdf.delete_on_termination",),
        ("volumes./dev/sdf",),
    ),
}


@pytest.mark.parametrize("case", NAMED)
def test_what_is_ignored(case: str) -> None:
    named, ignored, compared = NAMED[case]
    fleet = ignoring(named)
    assert [path for path in ignored if not fleet.ignores(path)] == []
    assert [path for path in compared if fleet.ignores(path)] == []


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.path)
def test_every_setting_can_be_named(setting: Any) -> None:
    assert ignoring(setting.path).ignores(setting.path)


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("root_volume.sizegb", "root_volume.size_gb"),
        ("root_volume.delete_on_termination", "volumes.delete_on_termination"),
        ("ami", ""),
        ("count", ""),
        ("volumes./dev/sdg.size_gb", "volumes.size_gb"),
    ],
)
def test_what_is_no_setting_is_told_once_with_those_that_there_are(wrong: str, meant: str) -> None:
    with pytest.raises(SpecError) as caught:
        ignoring("user_data", wrong)
    (problem,) = caught.value.problems
    assert problem.field == "fleets.web.ignore_changes[1]"
    assert problem.message == f"no setting is called {wrong!r}"
    hint = problem.hint or ""
    assert hint.startswith(f"did you mean {meant}? There are " if meant else "There are ")
    assert {setting.path for setting in SETTINGS} <= set(hint.replace(",", "").split())


CPU = {"cpu_options": {"core_count": 1, "threads_per_core": 1}}
TYPES = ["t3.small", "t3.medium"]
NO_ROOM = AwsError("ec2", "StartInstances", "InsufficientInstanceCapacity", "no", 500)


def has(type_: str) -> Instance:
    cores = {"CpuOptions": {"CoreCount": 1, "ThreadsPerCore": 1}}
    return member(1, ignoring("monitoring"), type=type_, described=cores, state="stopped")


@pytest.mark.parametrize(
    ("ignored", "changed"),
    [("monitoring", ("instance_type", "cpu_options")), ("cpu_options", ("instance_type",))],
)
def test_a_change_of_type_gives_again_what_is_not_left_to_others(
    ignored: str, changed: tuple[str, ...]
) -> None:
    fleet = ignoring(ignored, instance_type=TYPES, **CPU)
    settings = differing(fleet, [has("t3.micro")], How.RESTART)["i-01"]
    assert with_reset(fleet, settings) == changed


# What is left to others, and what is sent where the type has no room.
STARTED = {
    "monitoring": ["StartInstances", "ModifyInstanceAttribute", "ModifyInstanceCpuOptions", "StartInstances"],
    "cpu_options": ["StartInstances", "ModifyInstanceAttribute", "StartInstances"],
}


@pytest.mark.parametrize("ignored", STARTED)
def test_a_start_as_another_type_gives_again_what_is_not_left_to_others(ignored: str) -> None:
    fleet = ignoring(ignored, instance_type=TYPES, **CPU)
    types = {"i-01": "t3.small"}
    sent = Scripted(NO_ROOM, *[{}] * (len(STARTED[ignored]) - 1), shown=[has("t3.small")])
    sent.run(Start(fleet, "env", types, types, members={"i-01": has("t3.small")}))
    assert sent.operations == STARTED[ignored]


def test_no_other_type_is_tried_where_the_type_is_left_to_others() -> None:
    types = {"i-01": "t3.micro"}
    sent = Scripted(NO_ROOM, shown=[has("t3.micro")])
    with pytest.raises(AwsError, match="no"):
        sent.run(Start(ignoring("instance_type", instance_type=TYPES), "env", types, types))
    assert sent.operations == ["StartInstances"]
