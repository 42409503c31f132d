"""`show`: the composed spec, and where each value of it comes from."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from provisioner.errors import SpecError
from provisioner.kinds import KINDS
from provisioner.spec import load
from provisioner.spec.document import parse
from provisioner.spec.merging import Layers, Place, paths_in
from provisioner.spec.named_files import file_fields
from provisioner.spec.showing import show_data, show_text
from provisioner.spec.targets import compose_layers

ROOT = Path(__file__).resolve().parents[3]
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
    shown = show_text(compose_layers("spec.yaml", None, "prod", KINDS))
    assert shown.splitlines() == SHOWN.splitlines()


def test_what_is_shown_is_read_as_the_same() -> None:
    layers = compose_layers("spec.yaml", None, "prod", KINDS)
    assert parse("shown.yaml", show_text(layers).encode()).value == layers.value


def test_programs_are_told_of_all_places() -> None:
    data = show_data(compose_layers("spec.yaml", None, "prod", KINDS), "spec.yaml", "prod")
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
    assert show_text(compose_layers("base.yaml", None, None, KINDS)).startswith("environment: shop")


FILES = """\
environment: shop
region: us-east-1
roles:
  web: {inline_policies: {read: {file: read.json}, write: {file: ../write.json}}}
key_pairs:
  ops: {file: ops.pub}
  mine: {ssh: id_ed25519.pub}
fleets:
  web:
    count: 2
    image: ami-0123456789abcdef0
    instance_type: t3.micro
    user_data: {file: ud.sh}
  batch:
    count: 2
    image: ami-0123456789abcdef0
    instance_type: t3.micro
    user_data: {file: ABSOLUTE}
"""
NAMED = {
    "roles.web.inline_policies.read.file": "sub/read.json",
    "roles.web.inline_policies.write.file": "write.json",
    "key_pairs.ops.file": "sub/ops.pub",
    # In ~/.ssh, wherever the spec is.
    "key_pairs.mine.ssh": "id_ed25519.pub",
    "fleets.web.user_data.file": "sub/ud.sh",
}


def at(value: Any, field: str) -> Any:
    for step in field.split("."):
        value = value[step]
    return value


def test_the_files_that_an_inherited_file_names_are_found_from_the_spec(tmp_path: Path) -> None:
    Path("sub").mkdir()
    Path("sub/base.yaml").write_text(FILES.replace("ABSOLUTE", str(tmp_path / "sub" / "ud.sh")))
    Path("top.yaml").write_text("extends: sub/base.yaml\n")
    Path("deep").mkdir()
    Path("deep/top.yaml").write_text("extends: ../top.yaml\nfleets: {batch: {user_data: {file: ud.sh}}}\n")
    top, deep = (compose_layers(spec, str(tmp_path), None, KINDS) for spec in ("top.yaml", "deep/top.yaml"))
    for value in (show_data(top, "top.yaml", None)["spec"], yaml.safe_load(show_text(top))):
        assert {field: at(value, field) for field in NAMED} == NAMED
        assert at(value, "fleets.batch.user_data.file") == str(tmp_path / "sub" / "ud.sh")
    assert at(deep.value, "fleets.web.user_data.file") == "../sub/ud.sh"
    assert at(deep.value, "key_pairs.ops.file") == "../sub/ops.pub"
    assert at(deep.value, "fleets.batch.user_data.file") == "ud.sh"


def test_a_name_is_found_from_where_links_lead(tmp_path: Path) -> None:
    """`link/../ud.sh` is beside what the link leads to; names are relative to the real folder of a spec."""
    for folder in ("real/inner", "sub"):
        Path(folder).mkdir(parents=True)
    Path("sub/link").symlink_to(tmp_path / "real" / "inner")
    Path("sub/base.yaml").write_text(FILES.replace("file: ud.sh", "file: link/../ud.sh"))
    Path("real/top.yaml").write_text("extends: ../sub/base.yaml\n")
    Path("top.yaml").symlink_to("real/top.yaml")
    for spec in ("top.yaml", "real/top.yaml"):
        name = at(compose_layers(spec, str(tmp_path), None, KINDS).value, "fleets.web.user_data.file")
        assert os.path.realpath(tmp_path / "real" / name) == str(tmp_path / "real" / "ud.sh")


def test_every_field_that_names_a_file_beside_the_spec_is_marked() -> None:
    """Not `key_pairs.*.ssh`, which is a name in ~/.ssh, wherever the spec is."""
    assert file_fields(KINDS) == {
        ("roles", "*", "inline_policies", "*", "file"),
        ("key_pairs", "*", "file"),
        ("fleets", "*", "user_data", "file"),
    }
    for kind in (ROOT / "schemas").glob("*/*.json"):
        fields = json.loads(kind.read_text())["properties"].items()
        told = {name for name, field in fields if "relative to the folder" in field.get("x-allowed", "")}
        assert told == {name for name, field in fields if "x-file" in field}


def shown(value: dict[str, Any]) -> str:
    """The text of a spec with these values."""
    places = Layers.of(parse("spec.yaml", json.dumps(value).encode()))
    return show_text(places)


ODD = {
    "a bidirectional override": "a\u202eb",
    "a next line": "a\x85b",
    "a line separator": "a\u2028b",
    "a space that does not break": "a\xa0b",
    "a space of no width": "\u200ba",
    "a byte order mark": "\ufeffa",
    "a letter without ink": "a\u3164b",
    "a tab": "a\tb\nc",
    "a carriage return": "a\r\nb\n",
    "an escape": "a\x1b[31mb",
}


@pytest.mark.parametrize("what", ODD)
def test_what_cannot_be_seen_is_written_as_an_escape(what: str) -> None:
    text = shown({"tags": {ODD[what]: ODD[what]}})
    assert text.replace("\n", "").isprintable()
    assert yaml.safe_load(text) == {"tags": {ODD[what]: ODD[what]}}


texts = st.text(max_size=30) | st.text(
    " \n\t\r\x85\xa0\u2028\u202e#:-'\"\\{}[]&*!|>%@`,?=~a\u3164\U0001f600中", max_size=8
)
values = st.recursive(
    texts | st.integers(-(2**40), 2**40) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None, database=None, derandomize=True)
@given(st.dictionaries(texts | st.text("ab ", min_size=1100, max_size=1200), values, max_size=3))
def test_whatever_is_shown_is_read_as_the_same(value: dict[str, Any]) -> None:
    places = {path: Place("spec.yaml", 1, 1) for path in paths_in(value, ())}
    text = show_text(Layers(value, places))
    assert yaml.safe_load(text) == value
    # Nothing is left for the gate to make visible, in which case another text would be printed.
    assert text.replace("\n", "").isprintable()


def test_where_a_stream_has_no_letters_but_those_of_ascii_others_are_escapes() -> None:
    text = show_text(Layers.of(parse("spec.yaml", 'tags: {name: "Zoë 中", of: x}'.encode())), "ascii")
    assert text.isascii()
    assert yaml.safe_load(text) == {"tags": {"name": "Zoë 中", "of": "x"}}


def test_comments_begin_in_one_column_as_wide_as_letters_are() -> None:
    value = {"tags": {"a": "中中中", "b": "xxxxxx", "c": "e\u0301xxxxx"}}
    lines = show_text(Layers.of(parse("spec.yaml", json.dumps(value).encode())), width=cell_len).splitlines()
    assert lines[1].index("#") + 3 == lines[2].index("#") == lines[3].index("#") - 1


def test_the_name_of_a_file_cannot_write_lines(tmp_path: Path) -> None:
    Path("a\nregion: us-west-2 #.yaml").write_text("tags: {a: b}\n")
    Path("top.yaml").write_text('extends: "a\\nregion: us-west-2 #.yaml"\nenvironment: shop\n')
    layers = compose_layers("top.yaml", None, None, KINDS)
    assert yaml.safe_load(show_text(layers)) == {"tags": {"a": "b"}, "environment": "shop"}


SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"
# With a blank at the end of a line, which YAML has in double quotes only.
SCRIPT = f"#!/bin/sh \nexport AWS_SECRET_ACCESS_KEY={SECRET}\n# comment\naws_session_token=\necho hello\n"
MASKED = SCRIPT.replace(SECRET, "***")


@pytest.mark.parametrize("script", [SCRIPT, SCRIPT.replace(" \n", "\n")], ids=["in quotes", "as a block"])
def test_a_secret_is_masked_and_nothing_behind_it(script: str) -> None:
    expected = script.replace(SECRET, "***")
    layers = Layers.of(parse("spec.yaml", json.dumps({"fleets": {"web": {"user_data": script}}}).encode()))
    data = show_data(layers, "spec.yaml", None)
    assert data["spec"]["fleets"]["web"]["user_data"] == expected
    assert data["masked"] == ["fleets.web.user_data"]
    text = show_text(layers)
    assert SECRET not in text
    assert yaml.safe_load(text.replace("!masked ", ""))["fleets"]["web"]["user_data"] == expected
    (line,) = (line for line in text.splitlines() if "user_data:" in line)
    assert line.endswith("# spec.yaml:1; a secret is masked as ***")


def test_a_tag_that_is_called_as_a_secret_is_masked() -> None:
    text = shown({"tags": {"access_token": "hunter2hunter2", "b": "c"}})
    assert text.splitlines()[1].startswith("  access_token: !masked '***'  #")


def test_so_is_each_of_a_list_that_is_called_as_a_secret() -> None:
    condition = {"StringEquals": {"aws:RequestTag/access_token": ["hunter2hunter2", "hunter3hunter3"]}}
    text = shown({"roles": {"r": {"inline_policies": {"p": {"Statement": [{"Condition": condition}]}}}}})
    assert "hunter" not in text
    assert text.count("!masked '***'") == 2


def test_so_is_a_number_that_is_called_as_a_secret() -> None:
    condition = {"NumericEquals": {"aws:PrincipalTag/access_token": [12345678, 1.25, True], "b": 12345678}}
    spec = {"roles": {"r": {"inline_policies": {"p": {"Statement": [{"Condition": condition}]}}}}}
    text = shown(spec)
    assert (text.count("12345678"), text.count("!masked '***'"), "1.25" in text) == (1, 2, False)
    data = show_data(Layers.of(parse("spec.yaml", json.dumps(spec).encode())), "spec.yaml", None)
    at_token = (
        'roles.r.inline_policies.p.Statement[0].Condition.NumericEquals["aws:PrincipalTag/access_token"]'
    )
    assert data["masked"] == [f"{at_token}[0]", f"{at_token}[1]"]
    assert json.dumps(data["spec"]).count("12345678") == 1


NUMBERS = {
    "one": "12345678",
    "a list of them": "[12345678, 12345678]",
    "one that is not plain": "[12_345_678]",
    "one that would be sent in another way": "[12345678.90]",
    "a text in a list": "['12345678']",
    "one that is too large": "[123456789012345678901234567890]",
}


@pytest.mark.parametrize("what", NUMBERS)
def test_a_number_that_is_called_as_a_secret_is_in_no_error(what: str) -> None:
    Path("spec.yaml").write_text(
        f"environment: shop\nregion: us-east-1\ntags: {{access_token: {NUMBERS[what]}, b: 87654321}}\n"
        "roles:\n  r:\n    inline_policies:\n      p:\n        Version: '2012-10-17'\n        Statement:\n"
        "        - Effect: Allow\n          Action: '*'\n          Resource: '*'\n          Condition:\n"
        f"            NumericEquals: {{aws:PrincipalTag/access_token: {NUMBERS[what]}}}\n"
    )
    with pytest.raises(SpecError) as caught:
        load("spec.yaml", KINDS)
    told = str(caught.value)
    assert "tags.access_token" in told
    assert "345" not in told
    assert "87654321" in told


def test_what_is_masked_is_no_spec() -> None:
    Path("base.yaml").write_text(
        BASE.replace("[t3.micro, t3a.micro]", "t3.micro\n    image: ami-0123456789abcdef0")
    )
    Path("spec.yaml").write_text(f"extends: base.yaml\ntags: {{note: 'aws_secret_access_key={SECRET}'}}\n")
    load("spec.yaml", KINDS)
    Path("shown.yaml").write_text(show_text(compose_layers("spec.yaml", None, None, KINDS)))
    with pytest.raises(SpecError) as caught:
        load("shown.yaml", KINDS)
    assert [str(problem) for problem in caught.value.problems] == [
        "shown.yaml:6:9: tags.note: the YAML tag !masked has no meaning here; `show` put it where it hides a "
        "secret: write what the file has that it comes from"
    ]


def test_a_secret_in_a_key_is_masked_wherever_the_key_is_told() -> None:
    Path("base.yaml").write_text(
        f'tags: {{"aws_secret_access_key={SECRET}": b, "client_secret={SECRET}": c}}\n'
    )
    Path("top.yaml").write_text(f'extends: base.yaml\ntags: {{"client_secret={SECRET}": !remove}}\n')
    layers = compose_layers("top.yaml", None, None, KINDS)
    data, text = show_data(layers, "top.yaml", None), show_text(layers)
    assert SECRET not in json.dumps(data) + text
    assert data["spec"] == {"tags": {"aws_secret_access_key=***": "***"}}
    assert data["masked"] == ['tags["aws_secret_access_key=***"]']
    (line,) = (line for line in text.splitlines() if "!masked" in line)
    assert line.startswith(
        "  !masked aws_secret_access_key=***: !masked '***'  # base.yaml:1; a secret is masked"
    )
    assert "!masked" in str(parse("shown.yaml", text.encode(), removes=True).problems)


def test_a_file_that_only_a_target_of_an_inherited_file_names() -> None:
    Path("sub").mkdir()
    target = "targets: {dev: {fleets: {web: {user_data: {file: ud.sh}}}}}\n"
    Path("sub/base.yaml").write_text(BASE + target)
    Path("top.yaml").write_text("extends: sub/base.yaml\nfleets: {web: {user_data: !remove}}\n")
    value = compose_layers("top.yaml", None, "dev", KINDS).value
    assert at(value, "fleets.web.user_data.file") == "sub/ud.sh"
