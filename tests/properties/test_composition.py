"""Specs that are laid over each other: any spec, cut into layers in any way, is the same environment."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from provisioner.kinds import KINDS
from provisioner.model import Environment
from provisioner.spec import load
from provisioner.spec.document import parse
from provisioner.spec.merging import Layers
from provisioner.spec.showing import show_text
from provisioner.spec.targets import compose_layers
from tests.properties.any_spec.environments import Spec, pairs
from tests.properties.any_spec.scenario import FAKE_GROUND, grounded

REMOVE = "@remove@"
quickly = settings(
    max_examples=12,
    deadline=None,
    database=None,
    derandomize=True,
    # Making a failing example smaller takes minutes.
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
number = st.integers(0, 2**16)


def text_of(layer: Spec) -> str:
    """A layer as YAML, of which JSON is a part."""
    return json.dumps(layer).replace(f'"{REMOVE}"', "!remove")


def sound(spec: Spec) -> Spec:
    """The spec without what only a running account has names for."""
    spec = grounded(spec, FAKE_GROUND)
    for fleet in spec.get("fleets", {}).values():
        fleet.pop("protect", None)
    return spec


def difference(below: Spec, whole: Spec) -> Spec:
    """What has to be laid over one to make the other of it."""
    made: Spec = {key: REMOVE for key in below if key not in whole}
    for key, value in whole.items():
        if key not in below:
            made[key] = value
        elif isinstance(value, dict) and isinstance(below[key], dict):
            if inner := difference(below[key], value):
                made[key] = inner
        elif value != below[key]:
            made[key] = value
    return made


def cut(spec: Spec, ways: st.DataObject, nobody: str = "nobody") -> tuple[Spec, Spec]:
    """A spec in two: each key goes below, above, or below with another value and above with its own."""
    below: Spec = {}
    above: Spec = {}
    for key, value in spec.items():
        way = ways.draw(st.sampled_from(("below", "above", "both", "inside", "inside")))
        if way == "inside" and isinstance(value, dict):
            below[key], above[key] = cut(value, ways, nobody)
        elif way == "below":
            below[key] = value
        else:
            above[key] = value
            if way == "both":
                below[key] = ways.draw(st.sampled_from(("other", ["other"], 5, {})))
    if ways.draw(st.booleans()):
        below[nobody] = {"a": ["b"]}
        above[nobody] = REMOVE
    return below, above


def environment(files: Mapping[str, str], target: str | None = None) -> Environment:
    """The environment of spec.yaml, but for where it is."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            Path(folder, name).write_text(text)
        spec = str(Path(folder, "spec.yaml"))
        shown = show_text(compose_layers(spec, None, target, KINDS))
        made = load(spec, KINDS, target=target)
        # What is shown is the same spec again.
        Path(folder, "spec.yaml").write_text(shown)
        again = load(spec, KINDS)
        assert replace(again, target=target) == made
        return replace(made, source="", target=None)


@quickly
@given(pairs(), st.data())
def test_a_spec_cut_in_two_is_the_same_environment(pair: tuple[Spec, Spec], ways: st.DataObject) -> None:
    spec = sound(pair[1])
    below, above = cut(spec, ways)
    whole = environment({"spec.yaml": text_of(spec)})
    files = {"base.yaml": text_of(below), "spec.yaml": text_of({"extends": "base.yaml", **above})}
    assert environment(files) == whole


@quickly
@given(pairs(), st.data())
@pytest.mark.long
def test_files_in_a_list_are_as_files_that_extend_each_other(
    pair: tuple[Spec, Spec], ways: st.DataObject
) -> None:
    spec = sound(pair[1])
    rest, high = cut(spec, ways)
    low, middle = cut(rest, ways, "neither")
    files = {"low.yaml": text_of(low), "middle.yaml": text_of(middle)}
    listed = {**files, "spec.yaml": text_of({"extends": ["low.yaml", "middle.yaml"], **high})}
    nested = {
        **files,
        "middle.yaml": text_of({"extends": "low.yaml", **middle}),
        "spec.yaml": text_of({"extends": ["middle.yaml"], **high}),
    }
    assert environment(listed) == environment(nested) == environment({"spec.yaml": text_of(spec)})


@quickly
@given(pairs())
@pytest.mark.long
def test_any_spec_is_made_of_any_other_by_extending_it(pair: tuple[Spec, Spec]) -> None:
    below, whole = map(sound, pair)
    above = {"extends": "base.yaml", **difference(below, whole)}
    made = environment({"base.yaml": text_of(below), "spec.yaml": text_of(above)})
    assert made == environment({"spec.yaml": text_of(whole)})


@quickly
@given(pairs())
@pytest.mark.long
def test_any_spec_is_a_target_of_any_other(pair: tuple[Spec, Spec]) -> None:
    below, whole = map(sound, pair)
    target = {**difference(below, whole), "environment": whole["environment"]}
    made = environment({"spec.yaml": text_of({**below, "targets": {"t": target}})}, "t")
    assert made == environment({"spec.yaml": text_of(whole)})


leaves = st.integers(0, 3) | st.sampled_from(["text", ""]) | st.lists(st.integers(0, 2), max_size=2)


def trees(depth: int) -> st.SearchStrategy[dict[str, Any]]:
    """Mappings in which a key always holds a mapping (m, n), or never."""
    inner = trees(depth - 1) if depth else st.just({})
    fields = {"m": inner, "n": inner, "a": leaves, "b": leaves}
    return st.fixed_dictionaries({}, optional=fields)


def laid(*layers: Layers) -> Layers:
    made = Layers()
    for layer in layers:
        made.lay(layer)
    return made


def of(value: Any, name: str) -> Layers:
    return Layers.of(parse(name, json.dumps(value).encode()))


@quickly
@given(trees(2), trees(2), trees(2))
def test_merging_is_associative_and_the_empty_layer_changes_nothing(a: Any, b: Any, c: Any) -> None:
    low, middle, high = of(a, "a"), of(b, "b"), of(c, "c")
    whole = laid(low, middle, high)
    grouped = laid(low, laid(middle, high))
    assert grouped.value == whole.value
    # Each value comes from the same place, and is over the same ones.
    assert (grouped.values, grouped.before) == (whole.values, whole.before)
    assert laid(whole, of({}, "none")).value == laid(of({}, "none"), whole).value == whole.value
    assert laid(whole, whole).value == whole.value
