"""Work on many environments: one connection for each account and region, and nothing that stops another."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from provisioner.errors import AwsError, ProvisionerError, Refused, SpecError, UsageError
from provisioner.many.jobs import Job, load_jobs
from provisioner.many.outcome import Outcome, Verdict
from provisioner.many.runner import NOT_BEGUN, Group, grouped, run
from provisioner.many.spec_file import SpecFile
from provisioner.model import Environment, Login

ONE, OTHER = "111111111111", "222222222222"


class Connection:
    """As much of a connection as the runner uses, over a count of what it is asked for."""

    def __init__(self, group: Group, told: Counter[str]) -> None:
        self.group, self._told = group, told

    def heed(self, stop: threading.Event) -> None:
        self._told["heed"] += 1

    def apart(self) -> Connection:
        self._told["apart"] += 1
        return self


def job(name: str, account: str | None = None, region: str = "us-east-1", login: Login | None = None) -> Job:
    return Job(SpecFile(f"{name}.yaml"), Environment(name, region, account, login=login))


def outcomes_of(
    jobs: list[Job],
    error: Exception | None = None,
    lost: str = "",
    stop: threading.Event | None = None,
    begun: Callable[[], None] = lambda: None,
) -> tuple[dict[str, Outcome], Counter[str]]:
    """What becomes of jobs of which the one called `bad` raises once it has `begun`, and the account `lost`
    cannot be reached."""
    told: Counter[str] = Counter()

    def connect(group: Group) -> Any:
        told["connect"] += 1
        if group.account_id == lost:
            raise AwsError("aws", "credentials", "NoCredentials", "there are none")
        return Connection(group, told)

    def work(one: Job, aws: Any, reader: Any) -> Outcome:
        if one.environment.name == "bad" and error:
            begun()
            raise error
        return one.outcome(Verdict.OK, 0, "fine")

    found = list(run(grouped(jobs), connect, work, stop or threading.Event()))
    return {outcome.name: outcome for outcome in found}, told


def test_there_is_one_connection_for_each_login_account_and_region() -> None:
    jobs = [
        job("a", ONE),
        job("b", ONE),
        job("c", ONE, "eu-west-1"),
        job("d", OTHER),
        job("e", ONE, login=Login(profile="admin")),
        job("f", ONE),
    ]
    assert [[one.environment.name for one in group.jobs] for group in grouped(jobs)] == [
        ["a", "b", "f"],
        ["c"],
        ["d"],
        ["e"],
    ]
    found, told = outcomes_of(jobs)
    assert set(found) == set("abcdef")
    assert told == {"connect": 4, "heed": 4, "apart": 6}


@pytest.mark.parametrize(
    ("error", "verdict", "code", "words"),
    [
        (AwsError("ec2", "DescribeInstances", "AccessDenied", "no"), Verdict.FAILED, 1, "AccessDenied"),
        (UsageError("another account"), Verdict.WRONG, 3, "another account"),
        (Refused("changed meanwhile"), Verdict.REFUSED, 4, "changed meanwhile"),
        (ProvisionerError("gone"), Verdict.FAILED, 1, "gone"),
        (OSError(28, "disk full"), Verdict.FAILED, 1, "OSError: [Errno 28] disk full"),
        (ZeroDivisionError("x"), Verdict.FAILED, 1, "unexpected ZeroDivisionError: x"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_failure_stops_no_other_and_is_told(
    error: Exception, verdict: Verdict, code: int, words: str
) -> None:
    found, _ = outcomes_of([job("a", ONE), job("bad", ONE), job("c", ONE)], error)
    assert [found[name].verdict for name in ("a", "c")] == [Verdict.OK] * 2
    assert (found["bad"].verdict, found["bad"].exit_code, found["bad"].words) == (verdict, code, words)
    assert found["bad"].trouble


def test_an_account_that_cannot_be_reached_stops_no_other() -> None:
    found, _ = outcomes_of([job("a", ONE), job("b", OTHER), job("c", OTHER)], lost=OTHER)
    assert {name: outcome.verdict for name, outcome in found.items()} == {
        "a": Verdict.OK,
        "b": Verdict.FAILED,
        "c": Verdict.FAILED,
    }


def test_nothing_is_begun_after_an_interruption() -> None:
    stop = threading.Event()
    stop.set()
    found, told = outcomes_of([job("a", ONE), job("b", OTHER)], stop=stop)
    assert [(found[name].exit_code, found[name].words) for name in "ab"] == [(130, NOT_BEGUN)] * 2
    assert not told["connect"]


@pytest.mark.parametrize(
    ("error", "verdict", "code"),
    [
        (AwsError("ec2", "DescribeImages", "Unavailable", "later", 503), Verdict.INTERRUPTED, 130),
        (AwsError("ec2", "DescribeImages", "RequestLimitExceeded", "slower", 503), Verdict.INTERRUPTED, 130),
        (AwsError("ec2", "DescribeImages", "NetworkError", "closed"), Verdict.INTERRUPTED, 130),
        (AwsError("ec2", "DescribeImages", "UnauthorizedOperation", "no", 403), Verdict.FAILED, 1),
    ],
    ids=lambda value: value.code if isinstance(value, AwsError) else "",
)
def test_what_an_interruption_kept_from_being_asked_again_was_interrupted(
    error: AwsError, verdict: Verdict, code: int
) -> None:
    stop = threading.Event()
    found, _ = outcomes_of([job("a", ONE), job("bad", ONE)], error, stop=stop, begun=stop.set)
    assert (found["bad"].verdict, found["bad"].exit_code) == (verdict, code)
    assert found["bad"].trouble
    assert error.message in found["bad"].trouble.message


def load(environments: dict[str, Environment]) -> Any:
    def load_one(spec: SpecFile) -> Environment:
        if spec.path == "broken.yaml":
            raise SpecError([])
        return environments[spec.path]

    return load_one


def test_a_broken_spec_stops_no_other() -> None:
    jobs, unusable = load_jobs(
        [SpecFile("broken.yaml"), SpecFile("a.yaml")], load({"a.yaml": Environment("a", "us-east-1")})
    )
    assert [one.environment.name for one in jobs] == ["a"]
    assert [(outcome.place, outcome.verdict) for outcome in unusable] == [("broken.yaml", Verdict.WRONG)]


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        (Environment("a", "us-east-1"), Environment("a", "us-east-1"), True),
        (Environment("a", "us-east-1"), Environment("a", "eu-west-1"), False),
        (Environment("a", "us-east-1"), Environment("b", "us-east-1"), False),
        (Environment("a", "us-east-1", ONE), Environment("a", "us-east-1", ONE), True),
        (Environment("a", "us-east-1", ONE), Environment("a", "us-east-1", OTHER), False),
        # Without an account it may be meant for any.
        (Environment("a", "us-east-1", ONE), Environment("a", "us-east-1"), True),
        # Which accounts two logins are in, only AWS can tell.
        (
            Environment("a", "us-east-1", login=Login("x")),
            Environment("a", "us-east-1", login=Login("y")),
            False,
        ),
        (
            Environment("a", "us-east-1", ONE, login=Login("x")),
            Environment("a", "us-east-1", ONE, login=Login("y")),
            True,
        ),
    ],
)
def test_two_specs_of_one_environment_are_an_error(
    one: Environment, other: Environment, is_same: bool
) -> None:
    specs = [SpecFile("one.yaml"), SpecFile("other.yaml")]
    environments = load({"one.yaml": one, "other.yaml": other})
    if is_same:
        with pytest.raises(UsageError, match=r"one\.yaml and other\.yaml both describe a in us-east-1"):
            load_jobs(specs, environments)
    else:
        assert len(load_jobs(specs, environments)[0]) == 2
