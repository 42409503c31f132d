"""`show`: the composed spec, and where each value of it comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.spec.document import parse
from provisioner.spec.showing import show_data, show_text
from provisioner.spec.targets import compose_layers

BASE = """\
environment: shop
region: us-east-1
tags: {team: data, stage: dev}
fleets:
  web:
    count: 2
    instance_type: [t3.micro, t3a.micro]
    user_data: |
      #!/bin/sh
      echo hello
"""
SPEC = """\
extends: base.yaml
tags: {stage: !remove, "1.10": "yes"}
fleets: {web: {count: 5}, none: {}}
targets:
  prod:
    region: eu-west-1
    fleets: {web: {count: 50, volumes: [{size_gb: 10, device: /dev/sdf}]}}
"""
SHOWN = """\
environment: shop-prod    # spec.yaml:5, over base.yaml:1
region: eu-west-1         # spec.yaml:6, over base.yaml:2
tags:
  team: data              # base.yaml:3
  '1.10': 'yes'           # spec.yaml:2
fleets:
  web:
    count: 50             # spec.yaml:7, over spec.yaml:3, over base.yaml:6
    instance_type:
      - t3.micro          # base.yaml:7
      - t3a.micro         # base.yaml:7
    user_data: |          # base.yaml:8
      #!/bin/sh
      echo hello
    volumes:
      - size_gb: 10       # spec.yaml:7
        device: /dev/sdf  # spec.yaml:7
  none: {}                # spec.yaml:3
# tags.stage is removed in spec.yaml:2
"""


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("base.yaml").write_text(BASE)
    Path("spec.yaml").write_text(SPEC)


def test_each_value_is_shown_with_its_file_and_line() -> None:
    shown = show_text(compose_layers("spec.yaml", None, "prod"))
    assert shown.splitlines() == SHOWN.splitlines()


def test_what_is_shown_is_read_as_the_same() -> None:
    layers = compose_layers("spec.yaml", None, "prod")
    assert parse("shown.yaml", show_text(layers).encode()).value == layers.value


def test_programs_are_told_of_all_places() -> None:
    data = show_data(compose_layers("spec.yaml", None, "prod"), "spec.yaml", "prod")
    assert data["spec"]["fleets"]["web"]["count"] == 50
    (count,) = (place for place in data["places"] if place["field"] == "fleets.web.count")
    assert count == {
        "field": "fleets.web.count",
        "file": "spec.yaml",
        "line": 7,
        "column": 27,
        "is_merged": False,
        "overrides": [
            {"file": "spec.yaml", "line": 3, "column": 23},
            {"file": "base.yaml", "line": 6, "column": 12},
        ],
    }
    assert data["removed"] == [{"field": "tags.stage", "file": "spec.yaml", "line": 2, "column": 15}]


def test_a_spec_by_itself_is_shown_too() -> None:
    assert show_text(compose_layers("base.yaml", None, None)).startswith("environment: shop")
