"""What nobody may get to see is set to something easy to find, and then looked for in all that is said."""

from __future__ import annotations

import base64
import json
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from botocore.awsrequest import AWSRequest

from provisioner import secrecy
from provisioner.aws.errors import unreachable
from provisioner.aws.login import learn_what_is_sent
from provisioner.secrecy import learn_from_environment, learn_secrets, without_secrets
from tests.support.cloud import Cloud
from tests.support.program import IMPATIENT, Program, Ran, clean_environment, run_process
from tests.support.specs import PROBE, ROLES_ONLY, having

# Each starts a program or several: minutes in all.
pytestmark = pytest.mark.long

KEY_ID = "AKIARECOGNISABLE0001"
SECRET = "recognisable/secret+access/key0123456789"
TOKEN = "recognisable-first-line\nrecognisable-second-line=="
ROLE = "arn:aws:iam::123456789012:role/x"
PASSWORD = "recognisable-p%40ss/word"
SCRIPT = "#!/bin/sh\nexport DB_PASSWORD=recognisable-user-data\n"


# A token that no form of ours knows.
OPAQUE = "Opaque 0123456789abcdef"


def is_silent(ran: Ran) -> None:
    """Asserts that nothing secret was said, and nobody was blamed who is not to blame."""
    for part in ("recognisable", KEY_ID, base64.b64encode(SCRIPT.encode()).decode()[:24]):
        assert part not in ran.said.replace("~/recognisable", "")
    assert "bug in provisioner" not in ran.said
    assert "Traceback" not in ran.said


@pytest.fixture(autouse=True)
def forgetting(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test makes known is unknown to the next."""
    monkeypatch.setattr(secrecy, "_known", ())
    monkeypatch.setattr(secrecy, "_passing", ())
    monkeypatch.setattr(secrecy, "_hidden", None)


def test_a_text_that_is_nothing_but_a_secret_is_hidden() -> None:
    secrecy.learn_secrets("8letters", "a longer secret with 8letters in it")
    assert secrecy.without_known("8letters") == secrecy.HIDDEN
    assert secrecy.without_known("a longer secret with 8letters in it") == secrecy.HIDDEN
    assert secrecy.without_known("letters") == "letters"


def test_what_is_learnt_after_something_was_shown_is_hidden_too() -> None:
    learnt: list[str] = []
    for learn in (secrecy.learn_secrets, secrecy.learn_passing_secret) * 2:
        learnt.append(f"secret number {len(learnt)}")
        assert secrecy.without_known(learnt[-1]) == learnt[-1]
        learn(learnt[-1])
        assert {secrecy.without_known(secret) for secret in learnt} == {secrecy.HIDDEN}


def test_what_threads_learn_together_is_all_hidden() -> None:
    def learn(number: int) -> None:
        for step in range(50):
            secrecy.learn_secrets(f"secret-{number}-{step:03}")
            secrecy.learn_passing_secret(f"passing-{number}-{step:03}")

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(learn, range(4)))
    finally:
        sys.setswitchinterval(before)
    shown = {
        text
        for number in range(4)
        for step in range(50)
        if secrecy.without_known(text := f"secret-{number}-{step:03}") != secrecy.HIDDEN
    }
    assert shown == set()


class TestWhatIsKnown:
    WAYS = (
        str,
        repr,
        quote,
        lambda secret: quote(secret, safe=""),
        json.dumps,
        lambda secret: repr(secret.encode()),
        lambda secret: base64.b64encode(secret.encode()).decode(),
        lambda secret: secret.replace("\n", " "),
        lambda secret: secret.splitlines()[-1],
    )

    @pytest.mark.parametrize("secret", [SECRET, TOKEN, "with \"quotes' and ümläut\r\nrecognisable"])
    @pytest.mark.parametrize("way", WAYS)
    def test_is_hidden_however_it_is_written(self, way: Any, secret: str) -> None:
        learn_secrets(secret)
        shown = without_secrets(f"before {way(secret)} after")
        assert shown.startswith("before ")
        assert shown.endswith(" after")
        assert "recognisable" not in shown
        assert base64.b64encode(secret.encode()).decode() not in shown

    def test_is_what_the_environment_says(self) -> None:
        learn_from_environment(
            {
                "AWS_SECRET_ACCESS_KEY": SECRET,
                "AWS_SESSION_TOKEN": TOKEN,
                "https_proxy": f"http://user:{PASSWORD}@proxy:3128",
                "HOME": "/home/recognisable",
            }
        )
        assert without_secrets(f"{SECRET} {PASSWORD}") == "*** ***"
        assert without_secrets("recognisable-p@ss/word") == "***"
        assert without_secrets("/home/recognisable") == "/home/recognisable"

    def test_of_one_request_is_forgotten_after_a_hundred_others(self) -> None:
        sent = [f"AWS4-HMAC-SHA256 SignedHeaders=host, Sig={number:064}" for number in range(300)]
        for authorization in [*sent, OPAQUE, *sent[:50]]:
            learn_what_is_sent(AWSRequest(headers={"Authorization": authorization}))
        assert [without_secrets(authorization) for authorization in sent[:50]] == ["***"] * 50
        assert without_secrets(quote(sent[-1])) == "***"
        assert without_secrets(sent[200]) == sent[200]
        for authorization in sent:
            learn_what_is_sent(AWSRequest(headers={"Authorization": authorization.encode()}))
        assert without_secrets(OPAQUE) == "***"

    def test_is_not_what_is_too_short_to_be_told_from_a_word(self) -> None:
        learn_secrets("local", "secret")
        assert without_secrets("the local AWS, a secret") == "the local AWS, a secret"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: AWS4-HMAC-SHA256 Credential=AKIA/1/us, Signature=ab12", None),
        ("Proxy-Authorization: Basic dXNlcjpwYXNz", "Proxy-Authorization: Basic ***"),
        ("{'Authorization': 'Bearer abcdefghijkl'}", "{'Authorization': 'Bearer ***'}"),
        ("aws_secret_access_key = abcdef", "aws_secret_access_key = ***"),
        ('{"SecretAccessKey": "abcdef", "Version": 1}', '{"SecretAccessKey": "***", "Version": 1}'),
        ("&X-Amz-Security-Token=abcdef&X-Amz-Date=1", "&X-Amz-Security-Token=***&X-Amz-Date=1"),
        ("x-amz-security-token:abcdef", "x-amz-security-token:***"),
        ("https://user:pa:ss@host:1/path", "https://***@host:1/path"),
        ("https://token@host/", "https://***@host/"),
        ("got eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl", "got ***"),
        ('"{\\"SessionToken\\": \\"abcdef\\", \\"x\\": 1}"', '"{\\"SessionToken\\": \\"***\\", \\"x\\": 1}"'),
        ("aws_session_token=local/abcdef", "aws_session_token=***"),
        # What is none stays.
        ("AWS_SECRET_ACCESS_KEY=local AWS_DEFAULT_REGION=us-east-1", None),
        ("the security token included in the request is expired", None),
        ("https://aws.amazon.com/iam and user@example.com", None),
        ("arn:aws:secretsmanager:us-east-1:1:secret:x", None),
        ("Bool aws:SecureTransport is true", None),
        ("AmazonS3FullAccess, SecretsManagerReadWrite", None),
    ],
)
def test_what_has_the_form_of_a_credential_is_hidden_though_nobody_knows_it(
    text: str, shown: str | None
) -> None:
    if shown is None and "AWS4" in text:
        shown = "Authorization: AWS4-HMAC-SHA256 Credential=***, Signature=***"
    assert without_secrets(text) == (shown or text)


def test_a_spec_cannot_hide_what_it_does(program: Program, cloud: Cloud) -> None:
    program.apply(PROBE)
    (first, *_) = cloud.ids()
    spec = having(PROBE, fleets__worker__user_data=f"{first}\n! DESTROYS\nfleet/worker\n")
    ran = program.run("plan", program.write(spec))
    assert first in ran.out
    assert "***" not in ran.out


class Echo(BaseHTTPRequestHandler):
    """Answers as AWS does to what it refuses, with all that it was sent."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        said = f"{self.headers.as_string()}\n{body}".replace("&", "&amp;").replace("<", "&lt;")
        error = f"<Error><Code>Refused</Code><Message>{said}</Message></Error>"
        answer = f"<Response><Errors>{error}</Errors></Response>"
        self.send_response(400)
        self.send_header("Content-Length", str(len(answer.encode())))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def echo() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{listening.server_port}"
        listening.shutdown()


def environment_of(home: Path, **more: str) -> dict[str, str]:
    keys = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": TOKEN}
    merged = {**clean_environment(home), **keys, **more}
    return {name: value for name, value in merged.items() if value}


ONE_LINE = TOKEN.replace("\n", "")
FORMATS = (["plan", "-v"], ["plan", "--format", "json"], ["apply", "--yes", "-v"], ["status", "-v"])


@pytest.mark.parametrize(
    ("token", "words"),
    [(TOKEN, FORMATS[0]), ("", FORMATS[0]), *((ONE_LINE, words) for words in FORMATS)],
    ids=lambda value: " ".join(value) if isinstance(value, list) else f"{len(value.split())} lines",
)
def test_credentials_are_not_told_by_whatever_comes_back(
    words: list[str], token: str, home: Path, write: Any
) -> None:
    with echo() as address:
        url = f"http://user:{PASSWORD.replace('/', '%2F')}@{address}"
        for endpoint in (f"http://{address}", url):
            ran = run_process(
                [sys.executable, "-c", IMPATIENT, *words, "--endpoint-url", endpoint, str(write(ROLES_ONLY))],
                environment_of(home, AWS_SESSION_TOKEN=token),
            )
            assert ran.code in (1, 3)
            is_silent(ran)


CONFIGURATIONS: dict[str, dict[str, str]] = {
    "keys without a section": {"credentials": f"aws_secret_access_key = {SECRET}\n"},
    "a line that is none": {"credentials": f"[default]\n{SECRET}\n"},
    "half a pair": {"credentials": f"[default]\naws_secret_access_key = {SECRET}\n"},
    "a process that does not exist": {"config": "[default]\ncredential_process = /no/such/program\n"},
    "a process that tells": {"config": f"[default]\ncredential_process = echo {SECRET}\n"},
    "a process that tells half": {
        "config": f'[default]\ncredential_process = echo \'{{"SecretAccessKey": "{SECRET}"}}\'\n'
    },
    "a process that fails": {"config": "[default]\ncredential_process = false\n"},
    "a token file that is missing": {
        "config": f"[default]\nrole_arn = {ROLE}\nweb_identity_token_file = /no/such\n"
    },
    "a profile that leads nowhere": {"config": f"[default]\nrole_arn = {ROLE}\nsource_profile = nobody\n"},
    "no UTF-8": {"credentials": "[default]\naws_access_key_id = \udcff\n"},
    "a region that is none": {"config": "[default]\nregion = \x1b[31m\n"},
}


@pytest.mark.parametrize("files", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_a_configuration_that_is_broken_is_an_error_and_not_told(
    files: dict[str, str], home: Path, write: Any
) -> None:
    (home / ".aws").mkdir()
    for name, content in files.items():
        (home / ".aws" / name).write_text(content, errors="surrogateescape")
    with echo() as address:
        ran = run_process(
            [
                *(sys.executable, "-c", IMPATIENT, "plan", "-v"),
                *("--endpoint-url", f"http://{address}", str(write(ROLES_ONLY))),
            ],
            environment_of(home, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="", AWS_SESSION_TOKEN=""),
        )
    assert ran.code == 1
    assert ran.err.count("error:") == 1
    is_silent(ran)


@pytest.mark.parametrize(
    "variables",
    [
        {"HTTPS_PROXY": f"http://user:{PASSWORD.replace('/', '%2F')}@127.0.0.1:1"},
        {"HTTPS_PROXY": f"http://user:{PASSWORD.replace('/', '%2F')}@[::"},
        {"HTTPS_PROXY": f"http://user:{PASSWORD}@127.0.0.1:99999"},
        {"AWS_ENDPOINT_URL": f"http://user:{PASSWORD.replace('/', '%2F')}@127.0.0.1:1"},
        {"AWS_ENDPOINT_URL": f"http://user:{PASSWORD}@127.0.0.1:x"},
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:99999"},
        {"AWS_ENDPOINT_URL": "nonsense"},
        {"AWS_CA_BUNDLE": "/no/such/bundle"},
        {"AWS_WEB_IDENTITY_TOKEN_FILE": "/no/such", "AWS_ROLE_ARN": ROLE}
        | dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"), ""),
        {"AWS_MAX_ATTEMPTS": "many"},
        {"AWS_CONFIG_FILE": "/proc/self/mem"},
        {"AWS_STS_REGIONAL_ENDPOINTS": "nowhere"},
    ],
    ids=lambda variables: " ".join(f"{key}={value}" for key, value in variables.items())[:60],
)
def test_an_environment_that_is_broken_is_an_error_and_not_told(
    variables: dict[str, str], home: Path, write: Any
) -> None:
    environment = environment_of(home, AWS_SESSION_TOKEN="", AWS_ENDPOINT_URL="http://127.0.0.1:1")
    if "HTTPS_PROXY" in variables:
        variables = variables | {"AWS_ENDPOINT_URL": "https://127.0.0.1:1"}
    merged = {name: value for name, value in {**environment, **variables}.items() if value}
    ran = run_process([sys.executable, "-c", IMPATIENT, "plan", "-v", str(write(ROLES_ONLY))], merged)
    assert ran.code in (1, 3)
    assert ran.err.count("error:") == 1
    is_silent(ran)


@pytest.mark.parametrize("words", FORMATS, ids=" ".join)
def test_user_data_is_told_of_and_not_told(words: list[str], program: Program, cloud: Cloud) -> None:
    spec = having(PROBE, fleets__worker__user_data=SCRIPT)
    is_silent(program.run(*words, program.write(spec)))
    program.apply(spec)
    other = having(PROBE, fleets__worker__user_data=SCRIPT + "true\n", fleets__worker__count=1)
    is_silent(
        program.run(*words, "--deep", program.write(other))
        if "status" not in words
        else program.run(*words, program.write(other))
    )


@pytest.mark.parametrize(
    "data", [SCRIPT, SCRIPT.splitlines()[1], [SCRIPT], {"file": SCRIPT}, {SCRIPT: SCRIPT}]
)
def test_user_data_that_is_wrong_is_not_told(data: Any, program: Program) -> None:
    fleet = {**PROBE["fleets"]["worker"], "user_data": data, "count": "x"}
    is_silent(program.run("validate", program.write({**PROBE, "fleets": {"worker": fleet}})))


@pytest.mark.parametrize(
    "address", ["http://bob:recognisable@h:1", "bob:recognisable@h:1", "bob:re/cognisable@h"]
)
def test_a_password_in_an_address_that_cannot_be_used_is_not_told(address: str) -> None:
    text = unreachable("iam", "ListRoles", ValueError(f"Invalid endpoint: {address}")).message
    assert "cognisable" not in text
    assert "Invalid endpoint" in text
    assert "h" in text.rpartition("endpoint")[2]
