"""A file is read once for many environments, so that nobody may change what was read."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.kinds import KINDS
from provisioner.spec import load, targets_of
from provisioner.spec.document import parse
from tests.support.program import SPECS

WITH_TARGETS = """
environment: shop
tags: {team: shop}
roles:
  worker: {managed_policies: [ReadOnlyAccess], tags: {a: b}}
targets:
  dev: {region: us-east-1, roles: {worker: {managed_policies: [], tags: {a: !remove }}}}
  prod: {region: eu-west-1, tags: {stage: prod}, roles: {worker: !remove , other: {}}}
"""


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.yaml")), ids=lambda path: path.name)
def test_a_spec_that_is_loaded_leaves_its_document_as_it_was(path: Path) -> None:
    document = parse(str(path), path.read_bytes(), removes=True)
    before = repr(document)
    for target in targets_of(str(path)) or (None,):
        first = load(str(path), KINDS, target=target)
        assert load(str(path), KINDS, target=target) == first
    assert parse(str(path), path.read_bytes(), removes=True) is document
    assert repr(document) == before


def test_targets_leave_the_document_of_their_spec_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text(WITH_TARGETS)
    document = parse(str(path), path.read_bytes(), removes=True)
    before = repr(document)
    in_order = [load(str(path), KINDS, target=target) for target in ("dev", "prod")]
    other_way = [load(str(path), KINDS, target=target) for target in ("prod", "dev")]
    assert in_order == other_way[::-1]
    assert repr(document) == before


def test_a_file_that_was_changed_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    for name in ("one", "other"):
        path.write_text(f"environment: {name}\nregion: us-east-1\n")
        assert load(str(path), KINDS).name == name


def test_what_is_extended_and_was_changed_is_laid_anew_for_the_next_target(tmp_path: Path) -> None:
    base, spec = tmp_path / "base.yaml", tmp_path / "shop.yaml"
    spec.write_text("extends: base.yaml\nenvironment: shop\ntargets: {dev: {tags: {a: b}}, prod: {}}\n")
    for region in ("us-east-1", "eu-west-1"):
        base.write_text(f"region: {region}\ntags: {{team: shop}}\n")
        dev, prod = (load(str(spec), KINDS, target=target) for target in ("dev", "prod"))
        assert (dev.region, prod.region) == (region, region)
        assert (dict(dev.tags), dict(prod.tags)) == ({"team": "shop", "a": "b"}, {"team": "shop"})
