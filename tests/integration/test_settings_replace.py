"""Settings that change by replacement: other instances in the end, and never fewer healthy than promised."""

from __future__ import annotations

import pytest

from provisioner.kinds.fleet.settings.setting import How, Setting
from tests.support.cloud import Cloud
from tests.support.program import Program
from tests.support.setting_cases import CASES, FLEET, settings_that, with_setting
from tests.support.witness import Witness

# Each starts a program or several: minutes in all.
pytestmark = pytest.mark.long

each_replaced = pytest.mark.parametrize(
    "setting", settings_that(How.REPLACE), ids=lambda setting: setting.path
)


@each_replaced
def test_a_new_value_in_the_spec_replaces_each_member_wave_by_wave(
    setting: Setting, program: Program, cloud: Cloud, witness: Witness
) -> None:
    case = CASES[setting.path]
    first, second = case.values(cloud)
    assert program.apply(with_setting(setting.path, first)).code == 0
    assert case.all_have(cloud, first, second)
    before = cloud.ids("probe")
    cloud.break_with(boot_s=0.05, terminate_s=0.05)

    changed = with_setting(setting.path, second)
    planned = program.plan(changed)
    assert planned.told == {(FLEET, "replace", path) for path in (setting.path, *case.brings)}
    (change,) = planned.changes
    assert (change["deferred"], change["rollout"]["order"]) == (None, "launch_first")
    assert setting.why in change["reason"]
    assert sorted(change["instances"]) == before
    witness.clear()
    applied = program.apply(changed)
    assert applied.code == 0, applied.said
    assert applied.became("deferred") == []
    assert len(cloud.ids("probe")) == 2
    assert not set(cloud.ids("probe")) & set(before)
    assert case.all_have(cloud, second, first)
    assert witness.ids("TerminateInstances") == [set(wave) for wave in change["rollout"]["waves"]]
    assert min(witness.healthy) == change["rollout"]["healthy"] == 2
    assert max(witness.live) == 3
    assert witness.operations == planned.calls
    assert program.plan(changed).told == set()


# What volumes have become by hand is told, and replaces nobody: test_volumes.py.
OF_VOLUMES = ("root_volume", "volumes")


@pytest.mark.parametrize(
    "setting",
    [setting for setting in settings_that(How.REPLACE) if setting.path not in OF_VOLUMES],
    ids=lambda setting: setting.path,
)
def test_a_member_that_was_launched_otherwise_is_replaced_and_no_other_touched(
    setting: Setting, program: Program, cloud: Cloud, witness: Witness
) -> None:
    case = CASES[setting.path]
    first, second = case.values(cloud)
    spec = with_setting(setting.path, first)
    assert program.apply(spec).code == 0
    exchanged, other = cloud.ids("probe")
    odd = case.by_hand(cloud, exchanged, second)
    assert case.has(cloud, cloud.instance(odd), second)
    assert len(cloud.ids("probe")) == 2

    planned = program.plan(spec, *case.sees)
    assert planned.told == {(FLEET, "replace", setting.path)}
    assert planned.changes[0]["instances"] == [odd]
    witness.clear()
    applied = program.apply(spec, *case.sees)
    assert applied.code == 0, applied.said
    after = set(cloud.ids("probe"))
    assert len(after) == 2
    assert other in after
    assert odd not in after
    assert case.all_have(cloud, first, second)
    assert witness.named == {odd}
    assert program.plan(spec, *case.sees).told == set()
