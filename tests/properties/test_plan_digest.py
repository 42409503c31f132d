"""The digest of a plan is that of the world and the spec, and not of the order in which AWS answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from provisioner.kinds import KINDS
from provisioner.observe import observe
from provisioner.plan import plan as compare
from provisioner.render.as_json import plan_data
from tests.properties.any_spec.connection import Connection, Execute
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

# Documents are texts, which AWS gives back as they are.
DOCUMENTS = ("AssumeRolePolicyDocument", "PolicyDocument", "Document")


def in_another_order(value: Any, random: Random) -> Any:
    """An answer with each of its lists in another order; AWS promises none for any of them."""
    if isinstance(value, Mapping):
        return {
            key: inner if key in DOCUMENTS else in_another_order(inner, random)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        shuffled = [in_another_order(inner, random) for inner in value]
        random.shuffle(shuffled)
        return shuffled
    return value


def planned(spec: Spec, execute: Execute) -> dict[str, Any]:
    return plan_data(compare(observe(loaded(spec), Connection(execute, may_write=False), KINDS), KINDS))


any_order = given(pairs(), external_changes, st.integers(0, 1000))
quick = settings(at_leisure, derandomize=True, phases=[Phase.generate])


def is_the_same(pair: tuple[Spec, Spec], done: Sequence[ExternalChange], seed: int) -> None:
    scenario = Scenario()
    scenario.apply(pair[0])
    scenario.disturb(done)
    spec, random = naming_members(grounded(pair[1], FAKE_GROUND), picture(scenario.aws)), Random(seed)

    def shuffled(service: str, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = in_another_order(scenario.aws.execute(service, operation, params), random)
        return answer

    assert planned(spec, shuffled) == planned(spec, scenario.aws.execute)


@any_order
@settings(quick, max_examples=4)
def test_it_does_not_depend_on_the_order_of_answers(
    pair: tuple[Spec, Spec], done: Sequence[ExternalChange], seed: int
) -> None:
    is_the_same(pair, done, seed)


@pytest.mark.long
def test_nor_of_those_about_a_hundred_specs() -> None:
    settings(quick, max_examples=100)(any_order(is_the_same))()
