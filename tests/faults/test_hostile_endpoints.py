"""What answers in place of AWS, or does not: what is told, and after how many requests."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from provisioner.aws import client as connection
from provisioner.aws.answers import MAX_BYTES
from provisioner.aws.client import Aws, Target
from provisioner.aws.proving import ProvingAws
from provisioner.errors import AwsError
from tests.faults.endpoints import (
    Answer,
    Server,
    certificate,
    endless,
    read_request,
    reply,
    serving,
    silent,
    trickling,
)
from tests.support.program import clean_environment, command, run_process

HTML = "<html><head><title>Login</title></head><body>Welcome to the hotel</body></html>"
XML = '<?xml version="1.0" encoding="UTF-8"?>'
EC2 = '<DescribeRegionsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">{}</DescribeRegionsResponse>'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nConnection: close\r\n\r\n"
GOOD = reply(XML + EC2.format("<regionInfo/>"))
PAGE = "<DescribeInstancesResponse><reservationSet/><nextToken>{}</nextToken></DescribeInstancesResponse>"
ERROR = "<Response><Errors><Error><Code>{}</Code><Message>no</Message></Error></Errors></Response>"

ATTRIBUTES = " ".join(f"a{number}=''" for number in range(2000))


def bomb(levels: int) -> str:
    """Entities of entities: some hundred bytes that stand for gigabytes."""
    defined = ['<!ENTITY e0 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx">']
    defined += [f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, levels)]
    return f"{XML}<!DOCTYPE x [{''.join(defined)}]>" + EC2.format(f"&e{levels - 1};")


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Access keys, and nothing else of the user's."""
    for name in [name for name in os.environ if name.upper().endswith("_PROXY") or name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in clean_environment(
        tmp_path, AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE", AWS_SECRET_ACCESS_KEY="secret"
    ).items():
        monkeypatch.setenv(name, value)


def ask(url: str, operation: str = "DescribeRegions", service: str = "ec2", **params: Any) -> Any:
    return Aws(Target("us-east-1", endpoint_url=url)).call(service, operation, **params)


def refused(url: str, operation: str = "DescribeRegions", service: str = "ec2", **params: Any) -> AwsError:
    """What is told of a call there."""
    with pytest.raises(AwsError) as told:
        ask(url, operation, service, **params)
    return told.value


AT_ONCE: dict[str, tuple[Answer, str]] = {
    "a web page": (reply(HTML), "InvalidAnswer"),
    "a web page with a document type": (reply("<!DOCTYPE html>\n" + HTML), "InvalidAnswer"),
    "a web page that is refused": (reply(HTML, "403 Forbidden"), "InvalidAnswer"),
    "a web page that is not there": (reply(HTML, "404 Not Found"), "InvalidAnswer"),
    "a redirection": (reply("", "302 Found", "Location: http://login.example/"), "InvalidAnswer"),
    "nothing": (reply(""), "InvalidAnswer"),
    "nothing, refused": (reply("", "403 Forbidden"), "InvalidAnswer"),
    "a word": (reply("pong"), "InvalidAnswer"),
    "JSON": (reply('{"ok": true}'), "InvalidAnswer"),
    "another XML": (reply(XML + "<feed><entry/></feed>"), "InvalidAnswer"),
    "bytes": (reply(bytes(range(256))), "InvalidAnswer"),
    "XML in UTF-16": (reply(bomb(9).replace("UTF-8", "UTF-16").encode("utf-16")), "InvalidAnswer"),
    "entities of entities": (reply(bomb(9)), "InvalidAnswer"),
    "a proxy that wants a login": (
        reply(HTML, "407 Proxy Authentication Required", "Proxy-Authenticate: Basic"),
        "ProxyError",
    ),
    "XML that does not end": (
        reply(XML + EC2.format("<regionInfo><item><regionName>x</regionName></item>") + "<x"),
        "InvalidAnswer",
    ),
    "an answer without an end": (endless(HEAD, b"<a/>" * 65536), "AnswerTooLarge"),
    "an answer that says how long it is": (
        endless(HEAD.replace(b"Connection", b"Content-Length: 10000000000\r\nConnection"), b" "),
        "AnswerTooLarge",
    ),
    "attributes without an end": (
        reply(XML + EC2.format(f'<a b=">" {ATTRIBUTES}/>')),
        "AnswerTooLarge",
    ),
    "elements that all have attributes": (reply(XML + EC2.format("<é a=''/>" * 9000)), "AnswerTooLarge"),
    "millions of elements": (
        reply(XML + EC2.format("<a/>" * (MAX_BYTES // 5))),
        "AnswerTooLarge",
    ),
}


@pytest.mark.parametrize("situation", AT_ONCE)
def test_what_is_not_aws_is_told_after_one_request(situation: str) -> None:
    answer, code = AT_ONCE[situation]
    with serving(answer) as server:
        told = refused(server.url)
    assert told.code == code, told.message
    assert told.hint
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "body", [HTML, "[]", "1", "", '{"a": ' * 3000, '"' + "x" * 5_000_000], ids=lambda body: body[:6]
)
def test_json_is_held_to_the_same(body: str) -> None:
    with serving(reply(body, "400 Bad Request" if not body else "200 OK")) as server:
        told = refused(server.url, "GetParameters", "ssm", Names=["/a"])
    assert told.code in ("InvalidAnswer", "AnswerTooLarge")
    assert len(server.requests) == 1


def test_a_value_that_boto_cannot_read_is_not_our_mistake() -> None:
    item = "<instancesSet><item><launchTime>the day before yesterday</launchTime></item></instancesSet>"
    body = f"<reservationSet><item>{item}</item></reservationSet>"
    with serving(reply(f"<DescribeInstancesResponse>{body}</DescribeInstancesResponse>")) as server:
        assert refused(server.url, "DescribeInstances").code == "InvalidAnswer"


def test_a_name_that_does_not_resolve_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told = refused("http://no-such-host.invalid:80")
    assert told.code == "HostNotFound"
    assert "no-such-host.invalid" in told.text
    assert told.hint == "check --endpoint-url"


def _speak_http(listener: socket.socket) -> None:
    accepted, _ = listener.accept()
    with accepted:
        accepted.recv(65536)
        accepted.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


class TestCertificates:
    def test_that_nobody_has_signed_are_told_at_once(self, tmp_path: Path) -> None:
        with serving(GOOD, certificate(tmp_path)[0]) as server:
            told = refused(server.url.replace("http:", "https:"))
        assert told.code == "CertificateError"
        assert "AWS_CA_BUNDLE" in (told.hint or "")
        assert server.requests == []

    def test_that_are_in_the_bundle_are_taken(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        context, pem = certificate(tmp_path)
        monkeypatch.setenv("AWS_CA_BUNDLE", str(pem))
        with serving(GOOD, context) as server:
            assert "Regions" in ask(server.url.replace("http:", "https:"))

    @pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
    @pytest.mark.parametrize("content", [None, "nonsense"])
    def test_of_a_bundle_that_cannot_be_read_are_told_with_its_name(
        self, variable: str, content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bundle = tmp_path / "bundle.pem"
        if content:
            bundle.write_text(content)
        monkeypatch.setenv(variable, str(bundle))
        with serving(GOOD, certificate(tmp_path)[0]) as server:
            told = refused(server.url.replace("http:", "https:"))
        assert told.code == "CertificateError"
        assert str(bundle) in told.text
        assert variable in (told.hint or "")

    def test_are_missing_where_no_tls_is_spoken(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(target=_speak_http, args=(listener,), daemon=True).start()
            told = refused(f"https://127.0.0.1:{listener.getsockname()[1]}")
        assert told.code == "CertificateError"
        assert "http://" in (told.hint or "")


class TestProxies:
    @pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
    def test_are_obeyed(self, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
        with serving(GOOD) as proxy:
            monkeypatch.setenv(variable, proxy.url)
            if variable == "ALL_PROXY":  # urllib knows it, and boto does not ask for it
                monkeypatch.setenv("http_proxy", proxy.url)
            ask("http://ec2.example.com")
        assert proxy.requests[0].startswith(b"POST http://ec2.example.com/ ")

    def test_are_passed_by_where_no_proxy_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with serving(GOOD) as server, serving(GOOD) as proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            monkeypatch.setenv("NO_PROXY", "127.0.0.1")
            ask(server.url)
        assert proxy.requests == []

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_that_are_not_there_are_told_at_once(self, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            monkeypatch.setenv(
                f"{scheme.upper()}_PROXY", f"http://me:pass-word@127.0.0.1:{closed.getsockname()[1]}"
            )
            told = refused(f"{scheme}://ec2.example.com")
        assert told.code == "ProxyError"
        assert f"{scheme.upper()}_PROXY" in (told.hint or "")
        assert "pass-word" not in str(told) + str(told.hint)

    @pytest.mark.parametrize("status", ["403 Forbidden", "407 Proxy Authentication Required"])
    def test_that_do_not_let_through_are_told_at_once(
        self, status: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with serving(reply(HTML, status)) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            told = refused("https://ec2.example.com")
        assert told.code == "ProxyError"
        assert len(proxy.requests) == 1

    def test_of_a_kind_that_does_not_exist_are_told_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "gopher://127.0.0.1:70")
        assert refused("https://ec2.example.com").code == "ProxyError"


class TestTime:
    """How long is waited is shortened here; that it ends is what is tested."""

    @pytest.fixture(autouse=True)
    def hurried(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(connection, "FIRST_ANSWER_S", 1.0)
        monkeypatch.setattr("provisioner.retry.FIRST_ANSWER_S", 1.0)
        monkeypatch.setattr(connection, "NOTICE_AFTER_S", 0.1)

    @pytest.mark.parametrize(
        "answer",
        [
            silent,
            trickling(b"", b"H"),
            trickling(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        ],
        ids=["nothing", "status", "headers"],
    )
    @pytest.mark.sampled
    def test_ends_for_an_answer_that_does_not_come(self, answer: Answer) -> None:
        heard: list[str] = []
        with serving(answer) as server, pytest.raises(AwsError) as told:
            Aws(Target("us-east-1", endpoint_url=server.url), on_waiting=heard.append).call(
                "ec2", "DescribeRegions"
            )
        assert told.value.code == "NetworkError"
        (said,) = heard
        assert server.url in said

    @pytest.mark.parametrize(
        "answer",
        [
            trickling(HEAD, b"<a/>"),
            trickling(HEAD.replace(b"Connection", b"Content-Length: 1000000\r\nConnection"), b" "),
            trickling(
                HEAD.replace(b"Connection", b"Transfer-Encoding: chunked\r\nConnection"), b"1\r\n \r\n"
            ),
        ],
        ids=["body", "body with a length", "chunks"],
    )
    @pytest.mark.sampled
    def test_ends_for_an_answer_that_does_not_end(
        self, answer: Answer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(connection, "CALL_S", 2.0)
        with serving(answer) as server:
            assert refused(server.url).code == "NetworkError"
        assert len(server.requests) == 1

    def test_is_given_to_a_first_answer_that_comes_slowly(self) -> None:
        """The first page of a thousand instances, over a slow line."""
        body = (XML + EC2.format("<regionInfo/>")).encode()

        def answer(server: Server, accepted: socket.socket, request: bytes) -> None:
            accepted.sendall(HEAD + body[:20])
            server.ended.wait(2)
            accepted.sendall(body[20:])

        heard: list[str] = []
        with serving(answer) as server:
            aws = Aws(Target("us-east-1", endpoint_url=server.url), on_waiting=heard.append)
            assert "Regions" in aws.call("ec2", "DescribeRegions")
        assert len(server.requests) == 1
        assert heard == []

    def test_is_told_once_of_all_other_regions(self) -> None:
        heard: list[str] = []
        with serving(silent) as server:
            aws = Aws(Target("us-east-1", endpoint_url=server.url), on_waiting=heard.append)

            def ask(region: str, host: str) -> None:
                there = aws.in_region(region)
                # As AWS has another address in each region.
                there.target = replace(there.target, endpoint_url=server.url.replace("127.0.0.1", host))
                with pytest.raises(AwsError):
                    there.call("ec2", "DescribeRegions")

            with ThreadPoolExecutor() as pool:
                list(
                    pool.map(
                        ask, ("eu-west-1", "eu-west-2", "eu-west-3"), ("127.0.0.1", "localhost", "127.1")
                    )
                )
        assert len(heard) == 2
        assert heard[1].startswith("no answer yet from other regions; giving up ")

    def test_is_given_to_a_service_that_starts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A connection that is refused at first is tried again; that is said, once."""
        monkeypatch.setattr(connection, "FIRST_ANSWER_S", 15.0)
        monkeypatch.setattr("provisioner.retry.FIRST_ANSWER_S", 15.0)
        with socket.socket() as reserved:
            reserved.bind(("127.0.0.1", 0))
            port = reserved.getsockname()[1]
        heard: list[str] = []
        refused = threading.Event()

        def hear(text: str) -> None:
            heard.append(text)
            if "trying again" in text:
                refused.set()

        def start() -> None:
            assert refused.wait(60)
            with socket.create_server(("127.0.0.1", port)) as late:
                accepted, _ = late.accept()
                read_request(accepted)
                GOOD(Server(port), accepted, b"")
                accepted.close()

        thread = threading.Thread(target=start)
        thread.start()
        aws = Aws(Target("us-east-1", endpoint_url=f"http://127.0.0.1:{port}"), on_waiting=hear)
        assert "Regions" in aws.call("ec2", "DescribeRegions")
        thread.join()
        assert len([said for said in heard if "trying again" in said]) == 1

    def test_ends_for_pages_without_an_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(connection, "MAX_PAGES", 20)
        numbers = iter(range(10**9))

        def answer(server: Server, accepted: socket.socket, request: bytes) -> None:
            reply(PAGE.format(next(numbers)))(server, accepted, request)

        with serving(answer) as server:
            aws = Aws(Target("us-east-1", endpoint_url=server.url))
            with pytest.raises(AwsError, match="one more page"):
                list(aws.pages("ec2", "DescribeInstances", "Reservations"))

    def test_ends_for_the_same_page_again_and_again(self) -> None:
        with serving(reply(PAGE.format("again"))) as server:
            aws = Aws(Target("us-east-1", endpoint_url=server.url))
            with pytest.raises(AwsError, match="one more page"):
                list(aws.pages("ec2", "DescribeInstances", "Reservations"))
        assert len(server.requests) == 2

    def test_ends_for_decisions_without_an_end(self) -> None:
        page = (
            "<SimulatePrincipalPolicyResponse><SimulatePrincipalPolicyResult><EvaluationResults/>"
            "<IsTruncated>true</IsTruncated><Marker>again</Marker>"
            "</SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
        )
        with serving(reply(page)) as server:
            aws = ProvingAws.over(Aws(Target("us-east-1", endpoint_url=server.url)))
            with pytest.raises(AwsError, match="one more page"):
                aws.simulate("arn:aws:iam::123456789012:role/x", ["ec2:RunInstances"], "*", [])
        assert len(server.requests) == 2

    def test_is_longer_for_a_service_that_has_answered(self) -> None:
        """What passes is waited for: here, a proxy's page between two answers."""
        answers: Iterator[Answer] = iter([GOOD, reply(HTML), reply("", "503 Unavailable"), GOOD])

        def answer(server: Server, accepted: socket.socket, request: bytes) -> None:
            next(answers)(server, accepted, request)

        with serving(answer) as server:
            aws = Aws(Target("us-east-1", endpoint_url=server.url))
            assert all(aws.call("ec2", "DescribeRegions") for _ in range(2))
        assert len(server.requests) == 4

    def test_is_not_shortened_by_an_error_of_aws(self) -> None:
        """AWS answers, with a refusal for its rate: that is waited for as ever."""
        answers: Iterator[Answer] = iter(
            [reply(ERROR.format("RequestLimitExceeded"), "503 Unavailable"), GOOD]
        )

        def answer(server: Server, accepted: socket.socket, request: bytes) -> None:
            next(answers)(server, accepted, request)

        with serving(answer) as server:
            heard: list[str] = []
            aws = Aws(Target("us-east-1", endpoint_url=server.url), on_waiting=heard.append)
            assert "Regions" in aws.call("ec2", "DescribeRegions")
        assert heard == []


SPEC = "environment: probe\nregion: us-east-1\nroles: {worker: {trust: ec2.amazonaws.com}}\n"


@pytest.mark.parametrize("situation", ["entities of entities", "an answer without an end", "a web page"])
@pytest.mark.parametrize("words", [["plan"], ["apply", "--yes"], ["destroy", "--yes"], ["status"]])
@pytest.mark.sampled
def test_the_program_ends_with_one_message_and_little_memory(
    words: list[str], situation: str, tmp_path: Path
) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC)
    limit = 1_500_000_000
    with serving(AT_ONCE[situation][0]) as server:
        arguments = command([*words, "--endpoint-url", server.url, str(spec)])
        limited = (
            f"import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_AS, ({limit}, {limit}));"
            f"sys.argv = {arguments[2:]!r}; runpy.run_module('provisioner', run_name='__main__')"
        )
        ran = run_process([sys.executable, "-c", limited], dict(os.environ))
    assert ran.code == 1, ran.said
    assert AT_ONCE[situation][1] in ran.err
    assert "bug" not in ran.said
    assert ran.err.count("error:") == 1


def test_what_only_looks_like_attributes_is_none() -> None:
    value = "<value>a=&quot;b&quot; c='d' e=\"f\"</value>"
    with serving(reply(XML + EC2.format(f"<regionInfo><item>{value * 2000}</item></regionInfo>"))) as server:
        assert ask(server.url) is not None


def test_an_address_of_another_kind_is_told_at_once() -> None:
    assert refused("ftp://127.0.0.1:1").code == "CannotSend"
