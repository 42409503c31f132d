"""Drift is what a plan shows: none where there is nothing to do, and otherwise all that differs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date

import pytest
from hypothesis import Phase, given, settings

from provisioner.canonical import jsonable
from provisioner.drift import Acceptance, report
from provisioner.kinds import KINDS, keep_images
from provisioner.model import Action, NoteKind
from provisioner.observe import observe
from provisioner.plan import plan as compare
from provisioner.render.as_drift import drift_data, drift_text
from tests.properties.any_spec.connection import Connection
from tests.properties.any_spec.environments import Spec, pairs
from tests.properties.any_spec.picture import picture
from tests.properties.any_spec.scenario import (
    FAKE_GROUND,
    ExternalChange,
    Scenario,
    grounded,
    loaded,
    naming_members,
)
from tests.properties.test_any_spec import at_leisure, external_changes

TODAY = date(2026, 11, 26)


any_drift = given(pairs(), external_changes)
quick = settings(at_leisure, derandomize=True, phases=[Phase.generate])


def tells_all(pair: tuple[Spec, Spec], done: Sequence[ExternalChange]) -> None:
    scenario = Scenario()
    scenario.apply(pair[0])
    scenario.disturb(done)
    environment = keep_images(loaded(naming_members(grounded(pair[1], FAKE_GROUND), picture(scenario.aws))))
    plan = compare(observe(environment, Connection(scenario.aws.execute, may_write=False), KINDS), KINDS)
    found = report(plan, (), TODAY)
    told_notes = [note for note in plan.notes if note.kind is NoteKind.DIFFERENCE]
    assert bool(found.differences) == bool(plan.changes or plan.refusals or told_notes)

    at = {each.address for each in found.differences}
    assert at == {
        *(change.address for change in plan.changes),
        *(address for refusal in plan.refusals for address in (refusal.address, *refusal.also)),
        *(address for note in told_notes for address in (note.address, *note.also)),
    }
    fields = {(each.address, each.path) for each in found.differences}
    for change in plan.changes:
        if change.action in (Action.UPDATE, Action.REPLACE) and (change.address, None) not in fields:
            differing = [
                each
                for each in change.fields
                if not each.is_consequence and jsonable(each.before) != jsonable(each.after)
            ]
            assert {(change.address, each.path) for each in differing} <= fields
    text = drift_text(found, 10_000, ids=True).plain
    for each in found.differences:
        assert str(each.address) in text
        assert each.path is None or each.path in text
        assert all(instance in text for instance in each.instances)
    json.dumps(drift_data(found))

    everything = [Acceptance(address, "x", TODAY) for address in at]
    accepted = report(plan, everything, TODAY)
    assert (accepted.differences, len(accepted.accepted)) == ((), len(found.differences))


@any_drift
@settings(quick, max_examples=12)
def test_it_tells_all_that_differs_and_nothing_else(
    pair: tuple[Spec, Spec], done: Sequence[ExternalChange]
) -> None:
    tells_all(pair, done)


@pytest.mark.long
def test_it_tells_all_that_differs_of_a_hundred_specs() -> None:
    settings(quick, max_examples=100)(any_drift(tells_all))()
