"""Settings that change by stop and start: in waves, the same instances, no more of them down than said."""

from __future__ import annotations

import pytest

from provisioner.kinds.fleet.settings.setting import How, Setting
from tests.support.cloud import Cloud
from tests.support.program import Program
from tests.support.setting_cases import CASES, FLEET, settings_that, with_setting
from tests.support.witness import Witness

# Each starts a program or several: minutes in all.
pytestmark = pytest.mark.long

each_restarted = pytest.mark.parametrize(
    "setting", settings_that(How.RESTART), ids=lambda setting: setting.path
)


@each_restarted
def test_a_new_value_in_the_spec_reaches_each_member_wave_by_wave(
    setting: Setting, program: Program, cloud: Cloud, witness: Witness
) -> None:
    case = CASES[setting.path]
    first, second = case.values(cloud)
    assert program.apply(with_setting(setting.path, first)).code == 0
    assert case.all_have(cloud, first, second)
    before = cloud.ids("probe")
    cloud.break_with(boot_s=0.05, stop_s=0.05)

    changed = with_setting(setting.path, second)
    planned = program.plan(changed)
    assert planned.told == {(FLEET, "update", setting.path)}
    (change,) = planned.changes
    assert (change["deferred"], change["rollout"]["order"]) == (None, "restart")
    assert setting.why in change["reason"]
    assert sorted(change["instances"]) == before
    witness.clear()
    applied = program.apply(changed)
    assert applied.code == 0, applied.said
    assert applied.became("deferred") == []
    assert cloud.ids("probe") == before
    assert {cloud.state(instance) for instance in before} == {"running"}
    assert case.all_have(cloud, second, first)
    assert witness.ids("StopInstances") == [set(wave) for wave in change["rollout"]["waves"]]
    assert witness.ids("StartInstances") == witness.ids("StopInstances")
    assert min(witness.healthy) == change["rollout"]["healthy"] == 1
    assert witness.operations == planned.calls
    assert program.plan(changed).told == set()


@each_restarted
def test_what_was_changed_by_hand_is_put_right_and_no_other_member_touched(
    setting: Setting, program: Program, cloud: Cloud, witness: Witness
) -> None:
    case = CASES[setting.path]
    first, second = case.values(cloud)
    spec = with_setting(setting.path, first)
    assert program.apply(spec).code == 0
    before = cloud.ids("probe")
    odd = case.by_hand(cloud, before[1], second)
    assert case.has(cloud, cloud.instance(odd), second)

    planned = program.plan(spec, *case.sees)
    assert planned.told == {(FLEET, "update", setting.path)}
    assert planned.changes[0]["instances"] == [odd]
    witness.clear()
    applied = program.apply(spec, *case.sees)
    assert applied.code == 0, applied.said
    assert cloud.ids("probe") == before
    assert case.all_have(cloud, first, second)
    assert witness.named == {odd}
    assert cloud.state(odd) == "running"
    assert program.plan(spec, *case.sees).told == set()
