"""As many members as the spec says, never more: whoever else applies, however slow AWS is."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.cloud import Cloud
from tests.support.program import Program
from tests.support.specs import PROBE, having

FOUR = having(PROBE, fleets__worker__count=4, fleets__worker__name="server-{index}")


@pytest.mark.parametrize("theirs", [2, 4, 6], ids=["fewer", "as many", "more"])
@pytest.mark.sampled
def test_somebody_who_applies_while_a_plan_is_being_read_is_taken_into_account(
    theirs: int, program: Program, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    def applied_meanwhile(*_: Any, **__: Any) -> None:
        monkeypatch.setattr("provisioner.cli.change.show_plan", lambda *_, **__: None)
        assert program.apply(having(FOUR, fleets__worker__count=theirs)).code == 0

    # Role and profile are there, so that nothing but the fleet is in dispute.
    program.apply(having(FOUR, fleets__worker__count=0))
    monkeypatch.setattr("provisioner.cli.change.show_plan", applied_meanwhile)
    applied = program.apply(FOUR)
    assert len(cloud.ids()) == max(theirs, 4)
    # What was not in the plan that somebody agreed to is not terminated.
    assert applied.code == (1 if theirs > 4 else 0), applied.said


def test_an_aws_that_is_slow_to_show_what_was_made_is_waited_for(program: Program, cloud: Cloud) -> None:
    cloud.break_with(lag_s=0.5, iam_lag_s=0.5, propagation_s=1.0, boot_s=0.3, associate_s=0.3)
    applied = program.apply(FOUR)
    assert applied.code == 0, applied.said
    assert len(cloud.ids()) == 4
    cloud.wait(10)
    assert program.plan(FOUR).told == set()
    destroyed = program.destroy(FOUR)
    assert destroyed.code == 0, destroyed.said
    cloud.wait(10)
    assert cloud.live() == []
    assert cloud.roles() == cloud.profiles() == []


@pytest.mark.long
def test_destroying_and_applying_again_and_again_gives_as_many_each_time(
    program: Program, cloud: Cloud
) -> None:
    for _ in range(3):
        assert program.apply(FOUR).code == 0
        assert len(cloud.ids()) == 4
        assert program.destroy(FOUR).code == 0
        assert cloud.ids() == []
