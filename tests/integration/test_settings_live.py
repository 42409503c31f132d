"""Settings that change while the instances run, from the spec and back from drift, and nothing but them."""

from __future__ import annotations

import pytest

from provisioner.kinds.fleet.settings.setting import How, Setting
from tests.support.cloud import Cloud, tags_of
from tests.support.program import Program
from tests.support.setting_cases import BARE, CASES, FLEET, settings_that, with_setting
from tests.support.specs import having
from tests.support.witness import DISRUPTIVE, Witness

# Each starts a program or several: minutes in all.
pytestmark = pytest.mark.long

each_live = pytest.mark.parametrize("setting", settings_that(How.LIVE), ids=lambda setting: setting.path)


def times(cloud: Cloud) -> dict[str, object]:
    """When each member was launched or started, by its id."""
    return {member["InstanceId"]: member["LaunchTime"] for member in cloud.live("probe", "worker")}


@each_live
def test_a_new_value_in_the_spec_reaches_each_member(
    setting: Setting, program: Program, cloud: Cloud, witness: Witness
) -> None:
    case = CASES[setting.path]
    first, second = case.values(cloud)
    assert program.apply(with_setting(setting.path, first)).code == 0
    assert case.all_have(cloud, first, second)
    before = times(cloud)

    changed = with_setting(setting.path, second)
    planned = program.plan(changed)
    assert planned.told == {(FLEET, "update", setting.path)}
    assert planned.changes[0]["rollout"] is None
    witness.clear()
    applied = program.apply(changed)
    assert applied.code == 0, applied.said
    assert case.all_have(cloud, second, first)
    assert times(cloud) == before
    assert not DISRUPTIVE & witness.operations.keys()
    assert witness.operations == planned.calls
    assert witness.named == before.keys()
    assert program.plan(changed).told == set()


# No volume can be made smaller again: test_volumes.py.
GROWS = ("root_volume.size_gb", "volumes.size_gb")


@pytest.mark.parametrize(
    "setting",
    [setting for setting in settings_that(How.LIVE) if setting.path not in GROWS],
    ids=lambda setting: setting.path,
)
def test_what_was_changed_by_hand_is_put_right_and_no_other_member_touched(
    setting: Setting, program: Program, cloud: Cloud, witness: Witness
) -> None:
    case = CASES[setting.path]
    first, second = case.values(cloud)
    spec = with_setting(setting.path, first)
    assert program.apply(spec).code == 0
    before = times(cloud)
    odd = case.by_hand(cloud, cloud.ids("probe")[1], second)
    assert case.has(cloud, cloud.instance(odd), second)

    planned = program.plan(spec, *case.sees)
    assert planned.told == {(FLEET, "update", setting.path)}
    assert planned.changes[0]["instances"] == [odd]
    witness.clear()
    applied = program.apply(spec, *case.sees)
    assert applied.code == 0, applied.said
    assert case.all_have(cloud, first, second)
    assert times(cloud) == before
    assert not DISRUPTIVE & witness.operations.keys()
    assert witness.named == {odd}
    assert program.plan(spec, *case.sees).told == set()


def test_tags_that_the_metadata_cannot_show_go_before_it_shows_tags_and_come_after(
    program: Program, cloud: Cloud
) -> None:
    """EC2 refuses either in the other order.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/work-with-tags-in-IMDS.html
    """
    odd = having(BARE, fleets__worker__tags={"cost/center": "1"})
    shown = having(BARE, fleets__worker__metadata={"instance_tags": "enabled"})
    assert program.apply(odd).code == 0
    for spec, is_shown, tags in ((shown, "enabled", set()), (odd, "disabled", {"cost/center"})):
        applied = program.apply(spec)
        assert applied.code == 0, applied.said
        for member in cloud.live("probe"):
            assert member["MetadataOptions"]["InstanceMetadataTags"] == is_shown
            assert tags_of(member).keys() & {"cost/center"} == tags
        assert program.plan(spec).told == set()
