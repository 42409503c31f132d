"""One spec from several files and for several targets: what comes of it.

What is wrong with compositions, and what is said of it, is in test_broken_compositions.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.errors import SpecError
from provisioner.kinds import KINDS
from provisioner.kinds.fleet.spec import Fleet
from provisioner.kinds.key_pair.spec import KeyPair
from provisioner.model import Address, Environment, Login
from provisioner.spec import load, load_all, targets_of

ROOT = Path(__file__).resolve().parents[3]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3G4P4FAEyhYJdCDrpqwBUlMJvgOfK7HhVn9bS0eZ1s ops"

BASE = """\
environment: shop
region: us-east-1
tags: {team: data, stage: dev}
fleets:
  web:
    count: 2
    image: ami-0123456789abcdef0
    instance_type: [t3.micro, t3a.micro]
    tags: {role: web}
  batch: {count: 1, image: ami-0123456789abcdef0, instance_type: t3.micro}
"""

# What is in spec.yaml beside base.yaml, and what of the environment is as told.
COMPOSITIONS: dict[str, tuple[str, dict[str, object]]] = {
    "nothing of its own": ("extends: base.yaml\n", {"name": "shop", "tags.stage": "dev", "web.count": 2}),
    "a list of one file": ("extends: [base.yaml]\n", {"web.count": 2}),
    "scalars replace": ("extends: base.yaml\nregion: eu-west-1\n", {"region": "eu-west-1", "web.count": 2}),
    "mappings merge by key": (
        "extends: base.yaml\ntags: {stage: prod, more: x}\nfleets: {web: {count: 5}}\n",
        {"tags.team": "data", "tags.stage": "prod", "tags.more": "x", "web.count": 5, "batch.count": 1},
    ),
    "lists replace": (
        "extends: base.yaml\nfleets: {web: {instance_type: [m5.large]}}\n",
        {"web.instance_types": ("m5.large",)},
    ),
    "a text replaces a list": (
        "extends: base.yaml\nfleets: {web: {instance_type: m5.large}}\n",
        {"web.instance_types": ("m5.large",)},
    ),
    "a mapping replaces a text": (
        "extends: base.yaml\nfleets: {web: {image: {ssm: /a/b}}}\n",
        {"web.count": 2, "batch.count": 1},
    ),
    "an entry is removed": ("extends: base.yaml\nfleets: {batch: !remove}\n", {"fleets": ("web",)}),
    "a field is removed": ("extends: base.yaml\nfleets: {web: {tags: !remove}}\n", {"web.tags": {}}),
    "a section is removed": ("extends: base.yaml\nfleets: !remove\n", {"fleets": ()}),
    "a key is removed in a block": (
        "extends: base.yaml\ntags:\n  stage: !remove\n",
        {"tags": {"team": "data"}},
    ),
    "an empty mapping changes nothing": ("extends: base.yaml\nfleets: {}\n", {"fleets": ("batch", "web")}),
    "anchors work in each file": (
        "extends: base.yaml\nfleets: {web: {tags: &t {a: b}}, batch: {tags: *t}}\n",
        {"batch.tags": {"a": "b"}, "web.tags": {"role": "web", "a": "b"}},
    ),
}


def environment(
    folder: Path, files: dict[str, str], target: str | None = None, spec: str = "spec.yaml"
) -> Environment:
    write(folder, files)
    return load(str(folder / spec), KINDS, str(folder), target=target)


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def fleet(of: Environment, key: str) -> Fleet:
    return of.of(Fleet)[Address("fleet", key)]


def told(of: Environment, what: str) -> object:
    first, _, rest = what.partition(".")
    if what == "fleets":
        return tuple(sorted(at.key for at in of.of(Fleet)))
    if first == "tags" and rest:
        return of.tags[rest]
    if not rest:
        return getattr(of, what)
    if rest == "tags":
        own = {name for name in fleet(of, first).tags if not name.startswith("provisioner:")} - set(of.tags)
        return {name: fleet(of, first).tags[name] for name in own}
    return getattr(fleet(of, first), rest)


@pytest.mark.parametrize("what", COMPOSITIONS)
def test_what_a_spec_extends_is_below_it(what: str, tmp_path: Path) -> None:
    spec, expected = COMPOSITIONS[what]
    made = environment(tmp_path, {"base.yaml": BASE, "spec.yaml": spec})
    assert {field: told(made, field) for field in expected} == expected
    assert made.source == str(tmp_path / "spec.yaml")
    assert (made.target, made.login) == (None, None)


def test_of_several_files_a_later_one_is_above_those_before_it(tmp_path: Path) -> None:
    files = {"base.yaml": BASE, "a.yaml": "tags: {a: a, b: a}\n", "b.yaml": "tags: {b: b}\n"}
    made = environment(tmp_path, {**files, "spec.yaml": "extends: [base.yaml, a.yaml, b.yaml]\n"})
    assert made.tags == {"team": "data", "stage": "dev", "a": "a", "b": "b"}


def test_a_file_that_two_extend_counts_once_and_is_below_both(tmp_path: Path) -> None:
    files = {
        "base.yaml": BASE,
        "a.yaml": "extends: base.yaml\nfleets: {web: {count: 7}, batch: !remove}\n",
        "b.yaml": "extends: base.yaml\ntags: {b: b}\n",
        "spec.yaml": "extends: [a.yaml, b.yaml]\n",
    }
    made = environment(tmp_path, files)
    # What a.yaml changed is not brought back by what b.yaml extends.
    assert (fleet(made, "web").count, told(made, "fleets")) == (7, ("web",))
    assert made.tags["b"] == "b"


def test_files_are_relative_to_the_file_that_names_them(tmp_path: Path) -> None:
    base = BASE + "key_pairs: {ops: {file: ops.pub}}\n"
    base = base.replace("count: 2", "count: 2\n    key_name: ops\n    user_data: {file: boot.sh}")
    files = {
        "shared/base.yaml": base,
        "shared/boot.sh": "#!/bin/sh\n# shared\n",
        "shared/ops.pub": KEY,
        "dev/spec.yaml": "extends: ../shared/base.yaml\nfleets: {batch: {user_data: {file: boot.sh}}}\n",
        "dev/boot.sh": "#!/bin/sh\n# dev\n",
    }
    made = environment(tmp_path, files, spec="dev/spec.yaml")
    assert b"shared" in bytes(str(fleet(made, "web").user_data), "utf-8")
    assert b"dev" in bytes(str(fleet(made, "batch").user_data), "utf-8")
    # The private half is beside the public one, from where the spec is.
    assert made.of(KeyPair)[Address("key_pair", "ops")].file == "../shared/ops.pub"


def test_suspects_are_found_in_what_is_extended_too(tmp_path: Path) -> None:
    base = BASE + "# password: hunter2hunter2\n"
    made = environment(tmp_path, {"base.yaml": base, "spec.yaml": "extends: base.yaml\n"})
    assert [(Path(suspect.file).name, suspect.line) for suspect in made.suspects] == [("base.yaml", 11)]


TARGETS = (
    BASE
    + """\
targets:
  dev: {}
  prod-eu:
    region: eu-west-1
    account_id: "123456789012"
    profile: prod
    tags: {stage: prod, cost: "17"}
    fleets: {web: {count: 50}, batch: !remove}
  us:
    environment: store
    role_arn: arn:aws:iam::210987654321:role/deploy
    external_id: "4711"
    tags: !remove
"""
)


def test_a_target_is_laid_over_the_rest(tmp_path: Path) -> None:
    write(tmp_path, {"spec.yaml": TARGETS})
    assert targets_of(str(tmp_path / "spec.yaml")) == ("dev", "prod-eu", "us")
    dev, prod, us = (environment(tmp_path, {}, target) for target in ("dev", "prod-eu", "us"))
    assert (dev.name, dev.region, dev.account_id, dev.target, dev.login) == (
        "shop-dev",
        "us-east-1",
        None,
        "dev",
        None,
    )
    assert (prod.name, prod.region, prod.account_id) == ("shop-prod-eu", "eu-west-1", "123456789012")
    assert prod.tags == {"team": "data", "stage": "prod", "cost": "17"}
    assert prod.login == Login(profile="prod")
    assert (told(prod, "fleets"), fleet(prod, "web").count) == (("web",), 50)
    # The account of a role is the only one that is meant.
    assert (us.name, us.account_id, us.tags) == ("store", "210987654321", {})
    assert us.login == Login(role_arn="arn:aws:iam::210987654321:role/deploy", external_id="4711")
    assert us.argument.endswith("spec.yaml --target us")


def test_targets_are_inherited_and_changed(tmp_path: Path) -> None:
    above = "extends: base.yaml\nfleets: {web: {count: 9}}\ntargets: {dev: {tags: {more: x}}, us: !remove}\n"
    write(tmp_path, {"base.yaml": TARGETS, "spec.yaml": above})
    assert targets_of(str(tmp_path / "spec.yaml")) == ("dev", "prod-eu")
    dev, prod = (environment(tmp_path, {}, target) for target in ("dev", "prod-eu"))
    assert (dev.tags["more"], fleet(dev, "web").count) == ("x", 9)
    # A target wins over all that it is laid over, in whichever file it is.
    assert fleet(prod, "web").count == 50


REMOVED_BELOW = {
    "a mapping": ("{tags: !remove}", "{tags: {a: b}}", {"a": "b"}),
    "an empty mapping": ("{tags: !remove}", "{tags: {}}", {}),
    "another removal of the same": ("{tags: !remove}", "{tags: !remove}", {}),
    "a mapping for a mapping": ("{tags: {x: y}}", "{tags: {a: b}}", {"team": "d", "x": "y", "a": "b"}),
    "a text in a mapping": ("{tags: {team: !remove}}", "{tags: {team: e}}", {"team": "e"}),
}


@pytest.mark.parametrize("in_targets", [True, False], ids=["in targets", "outside"])
@pytest.mark.parametrize("what", REMOVED_BELOW)
def test_what_a_file_between_removes_stays_removed(what: str, in_targets: bool, tmp_path: Path) -> None:
    """In targets by the same rules as outside of them."""
    low, high, expected = REMOVED_BELOW[what]
    if what == "another removal of the same" and not in_targets:
        high = "{}"  # There it is an error: nothing is left to remove.

    def said(text: str) -> str:
        return f"targets: {{dev: {text}}}\n" if in_targets else text[1:-1] + "\n"

    files = {
        "base.yaml": "environment: shop\nregion: us-east-1\ntags: {team: d}\n",
        "between.yaml": f"extends: base.yaml\n{said(low)}",
        "above.yaml": f"extends: between.yaml\n{said(high)}",
        "spec.yaml": "extends: above.yaml\nroles: {r: {}}\n",
    }
    assert environment(tmp_path, files, "dev" if in_targets else None).tags == expected


def test_removing_in_a_target_what_is_not_there_is_told_also_below_a_mapping(tmp_path: Path) -> None:
    files = {
        "base.yaml": "environment: shop\nregion: us-east-1\ntargets: {dev: {tags: !remove}}\n",
        "spec.yaml": "extends: base.yaml\ntargets: {dev: {tags: {a: b}}}\n",
    }
    with pytest.raises(SpecError, match=r"base\.yaml:3:23: tags: there is nothing to remove"):
        environment(tmp_path, files, "dev")


def test_an_external_id_says_where_its_role_is_removed(tmp_path: Path) -> None:
    login = "role_arn: arn:aws:iam::123456789012:role/x\nexternal_id: '4711'\n"
    files = {
        "base.yaml": f"environment: shop\nregion: us-east-1\n{login}",
        "spec.yaml": "extends: base.yaml\nrole_arn: !remove\n",
    }
    with pytest.raises(SpecError, match=r"`role_arn` is removed in \S*spec\.yaml:2:11"):
        environment(tmp_path, files)


def test_the_example_of_the_documentation_is_three_environments() -> None:
    path = str(ROOT / "docs" / "composition" / "fifty-servers.yaml")
    made = {target: load(path, KINDS, target=target) for target in targets_of(path)}
    assert {target: (of.name, fleet(of, "worker").count) for target, of in made.items()} == {
        "dev": ("crunch-dev", 2),
        "stage": ("crunch-stage", 5),
        "prod": ("crunch-prod", 50),
    }


def test_a_spec_without_targets_has_none(tmp_path: Path) -> None:
    write(tmp_path, {"base.yaml": BASE, "spec.yaml": "extends: base.yaml\n"})
    assert targets_of(str(tmp_path / "base.yaml")) == targets_of(str(tmp_path / "spec.yaml")) == ()


def test_sixty_lines_are_sixty_environments(tmp_path: Path) -> None:
    lines = [
        f"  a{account}-{region}: {{region: {region}, role_arn: 'arn:aws:iam::{account:012d}:role/deploy'}}"
        for account in range(20)
        for region in ("eu-west-1", "us-east-1", "us-west-2")
    ]
    write(tmp_path, {"spec.yaml": f"{BASE}targets:\n" + "\n".join(lines)})
    names = targets_of(str(tmp_path / "spec.yaml"))
    assert len(names) == 60
    last = environment(tmp_path, {}, names[-1])
    assert (last.name, last.account_id) == ("shop-a19-us-west-2", "000000000019")


def test_several_specs_are_all_their_targets(tmp_path: Path) -> None:
    other = "environment: shop-dev\nregion: us-east-1\n"
    write(tmp_path, {"spec.yaml": TARGETS, "other.yaml": other})
    answers = dict(load_all([str(tmp_path / "spec.yaml"), str(tmp_path / "other.yaml")], KINDS))
    names = [Path(path).name for path in answers]
    assert names == [
        "spec.yaml --target dev",
        "spec.yaml --target prod-eu",
        "spec.yaml --target us",
        "other.yaml",
    ]
    (twice,) = (answer for answer in answers.values() if isinstance(answer, SpecError))
    assert "spec.yaml --target dev is about the environment shop-dev in us-east-1 as well" in str(twice)


@pytest.mark.parametrize("value", ["true", "1", "1.5", "[]", "{}", "[a]"])
def test_a_role_that_is_no_text_is_a_problem_of_its_own(tmp_path: Path, value: str) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(f"environment: shop\nregion: us-east-1\nrole_arn: {value}\n", encoding="utf-8")
    with pytest.raises(SpecError, match="role_arn: "):
        load(str(spec), KINDS)


def test_files_of_one_name_beside_a_link_and_beside_what_it_leads_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name is relative to the real folder of whatever file says it, so that both names can be alike."""
    body = "count: 1, image: ami-0123456789abcdef0, instance_type: t3.micro, user_data: {file: ud.sh}"
    write(
        tmp_path,
        {
            "envs/base.yaml": f"environment: shop\nregion: us-east-1\nfleets:\n  low: {{{body}}}\n",
            "envs/ud.sh": "#!/bin/sh\necho of envs\n",
            "specs/base.yaml": "extends: ../envs/base.yaml\ntags: {from: specs}\n",
            "specs/ud.sh": "#!/bin/sh\necho of specs\n",
            "specs/shop.yaml": f"extends: base.yaml\nfleets:\n  own: {{{body}}}\n",
        },
    )
    (tmp_path / "envs/prod.yaml").symlink_to("../specs/shop.yaml")
    monkeypatch.chdir(tmp_path)
    made = load("envs/prod.yaml", KINDS, str(tmp_path))
    assert made.tags == {"from": "specs"}
    assert "of envs" in str(fleet(made, "low").user_data)
    assert "of specs" in str(fleet(made, "own").user_data)
    Path("specs/ud.sh").unlink()
    with pytest.raises(SpecError) as raised:
        load("envs/prod.yaml", KINDS, str(tmp_path))
    assert "looked in specs:" in str(raised.value)
    Path("specs/base.yaml").write_text("extends: nowhere.yaml\n")
    with pytest.raises(SpecError) as raised:
        load("envs/prod.yaml", KINDS, str(tmp_path))
    assert str(raised.value).startswith("specs/base.yaml:1:10: ")
    assert "looked in specs:" in str(raised.value)
