"""Which files of a folder are rules and data, and what the folder of a spec says for all of its specs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from provisioner.errors import ProvisionerError, SpecError, UsageError
from provisioner.guardrails.files import library, read_rules
from provisioner.spec.folder import check_folder_configuration, folder_policies

DENY = 'package main\n\ndeny contains "m" if true\n'


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_rules_below_a_folder_without_their_tests(tmp_path: Path) -> None:
    folder = written(tmp_path, a_DOT_rego=DENY, lib__b_DOT_rego=DENY, a_test_DOT_rego="x", notes_DOT_txt="x")
    files = read_rules([str(folder), str(folder), str(folder / "a.rego")])
    assert [Path(name).name for name in files.modules] == ["a.rego", "b.rego"]


def test_data_of_several_folders(tmp_path: Path) -> None:
    one = written(tmp_path / "one", a_DOT_rego=DENY, data_DOT_yaml="parameters: {a: 1, l: [x]}")
    other = written(tmp_path / "other", b_DOT_rego=DENY, data_DOT_json='{"parameters": {"b": 2, "l": ["x"]}}')
    assert read_rules([str(one), str(other)]).data == {"parameters": {"a": 1, "b": 2, "l": ["x"]}}


def test_a_folder_of_data_beside_rules_from_elsewhere(tmp_path: Path) -> None:
    data = str(written(tmp_path / "data", data_DOT_yaml="parameters: {a: 1}"))
    rules = str(written(tmp_path / "rules", a_DOT_rego=DENY))
    for given in ([data, "builtin:tags"], [rules, data]):
        files = read_rules(given)
        assert len(files.modules) == 1
        assert files.data == {"parameters": {"a": 1}}
    folder = written(tmp_path, spec_DOT_yaml="", provisioner_DOT_yaml="policies: [data, 'builtin:tags']\n")
    assert policies(folder) == (data, "builtin:tags")


BAD: dict[str, tuple[dict[str, str], str]] = {
    "nothing": ({}, "has no Rego file"),
    "only data": (
        {"data_DOT_yaml": "a: 1"},
        "data alone allows everything: name rules as well, your own or one of ours, such as builtin:tags",
    ),
    "data and tests": (
        {"data_DOT_yaml": "a: 1", "a_test_DOT_rego": DENY},
        "files that end in _test.rego are not loaded",
    ),
    "only tests": ({"a_test_DOT_rego": DENY}, "files that end in _test.rego are not loaded"),
    "data twice": (
        {"a_DOT_rego": DENY, "data_DOT_yaml": "a: {b: 1}", "data_DOT_json": '{"a": {"b": 2}}'},
        "data.a.b has another value",
    ),
    "data that is none": ({"a_DOT_rego": DENY, "data_DOT_yaml": "[1]"}, "data.yaml holds no mapping"),
    "data that is no YAML": ({"a_DOT_rego": DENY, "data_DOT_yaml": "a: [1"}, "data.yaml:1:"),
    "data with a key twice": ({"a_DOT_rego": DENY, "data_DOT_yaml": "a: 1\na: 2"}, "data.yaml:2:1"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_folder_that_is_none(what: str, tmp_path: Path) -> None:
    files, expected = BAD[what]
    with pytest.raises(ProvisionerError) as caught:
        read_rules([str(written(tmp_path, **files))])
    assert expected in f"{caught.value.message}; {caught.value.hint}"
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nowhere", "nowhere does not exist"),
        ("imdsv2", "imdsv2 does not exist; did you mean builtin:imdsv2?"),
        ("wide-rights", "did you mean builtin:wide_rights?"),
        ("policies/imdsv2", "name a folder of .rego files, or builtin:NAME"),
        ("builtin:imdsv3", 'no guardrail is called "imdsv3"'),
        pytest.param(__file__, "is no folder and no .rego file", id="a file of something else"),
    ],
)
def test_a_name_that_is_none(name: str, expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_rules([name])
    assert expected in f"{caught.value.message}; {caught.value.hint}"


def policies(folder: Path, spec: str = "spec.yaml") -> tuple[str, ...]:
    return folder_policies(str(folder / spec), library())


def test_the_folder_of_a_spec_names_its_guardrails(tmp_path: Path) -> None:
    assert policies(tmp_path) == ()
    folder = written(
        tmp_path,
        rules__a_DOT_rego=DENY,
        spec_DOT_yaml="",
        provisioner_DOT_yaml="policies: [rules, 'builtin:imdsv2']\n",
    )
    assert policies(folder) == (str(folder / "rules"), "builtin:imdsv2")


def test_a_link_to_the_spec_leaves_nothing_out(tmp_path: Path) -> None:
    folder = written(
        tmp_path / "specs", spec_DOT_yaml="", provisioner_DOT_yaml="policies: ['builtin:tags']\n"
    )
    other = tmp_path / "other"
    other.mkdir()
    (other / "spec.yaml").symlink_to(folder / "spec.yaml")
    assert policies(other) == ("builtin:tags",)


WRONG = {
    "another field": ("polices: [rules]\n", "provisioner.yaml:1:1: polices"),
    "no list": ("policies: rules\n", "provisioner.yaml:1:11: policies"),
    "a number": ("policies:\n- rules\n- 3\n", "provisioner.yaml:3:3: policies[1]"),
    "an empty list": ("policies: []\n", "provisioner.yaml:1:11: policies"),
    "no folder": (
        "policies:\n- rules\n- ruls\n",
        'provisioner.yaml:3:3: policies[1]: there is no folder "ruls"',
    ),
    "a folder of data alone": (
        "policies: [data]\n",
        'policies[0]: "data" has no Rego file; data alone allows',
    ),
    "a name without builtin:": ("policies: [imdsv2]\n", "did you mean builtin:imdsv2?"),
    "an empty folder": (
        "policies:\n- empty\n",
        'provisioner.yaml:2:3: policies[0]: "empty" has no Rego file',
    ),
    "outside": ("policies: [../..]\n", 'provisioner.yaml:1:12: policies[0]: "../.." is outside of'),
    "no such name": ("policies: ['builtin:imdsv']\n", "did you mean builtin:imdsv2?"),
    "no YAML": ("policies: [", "provisioner.yaml:1:"),
    "nothing": ("", "provisioner.yaml:1:1: the file is empty"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_with_it(what: str, tmp_path: Path) -> None:
    text, expected = WRONG[what]
    (tmp_path / "empty").mkdir()
    folder = written(
        tmp_path,
        data__data_DOT_yaml="a: 1",
        rules__a_DOT_rego=DENY,
        spec_DOT_yaml="",
        provisioner_DOT_yaml=text,
    )
    for check in (
        lambda: policies(folder),
        lambda: check_folder_configuration(str(folder / "provisioner.yaml"), library()),
    ):
        with pytest.raises(SpecError, match=re.escape(expected)):
            check()


def test_a_configuration_of_nearly_that_name_is_not_passed_over(tmp_path: Path) -> None:
    folder = written(tmp_path, spec_DOT_yaml="", provisioner_DOT_yml="policies: [rules]\n")
    with pytest.raises(SpecError, match=re.escape("provisioner.yml is not read")):
        policies(folder)
    # A spec may be called so.
    written(tmp_path, provisioner_DOT_yml="environment: e\n")
    assert policies(folder) == ()


def test_data_of_some_rules_is_not_in_the_data_of_others(tmp_path: Path) -> None:
    rules = written(tmp_path / "rules", **{"a.rego": DENY})
    common = written(tmp_path / "common", **{"data.yaml": "limits: {least: 1}"})
    one = written(tmp_path / "one", **{"data.yaml": "limits: {most: 5}"})
    other = written(tmp_path / "other", **{"data.yaml": "limits: {most: 9}"})
    assert read_rules(map(str, (rules, common, one))).data == {"limits": {"least": 1, "most": 5}}
    assert read_rules(map(str, (rules, common, other))).data == {"limits": {"least": 1, "most": 9}}
    assert read_rules(map(str, (rules, common))).data == {"limits": {"least": 1}}


LINKS = {
    "of rules": ("rules/x.rego", "../../secret"),
    "of rules in a folder below": ("rules/lib/x.rego", "../../../secret"),
    "of data": ("rules/data.json", "../../secret"),
    "to what is no file on a disk": ("rules/x.rego", "/proc/self/environ"),
    "to Git's own": ("rules/x.rego", "../.git/config"),
    "that leads nowhere": ("rules/x.rego", "nowhere"),
    "that leads to itself": ("rules/x.rego", "x.rego"),
}


@pytest.mark.parametrize("is_repository", [True, False], ids=["in a repository", "in none"])
@pytest.mark.parametrize("what", LINKS)
def test_a_link_to_elsewhere_is_not_followed(what: str, is_repository: bool, tmp_path: Path) -> None:
    """Whoever changes the folder decides what is read by whoever plans, and an error quotes a line of it."""
    (tmp_path / "secret").write_text("aws_secret = hunter2hunter2\n")
    work = written(tmp_path / "work", rules__a_DOT_rego=DENY, rules__lib__b_DOT_rego=DENY)
    (work / ".git").mkdir()
    (work / ".git/config").write_text("token = hunter2hunter2\n")
    if not is_repository:
        (work / ".git").rename(work / "git")
    link, to = LINKS[what]
    (work / link).symlink_to(to)
    for given in ("rules", link):
        with pytest.raises(ProvisionerError) as caught:
            read_rules([str(work / given)])
        assert (caught.value.exit_code, "hunter2" in str(caught.value)) == (3, False)
        assert str(work / link) in str(caught.value)


def test_links_within_it_are_followed(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    folder = written(tmp_path, shared__a_DOT_rego=DENY, shared__data_DOT_json='{"a": 1}') / "rules"
    folder.mkdir()
    for name in ("a.rego", "data.json"):
        (folder / name).symlink_to(f"../shared/{name}")
    (tmp_path / "link").symlink_to("rules")
    for given in (folder, tmp_path / "link"):
        files = read_rules([str(given)])
        assert (list(files.modules.values()), files.data) == ([DENY], {"a": 1})


def test_a_rule_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    folder = written(tmp_path, a_DOT_rego=DENY)
    with (folder / "b.rego").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(UsageError, match=r"b\.rego is larger than 1024 KiB"):
        read_rules([str(folder)])


ODD = {
    "NUL": '"a\\0b"',
    "a link to itself": "loop",
    "below a link to itself": "loop/rules",
    "a name that is too long": "x" * 300,
    "a path that is too long": "a/" * 3000,
}


@pytest.mark.parametrize("what", ODD)
def test_a_name_that_no_folder_can_have(what: str, tmp_path: Path) -> None:
    folder = written(tmp_path, spec_DOT_yaml="", provisioner_DOT_yaml=f"policies: [{ODD[what]}]\n")
    (folder / "loop").symlink_to("loop")
    with pytest.raises(SpecError, match=r"provisioner.yaml:1:12: policies\[0\]: "):
        policies(folder)
    with pytest.raises(UsageError):
        read_rules([str(folder / ODD[what].strip('"').replace("\\0", "\0"))])


def test_a_spec_behind_a_link_to_itself_has_no_guardrails(tmp_path: Path) -> None:
    """What is wrong with such a spec is told when it is read."""
    (tmp_path / "loop").symlink_to("loop")
    assert policies(tmp_path / "loop") == ()
    assert policies(tmp_path / ("x" * 300)) == ()


@pytest.mark.parametrize("name", ["provisioner.yaml", "provisioner.yml"])
def test_a_configuration_that_cannot_be_read_is_told(name: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("prove: true\n")
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / name).symlink_to("../secret")
    with pytest.raises(SpecError, match=re.escape(f"{name}:1:1: the file is outside of")):
        policies(tmp_path / "specs")
