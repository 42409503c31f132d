"""Several specs at once: no two may be about one environment, as each would delete what the other has."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.errors import SpecError
from provisioner.kinds import KINDS
from provisioner.model import Environment
from provisioner.spec import load_all

ONE = "environment: one\nregion: us-east-1\n"
ACCOUNT = 'account_id: "123456789012"\n'
SAID = (
    "b.yaml:1:14: environment: a.yaml is about the environment one in us-east-1 as well; "
    "applying one of them deletes what only the other has; put them together, or rename one"
)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def answers_to(**specs: str) -> list[Environment | SpecError]:
    for name, text in specs.items():
        Path(f"{name}.yaml").write_text(text)
    return [answer for _, answer in load_all([f"{name}.yaml" for name in specs], KINDS)]


def told(**specs: str) -> list[str]:
    """What is wrong with some specs."""
    return [str(answer) for answer in answers_to(**specs) if isinstance(answer, SpecError)]


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        (ONE, True),
        (ONE + "roles: {web: {}}\n", True),
        (ONE + ACCOUNT, True),
        (ONE.replace("one", "two"), False),
        (ONE.replace("us-east-1", "us-west-2"), False),
    ],
)
def test_one_environment_twice(other: str, is_same: bool) -> None:
    assert told(a=ONE, b=other) == ([SAID] if is_same else [])


def test_accounts_that_differ_keep_them_apart() -> None:
    assert told(a=ONE + ACCOUNT, b=ONE + 'account_id: "210987654321"\n') == []
    assert told(a=ONE + ACCOUNT, b=ONE + ACCOUNT) == [SAID]


PROFILE = "profile: shop\n"
ROLE = "role_arn: arn:aws:iam::210987654321:role/deployer\n"


@pytest.mark.parametrize(
    ("one", "other"), [(ROLE, ""), (ROLE, PROFILE), (PROFILE, "profile: other\n"), (PROFILE, ACCOUNT)]
)
@pytest.mark.parametrize("is_turned", [False, True])
def test_where_only_aws_can_tell_whether_they_are_one_it_is_a_warning(
    one: str, other: str, is_turned: bool
) -> None:
    """As with `plan` and `apply`, which find out."""
    a, b = (other, one) if is_turned else (one, other)
    first, second = answers_to(a=ONE + a, b=ONE + b)
    assert isinstance(first, Environment)
    assert isinstance(second, Environment)
    assert first.suspects == ()
    assert [str(suspect) for suspect in second.suspects] == [
        "b.yaml:1:14: environment: a.yaml may be about the environment one in us-east-1 as well; "
        "say the `account_id` of both, if they are in different accounts"
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (ROLE, ROLE),
        (PROFILE, PROFILE),
        (PROFILE + ACCOUNT, ACCOUNT),
        (ROLE, 'account_id: "210987654321"\n'),
    ],
)
def test_where_the_specs_tell_that_they_are_one_it_is_an_error(one: str, other: str) -> None:
    assert told(a=ONE + one, b=ONE + other) == [SAID]


def test_each_further_one_is_told() -> None:
    assert len(told(a=ONE, c="environment: c\nregion: us-east-1\n", b=ONE, d=ONE)) == 2


def test_one_file_given_twice_is_one_spec() -> None:
    Path("a.yaml").write_text(ONE)
    Path("link.yaml").symlink_to("a.yaml")
    answers = load_all(["a.yaml", "./a.yaml", "link.yaml"], KINDS)
    assert not [answer for _, answer in answers if isinstance(answer, SpecError)]


def test_what_is_wrong_with_one_keeps_nobody_from_the_others() -> None:
    assert [line.split(": ")[0] for line in told(a="{", c=ONE, b=ONE)] == ["a.yaml:1:2", "b.yaml:1:14"]
