"""Sessions and clients of many environments: made once for each login and region, roles assumed once."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from local_aws import Faults, Rule, denied, drop_request, error, set_faults, unavailable
from provisioner.aws.client import Aws, Target
from provisioner.aws.connect import Options, as_role
from provisioner.aws.connections import Connections
from provisioner.aws.deadline import TooLate, run_within
from provisioner.errors import AwsError
from provisioner.model import Environment, Login
from provisioner.retry import is_withheld
from tests.support.cloud import ANYTHING, Cloud

OTHER = "111122223333"
ROLE = f"arn:aws:iam::{OTHER}:role/deployer"
REGIONS = ("us-east-1", "eu-west-1", "ap-south-1")
# A user's whole configuration.
CONFIG = "[profile shop]\naws_access_key_id = 111122223333\naws_secret_access_key = any\n"

LONG_S = 15.0

Connect = Callable[..., Connections]


@pytest.fixture
def connect(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Connections of somebody who has keys of account 123456789012 and a profile of another."""
    (tmp_path / "config").write_text(CONFIG)
    for name, value in {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_ACCESS_KEY_ID": "some",
        "AWS_SECRET_ACCESS_KEY": "any",
    }.items():
        monkeypatch.setenv(name, value)
    return lambda profile=None: Connections(Options(profile, cloud.server.endpoint_url))


def environment(name: str, region: str = REGIONS[0], login: Login | None = None) -> Environment:
    return Environment(name, region, login=login)


@pytest.mark.parametrize(
    ("login", "profile", "account"),
    [
        (None, None, "123456789012"),
        (Login(profile="shop"), None, OTHER),
        (Login(role_arn=ROLE), None, OTHER),
        (Login(profile="shop", role_arn="arn:aws:iam::444455556666:role/x"), None, "444455556666"),
        # What the command line says counts more.
        (Login(role_arn="arn:aws:iam::444455556666:role/x"), "shop", OTHER),
    ],
)
def test_a_login_is_of_its_account(
    connect: Connect, login: Login | None, profile: str | None, account: str
) -> None:
    aws = connect(profile).to(environment("a", login=login))
    assert aws.identity().account_id == account


def test_a_role_is_assumed_once_for_all_regions_and_environments(connect: Connect, cloud: Cloud) -> None:
    connections = connect()
    login = Login(role_arn=ROLE)
    asking = [environment(f"e{number}", REGIONS[number % 3], login) for number in range(30)]
    cloud.forget_calls()
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(connections.to, asking))
        list(pool.map(lambda aws: aws.call("ec2", "DescribeVpcs"), made))
    assert len(set(map(id, made))) == 3
    assert cloud.operations().count("AssumeRole") == 1


@pytest.mark.parametrize(
    "fault",
    [
        unavailable("AssumeRole", nth=(1, 2)),
        error("AssumeRole", "Throttling", "Rate exceeded", status=400, nth=1),
        drop_request("AssumeRole", nth=1),
    ],
    ids=["twice 503", "throttled", "cut off"],
)
def test_a_role_is_assumed_where_sts_fails_for_a_moment(connect: Connect, cloud: Cloud, fault: Rule) -> None:
    set_faults(cloud.server, Faults(rules=(fault,)))
    assert connect().to(environment("a", login=Login(role_arn=ROLE))).identity().account_id == OTHER


def test_a_role_is_assumed_anew_before_it_expires(connect: Connect, cloud: Cloud) -> None:
    aws = connect().to(environment("a", login=Login(role_arn=ROLE)))
    expire(aws)
    cloud.forget_calls()
    assert aws.identity().account_id == OTHER
    assert cloud.operations() == ["AssumeRole", "GetCallerIdentity"]


def expire(aws: Aws) -> None:
    """As if fifty-nine minutes had passed, also for what botocore has fetched."""
    credentials: Any = aws._session.get_credentials()
    credentials._expiry_time = datetime.now(UTC) + timedelta(minutes=1)
    credentials._refresh_using.__self__._cache.clear()


def test_a_refusal_to_assume_a_role_anew_is_none_of_what_was_called(connect: Connect, cloud: Cloud) -> None:
    aws = connect().to(environment("a", login=Login(role_arn=ROLE)))
    expire(aws)
    cloud.forget_calls()
    set_faults(cloud.server, Faults(rules=(denied("AssumeRole"),)))
    with pytest.raises(AwsError) as caught:
        aws.call("ec2", "DescribeVpcs")
    assert str(caught.value).startswith("sts AssumeRole: NoCredentials: AccessDenied: ")
    assert "trust policy" in str(caught.value.hint)
    # So what can do without this call does not take it for one that is not permitted.
    assert not is_withheld(caught.value)
    assert cloud.operations() == ["AssumeRole"]


def test_that_a_role_is_assumed_anew_is_no_answer_to_what_was_called(connect: Connect, cloud: Cloud) -> None:
    """What is called with it has as long for its first answer as if that had not been needed."""
    aws = connect().to(environment("a", login=Login(role_arn=ROLE)))
    expire(aws)
    cloud.forget_calls()
    credentials: Any = aws._session.get_credentials()
    never = threading.Event()

    def call() -> None:
        credentials.get_frozen_credentials()
        never.wait(LONG_S)

    began = time.monotonic()
    with pytest.raises(TooLate):
        run_within(2.0, call, once_begun=LONG_S)
    assert time.monotonic() - began < LONG_S
    never.set()
    assert cloud.operations() == ["AssumeRole"]


def test_a_role_is_assumed_anew_where_sts_fails_longer(connect: Connect, cloud: Cloud) -> None:
    aws = connect().to(environment("a", login=Login(role_arn=ROLE)))
    expire(aws)
    set_faults(cloud.server, Faults(rules=(unavailable("AssumeRole", nth=(1, 2, 3, 4)),)))
    assert aws.identity().account_id == OTHER


def test_what_fails_when_a_role_is_assumed_anew_is_no_service_that_never_answered(
    connect: Connect, cloud: Cloud
) -> None:
    """A gateway's errors have no code of AWS's. The call that waits for the role bounds how long it is tried:
    since when STS is asked nobody counts."""
    heard: list[str] = []
    connections = Connections(Options(None, cloud.server.endpoint_url), on_waiting=heard.append)
    aws = connections.to(environment("a", login=Login(role_arn=ROLE)))
    aws.call("ec2", "DescribeVpcs")
    expire(aws)
    gateway = error("AssumeRole", "503", "Service Unavailable", status=503, nth=(1, 2, 3, 4))
    set_faults(cloud.server, Faults(rules=(gateway,)))
    assert "Vpcs" in aws.call("ec2", "DescribeVpcs")
    assert heard == []


@pytest.mark.parametrize(
    ("profile", "login"),
    [
        ("asking", None),
        ("above", None),
        ("asking", Login(role_arn="arn:aws:iam::444455556666:role/x")),
        ("above", Login(role_arn="arn:aws:iam::444455556666:role/x")),
    ],
    ids=["of a profile", "of its source", "and a role", "of its source, and a role"],
)
def test_what_a_code_has_opened_is_used_to_its_end(
    connect: Connect,
    cloud: Cloud,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    profile: str,
    login: Login | None,
) -> None:
    device = f"role_arn = {ROLE}\nsource_profile = shop\nmfa_serial = arn:aws:iam::{OTHER}:mfa/me\n"
    above = f"role_arn = {ROLE}-above\nsource_profile = asking\n"
    (tmp_path / "config").write_text(f"{CONFIG}[profile asking]\n{device}[profile above]\n{above}")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", cloud.server.endpoint_url)
    source = Aws(Target(REGIONS[0], profile, cloud.server.endpoint_url))
    # Somebody who types.
    provider = source._session.get_component("credential_provider").get_provider("assume-role")
    provider._prompter = lambda _: "123456"
    source.log_in()
    aws = as_role(source, REGIONS[0], login)

    def is_used(left: timedelta) -> bool:
        """With so much left of the session, and nothing of those that it was opened with."""
        credentials: Any = aws._session.get_credentials()
        credentials._expiry_time = datetime.now(UTC) + left
        # What asks for a code is no method of anything.
        while fetcher := getattr(credentials._refresh_using, "__self__", None):
            fetcher._cache.clear()
            credentials = fetcher._source_credentials
            credentials._expiry_time = datetime.now(UTC)
        return bool(aws.identity())

    assert is_used(timedelta(minutes=5))
    with pytest.raises(AwsError, match=r"NoCredentials: the session that the code .* is over") as caught:
        is_used(timedelta(seconds=30))
    assert "type a new code" in str(caught.value.hint)


@pytest.mark.parametrize(("external_id", "is_let_in"), [("shop", True), ("other", False), (None, False)])
def test_a_role_gets_its_external_id(
    connect: Connect, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, external_id: str | None, is_let_in: bool
) -> None:
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "shop"}},
    }
    session = boto3.Session(OTHER, "any", region_name="us-east-1")
    there = session.client("iam", endpoint_url=cloud.server.endpoint_url)
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    there.create_role(RoleName="deployer", AssumeRolePolicyDocument=document)
    cloud.iam.create_user(UserName="ci")
    cloud.iam.put_user_policy(UserName="ci", PolicyName="all", PolicyDocument=json.dumps(ANYTHING))
    keys = cloud.iam.create_access_key(UserName="ci")["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys["AccessKeyId"])
    set_faults(cloud.server, Faults(enforce_iam=True))
    asked = environment("a", login=Login(role_arn=ROLE, external_id=external_id))
    if is_let_in:
        assert connect().to(asked).identity().account_id == OTHER
    else:
        with pytest.raises(AwsError, match="AccessDenied") as caught:
            connect().to(asked)
        assert "its trust policy lets these credentials in" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("profile", "logins"),
    [
        (None, [Login(role_arn=f"arn:aws:iam::{account}:role/x") for account in (OTHER, "444455556666")]),
        (None, [None, Login("asking", ROLE, "shop"), Login("asking", ROLE)]),
        ("asking", [None, Login(role_arn=ROLE), Login("shop")]),
    ],
    ids=["of no profile", "of one profile", "of the command line"],
)
def test_credentials_are_fetched_once_for_all_logins_that_begin_with_them(
    connect: Connect,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    profile: str | None,
    logins: list[Login | None],
) -> None:
    """Whoever is asked for a code is asked for one: STS takes none twice."""
    keys = json.dumps({"Version": 1, "AccessKeyId": "some", "SecretAccessKey": "any"})
    (tmp_path / "fetch").write_text(f"echo fetched >> {tmp_path}/fetches\necho '{keys}'\n")
    asking = f"credential_process = sh {tmp_path}/fetch\n"
    (tmp_path / "config").write_text(f"{CONFIG}[profile asking]\n{asking}")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_PROFILE", "asking")
    connections = connect(profile)
    # Specs that say in which account they are meant to be are no reason to log in anew.
    asked = [
        Environment("a", region, account, login=login)
        for region in REGIONS
        for account in (OTHER, None)
        for login in logins
    ]
    connections.log_in(asked)
    of_profiles = {"asking"} if profile else {login.profile if login else None for login in logins}
    assert (tmp_path / "fetches").read_text().split() == ["fetched"] * len(of_profiles)
    with ThreadPoolExecutor(8) as pool:
        identities = list(pool.map(lambda one: connections.to(one).identity(), asked))
    assert len(identities) == len(asked)
    assert (tmp_path / "fetches").read_text().split() == ["fetched"] * len(of_profiles)


def test_all_sessions_have_one_loader_of_service_models(connect: Connect) -> None:
    connections = connect()
    roles = [f"arn:aws:iam::{number}:role/deployer" for number in range(100000000000, 100000000005)]
    made = [connections.to(environment("a", login=Login(role_arn=role))) for role in roles]
    loaders = {id(aws._session.get_component("data_loader")) for aws in made}
    assert len({id(aws._session) for aws in made}) == 5
    assert len(loaders) == 1


def test_what_is_of_the_account_is_asked_once_for_all_its_regions(connect: Connect, cloud: Cloud) -> None:
    connections = connect()
    groups = [[environment(name, region) for name in "ab"] for region in REGIONS]
    cloud.forget_calls()
    for group in groups:
        reader = connections.shared(group)
        for one in group:
            list(reader.pages("iam", "ListRoles", "Roles", PathPrefix=f"/provisioner/{one.name}/"))
            reader.call("ec2", "DescribeVpcs")
        reader.identity()
    assert sorted(cloud.operations()) == ["DescribeVpcs"] * 3 + ["GetCallerIdentity", "ListRoles"]
