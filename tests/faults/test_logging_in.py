"""Credentials that there are not: one error, which names the profile and what to type."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from provisioner.aws.connect import Options, connect
from provisioner.errors import AwsError
from provisioner.model import Login
from tests.faults.endpoints import Answer, Server, endless, reply, serving, trickling
from tests.support.program import Ran, clean_environment, command, run_process

# Each starts a program or several: minutes in all.
pytestmark = pytest.mark.long

SPEC = "environment: probe\nregion: us-east-1\nroles: {worker: {trust: ec2.amazonaws.com}}\n"
SSO = """
[sso-session company]
sso_start_url = https://company.example/start
sso_region = us-east-1

[profile {name}]
sso_session = company
sso_account_id = 123456789012
sso_role_name = admin
"""
SSO_OLD = """
[profile {name}]
sso_start_url = https://company.example/start
sso_region = us-east-1
sso_account_id = 123456789012
sso_role_name = admin
"""
Run = Callable[..., Ran]


@pytest.fixture
def plan(tmp_path: Path) -> Run:
    """`plan` with an AWS configuration, against an endpoint that nothing may ever reach."""
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC)
    (tmp_path / ".aws").mkdir()

    def run(config: str | bytes, *options: str, stdin: str = "", **variables: str) -> Ran:
        data = config.encode() if isinstance(config, str) else config
        (tmp_path / ".aws" / "config").write_bytes(data)
        with serving(reply("")) as server:
            environment = clean_environment(tmp_path, AWS_ENDPOINT_URL_EC2=server.url, **variables)
            environment["AWS_ENDPOINT_URL_IAM"] = server.url
            ran = run_process(command(["plan", *options, str(spec)]), environment, stdin=stdin)
        assert server.requests == [], "something was sent without credentials"
        assert ran.code == 1, ran.said
        assert ran.err.count("error:") == 1
        assert "bug" not in ran.err
        return ran

    return run


@pytest.mark.parametrize("config", [SSO, SSO_OLD], ids=["session", "old form"])
def test_a_single_sign_on_that_has_expired_is_named_with_the_command(config: str, plan: Run) -> None:
    ran = plan(config.format(name="team"), "--profile", "team")
    assert "aws sso login --profile team" in ran.err


def test_the_profile_may_be_named_by_a_variable(plan: Run) -> None:
    ran = plan(SSO.format(name="team"), AWS_PROFILE="team")
    assert "aws sso login --profile team" in ran.err


def test_the_profile_to_log_in_with_is_the_one_that_the_role_is_taken_on_from(plan: Run) -> None:
    role = "[profile deploy]\nrole_arn = arn:aws:iam::123456789012:role/deploy\nsource_profile = team\n"
    ran = plan(SSO.format(name="team") + role, "--profile", "deploy")
    assert "aws sso login --profile team" in ran.err


MFA = """
[profile deploy]
role_arn = arn:aws:iam::123456789012:role/deploy
mfa_serial = arn:aws:iam::123456789012:mfa/me
source_profile = me

[profile me]
aws_access_key_id = AKIAIOSFODNN7EXAMPLE
aws_secret_access_key = secret
"""


def type_a_code(
    tmp_path: Path, typed: str, sts_url: str, spec: str = SPEC, words: str = "plan"
) -> subprocess.CompletedProcess[str]:
    """A command with a profile that asks for a code; it is read from stdin where there is no terminal."""
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text(MFA)
    (tmp_path / "spec.yaml").write_text(spec)
    return subprocess.run(
        command([*words.split(), "--profile", "deploy", str(tmp_path / "spec.yaml")]),
        env=clean_environment(tmp_path, AWS_ENDPOINT_URL_STS=sts_url, AWS_ENDPOINT_URL="http://127.0.0.1:1"),
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        start_new_session=True,
    )


def test_a_wrong_code_is_the_one_error(tmp_path: Path) -> None:
    refusal = (
        "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>"
        "MultiFactorAuthentication failed with invalid MFA one time pass code. "
        "</Message></Error></ErrorResponse>"
    )
    with serving(reply(refusal, "403 Forbidden")) as sts:
        ran = type_a_code(tmp_path, "123456\n", sts.url)
    assert len(sts.requests) == 1
    assert ran.returncode == 1
    assert ran.stderr.count("error:") == 1
    assert "MultiFactorAuthentication failed" in ran.stderr
    assert "wait for the next one" in ran.stderr


ASSUMED = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
<Credentials><AccessKeyId>ASIAIOSFODNN7EXAMPLE</AccessKeyId><SecretAccessKey>any</SecretAccessKey>
<SessionToken>token</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration></Credentials>
</AssumeRoleResult></AssumeRoleResponse>"""
IDENTITY = """<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<GetCallerIdentityResult><Arn>arn:aws:sts::123456789012:assumed-role/deploy/me</Arn><UserId>x</UserId>
<Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"""


def sts_answer(server: Server, connection: socket.socket, request: bytes) -> None:
    reply(IDENTITY if b"Action=GetCallerIdentity" in request else ASSUMED)(server, connection, request)


@pytest.mark.parametrize("words", ["plan", "permissions"])
def test_one_code_is_enough_for_many_environments(tmp_path: Path, words: str) -> None:
    role = "role_arn: arn:aws:iam::123456789012:role"
    spec = f"{SPEC}targets: {{a: {{{role}/a}}, b: {{{role}/b}}, c: {{region: eu-west-1}}, d: {{}}}}\n"
    with serving(sts_answer) as sts:
        ran = type_a_code(tmp_path, "123456\n", sts.url, spec, words)
    assert sum(b"Action=AssumeRole&" in request for request in sts.requests) == 1
    assert b"TokenCode=123456" in sts.requests[0]
    assert "asks for a code" not in ran.stderr


def test_a_code_that_nobody_can_type_is_an_error(tmp_path: Path) -> None:
    ran = type_a_code(tmp_path, "", "http://127.0.0.1:1")
    assert ran.returncode == 1
    assert "asks for a code" in ran.stderr


@pytest.mark.parametrize("answer", [endless, trickling])
def test_a_role_is_waited_for_no_longer_where_the_profile_runs_a_command(
    answer: Callable[[bytes, bytes], Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = json.dumps({"Version": 1, "AccessKeyId": "some", "SecretAccessKey": "any"})
    (tmp_path / "keys").write_text(keys)
    (tmp_path / "config").write_text(f"[profile p]\ncredential_process = cat {tmp_path / 'keys'}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    login = Login("p", "arn:aws:iam::123456789012:role/deploy")
    ended = threading.Event()

    def log_in(url: str) -> None:
        with pytest.raises(AwsError):
            connect("us-east-1", Options(endpoint_url=url), lambda _: None, login=login)
        ended.set()

    with serving(answer(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * (1 if answer is trickling else 2**20))) as sts:
        threading.Thread(target=log_in, args=[sts.url], daemon=True).start()
        assert ended.wait(120)


SECRET = "hush-hush-hush"


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("[profile p]\ncredential_process = false\n", "profile p"),
        ("[profile p]\ncredential_process = no-such-command-anywhere\n", "no-such-command-anywhere"),
        (f"[profile p]\ncredential_process = echo {SECRET}\n", "profile p"),
        (f"[profile p]\ncredential_process = echo '[\"{SECRET}\"]'\n", "profile p"),
        ("[profile p]\nrole_arn = arn:aws:iam::123456789012:role/x\n", "source_profile"),
        ("[profile p]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = q\n", "q"),
        (
            "[profile p]\nrole_arn = arn:aws:iam::123456789012:role/x\nweb_identity_token_file = /no/such\n",
            "/no/such",
        ),
        (
            f"[profile p]\naws_access_key_id = AKIA\naws_secret_access_key = {SECRET}\u00e9\n",
            "secret access key",
        ),
        ("[profile p]\naws_access_key_id = AKIA\n", "aws_secret_access_key"),
        ("[profile p]\nsso_session = nowhere\nsso_account_id = 1\nsso_role_name = x\n", "nowhere"),
    ],
)
def test_a_profile_that_gives_no_credentials_is_said_without_its_secrets(
    config: str, said: str, plan: Run
) -> None:
    ran = plan(config, "--profile", "p")
    assert said in ran.err
    assert SECRET not in ran.said


@pytest.mark.parametrize(
    "config", ["no section\n", "[profile p\n", b"\xff\xfe\x00[", "[profile p]\n[profile p]\n", "[a]\nb\n"]
)
def test_a_configuration_that_cannot_be_read_is_said(config: str | bytes, plan: Run) -> None:
    assert "config" in plan(config, "--profile", "p").err


@pytest.mark.parametrize("ending", ["\n", "\r", " ", "\u00e9", "\x7f"])
@pytest.mark.parametrize("variable", ["AWS_SESSION_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"])
def test_a_secret_that_cannot_be_sent_is_said_without_it(variable: str, ending: str, plan: Run) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "x"}
    ran = plan("", **(keys | {variable: f"{SECRET}{ending}{SECRET}"}))
    assert SECRET not in ran.said
    assert "a character" in ran.err


def test_nothing_of_the_users_reaches_the_local_aws(tmp_path: Path) -> None:
    """Files, variables and proxies that would each break or divert a call."""
    user = tmp_path / "user"
    models = user / ".aws" / "models"
    for service in ("ec2", "iam", "sts"):
        folder = models / service / "2100-01-01"
        folder.mkdir(parents=True)
        (folder / "service-2.json").write_text("{}")
    (models / "endpoints.json").write_text("{}")
    (user / ".aws" / "config").write_text("nonsense [ no section\n")
    (user / ".aws" / "credentials").write_text("nonsense\n")
    (user / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
    (tmp_path / "spec.yaml").write_text(SPEC)
    with serving(reply("")) as trap:
        diverting = {
            **dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"), trap.url),
            **{f"AWS_ENDPOINT_URL{name}": trap.url for name in ("", "_EC2", "_IAM", "_STS", "_SSM")},
        }
        breaking = {
            "AWS_PROFILE": "nobody",
            "AWS_DEFAULT_PROFILE": "nobody",
            "AWS_ACCESS_KEY_ID": "a\nb",
            "AWS_SESSION_TOKEN": "a\nb",
            "AWS_CONFIG_FILE": str(user / "no-such-file"),
            "AWS_SHARED_CREDENTIALS_FILE": str(user / "no-such-file"),
            "AWS_CA_BUNDLE": "/no/such",
            "REQUESTS_CA_BUNDLE": "/no/such",
            "SSL_CERT_FILE": "/no/such",
            "AWS_USE_FIPS_ENDPOINT": "true",
            "AWS_USE_DUALSTACK_ENDPOINT": "true",
            "AWS_RETRY_MODE": "nonsense",
            "AWS_MAX_ATTEMPTS": "nonsense",
            "AWS_DEFAULTS_MODE": "nonsense",
            "AWS_DATA_PATH": str(models),
            "AWS_REGION": "nowhere",
            "AWS_DEFAULT_REGION": "nowhere",
            "AWS_STS_REGIONAL_ENDPOINTS": "nonsense",
            "AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES": "nonsense",
            "AWS_REQUEST_CHECKSUM_CALCULATION": "nonsense",
            "AWS_RESPONSE_CHECKSUM_VALIDATION": "nonsense",
            "AWS_ACCOUNT_ID_ENDPOINT_MODE": "nonsense",
            "AWS_SDK_UA_APP_ID": "x" * 500,
            "AWS_CSM_ENABLED": "true",
            "AWS_AUTH_SCHEME_PREFERENCE": "nonsense",
            "AWS_ENDPOINT_DISCOVERY_ENABLED": "nonsense",
            "MOTO_ACCOUNT_ID": "000000000000",
            "SSLKEYLOGFILE": "/no/such/folder/keys",
            "BOTO_CONFIG": "/no/such",
        }
        environment = clean_environment(user) | diverting | breaking
        environment["PROVISIONER_LOCAL_DIR"] = str(tmp_path / "state")
        try:
            for words in (["apply", "--yes"], ["plan", "--detailed-exitcode"], ["destroy", "--yes"]):
                ran = run_process(command([*words, "--local", str(tmp_path / "spec.yaml")]), environment)
                assert ran.code == 0, ran.said
        finally:
            down = run_process([sys.executable, "-m", "provisioner", "local", "down"], environment)
        assert trap.requests == []
        assert down.code == 0
