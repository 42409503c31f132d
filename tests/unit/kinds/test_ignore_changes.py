"""What `ignore_changes` may name: settings, groups of them, and fields of volumes."""

from __future__ import annotations

from typing import Any

import pytest

from provisioner.errors import SpecError
from provisioner.kinds.fleet.settings.table import SETTINGS
from tests.support.build import environment, fleet_of

FLEET = {
    "count": 1,
    "image": "ami-00000000000000001",
    "instance_type": "t3.micro",
    "volumes": [{"device": "/dev/sdf", "size_gb": 5}],
}


def ignoring(*paths: str) -> Any:
    return fleet_of(environment(fleets={"web": {**FLEET, "ignore_changes": list(paths)}}))


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
