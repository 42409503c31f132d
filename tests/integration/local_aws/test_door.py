"""Who the local AWS answers: programs on this machine; no web page, and nobody without the token.

What a browser sends is written here by hand, as a browser would: https://fetch.spec.whatwg.org/.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

import local_aws
from local_aws import LocalAws
from local_aws.errors import LocalAwsError
from tests.integration.local_aws.helpers import ids, launch_one, seen

SIGNED = "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=0"
FORM = "application/x-www-form-urlencoded"


def call(service: str = "ec2", **more: str) -> dict[str, str]:
    """The headers of a call as an AWS client sends them."""
    return {"Authorization": SIGNED.format(service), "Content-Type": FORM, **more}


def send(
    local: LocalAws, method: str = "POST", path: str = "/", body: str = "", **headers: str
) -> tuple[int, Mapping[str, str], str]:
    """Status, headers and body of an answer; `Host` is the right one unless it is given."""
    connection = http.client.HTTPConnection("127.0.0.1", local.port, timeout=20)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.putrequest(method, path, skip_host="Host" in names)
    for name, value in names.items():
        connection.putheader(name, value)
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body.encode())
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, text


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST:{port}"])
def test_its_own_address_is_answered(host: str, local: LocalAws) -> None:
    status, _, text = send(
        local, body="Action=DescribeInstances", Host=host.format(port=local.port), **call()
    )
    assert status == 200
    assert "DescribeInstancesResponse" in text


@pytest.mark.parametrize(
    "host",
    [
        "attacker.example:{port}",
        "attacker.example",
        "127.0.0.1",
        "localhost",
        "127.0.0.1:1",
        "127.0.0.1:{port}0",
        "127.0.0.1.attacker.example:{port}",
        "127.0.0.1:{port}@attacker.example",
        "attacker.example:{port}, 127.0.0.1:{port}",
        "0.0.0.0:{port}",
        "127.1:{port}",
        "[::1]:{port}",
        "",
    ],
)
@pytest.mark.parametrize("path", ["/", "/_local/calls", "/moto-api/data.json"])
def test_another_host_is_refused_whatever_it_asks_for(host: str, path: str, local: LocalAws) -> None:
    more = call() | {"X_Provisioner_Token": local.token}
    status, headers, _ = send(
        local, "POST", path, "Action=DescribeInstances", Host=host.format(port=local.port), **more
    )
    assert status == 403
    assert "access-control-allow-origin" not in headers
    assert local_aws.calls(local) == []


def test_a_request_without_a_host_is_refused(local: LocalAws) -> None:
    with socket.create_connection(("127.0.0.1", local.port), timeout=20) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b" 403 " in connection.recv(4096)


def test_an_absolute_address_does_not_stand_in_for_the_host(local: LocalAws) -> None:
    request = f"POST http://127.0.0.1:{local.port}/ HTTP/1.1\r\nHost: attacker.example\r\n\r\n"
    with socket.create_connection(("127.0.0.1", local.port), timeout=20) as connection:
        connection.sendall(request.encode())
        assert b" 403 " in connection.recv(4096)


@pytest.mark.parametrize(
    ("headers", "what"),
    [
        ({"Origin": "https://attacker.example"}, "a page of somebody's"),
        ({"Origin": "null"}, "a sandboxed page"),
        ({"Origin": "http://127.0.0.1:{port}"}, "a page that came from here"),
        ({"Origin": "http://localhost:3000"}, "another server on this machine"),
        ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"}, "an image or a script of a page"),
        ({"Sec_Fetch_Site": "none", "Sec_Fetch_Mode": "navigate"}, "the address bar"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "PUT"])
@pytest.mark.parametrize("path", ["/", "/_local/reset"])
def test_no_page_is_answered(
    headers: dict[str, str], what: str, method: str, path: str, local: LocalAws, ec2: Any, image: str
) -> None:
    kept = launch_one(ec2, image)
    filled = {name: value.format(port=local.port) for name, value in headers.items()}
    body = f"Action=TerminateInstances&InstanceId.1={kept}"
    status, answered, _ = send(local, method, path, body, **call(), **filled, X_Provisioner_Token=local.token)
    assert status == 403, what
    assert not {name for name in answered if name.startswith("access-control")}
    assert seen(ec2)[0]["State"]["Name"] == "running"


@pytest.mark.parametrize("kind", ["text/plain", FORM, "multipart/form-data; boundary=x"])
def test_a_form_of_a_page_in_an_old_browser_does_nothing(
    kind: str, local: LocalAws, ec2: Any, image: str
) -> None:
    """The kinds of content that a page may send anywhere; without Origin, and without a signature."""
    kept = launch_one(ec2, image)
    for path in ("/", "/_local/reset", "/moto-api/reset"):
        status, _, _ = send(
            local, "POST", path, f"Action=TerminateInstances&InstanceId.1={kept}", Content_Type=kind
        )
        assert status in (403, 404)
    assert seen(ec2)[0]["State"]["Name"] == "running"


def test_a_call_hidden_in_the_body_of_another_request_is_not_carried_out(
    local: LocalAws, ec2: Any, image: str
) -> None:
    kept = launch_one(ec2, image)
    action = f"Action=TerminateInstances&InstanceId.1={kept}"
    host = f"Host: 127.0.0.1:{local.port}"
    hidden = (
        f"POST / HTTP/1.1\r\n{host}\r\nAuthorization: {SIGNED.format('ec2')}\r\nContent-Type: {FORM}\r\n"
        f"Content-Length: {len(action)}\r\n\r\n{action}"
    )
    outer = f"POST / HTTP/1.1\r\n{host}\r\nOrigin: null\r\nContent-Length: {len(hidden)}\r\n\r\n{hidden}"
    with socket.create_connection(("127.0.0.1", local.port), timeout=20) as connection:
        connection.sendall(outer.encode())
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert received.count(b"HTTP/1.1 ") == 1
    assert seen(ec2)[0]["State"]["Name"] == "running"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "HEAD"])
@pytest.mark.parametrize(
    "path",
    [
        "/moto-api/",
        "/moto-api/data.json",
        "/moto-api/reset",
        "/moto-api/recorder/start-recording",
        "/moto-api/recorder/download-recording",
        "/moto-api/seed",
        "/moto-api/config",
        "/moto-api/static/..%2f..%2fetc/passwd",
        "/static/x",
        "/latest/meta-data/",
        "/some-bucket/some-key",
        "//127.0.0.1/moto-api/reset",
    ],
)
@pytest.mark.parametrize("service", ["", "ec2", "s3"])
def test_nothing_else_of_motos_is_served(method: str, path: str, service: str, local: LocalAws) -> None:
    status, headers, text = send(local, method, path, **(call(service) if service else {}))
    assert status in (403, 404, 501)
    assert "root:" not in text
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("service", ["s3", "sqs", "dynamodb", "lambda", "events", "execute-api", "moto-api"])
def test_other_services_are_refused_by_name(service: str, local: LocalAws) -> None:
    target = {"X_Amz_Target": "DynamoDB_20120810.ListTables"} if service == "dynamodb" else {}
    status, _, text = send(local, body="Action=ListQueues", **call(service), **target)
    assert status == 501
    assert service in text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "health"),
        ("GET", "calls"),
        ("GET", "faults"),
        ("POST", "faults"),
        ("POST", "reset"),
        ("POST", "advance"),
        ("POST", "instances"),
        ("POST", "no-such-control"),
    ],
)
@pytest.mark.parametrize("token", [None, "", "0" * 32, "\u00e9"])
def test_controls_ask_for_the_token(method: str, path: str, token: str | None, local: LocalAws) -> None:
    headers = {} if token is None else {"X_Provisioner_Token": token}
    status, _, text = send(local, method, f"/_local/{path}", "{}", Content_Type="text/plain", **headers)
    assert status == 403
    assert local.token not in text


def test_the_token_is_in_no_answer_and_no_picture_of_the_server(local: LocalAws) -> None:
    assert len(local.token) >= 32
    assert local.token not in repr(local)
    assert local.token not in json.dumps(local_aws.control(local, "health"))
    with pytest.raises(LocalAwsError, match="token"):
        local_aws.control(replace(local, token="wrong"), "health")


@pytest.mark.parametrize(
    ("length", "body"), [("x", ""), ("-1", ""), ("1e9", ""), ("99999999999999999999", ""), ("20000000", "")]
)
def test_a_length_that_is_none_is_refused_at_once(length: str, body: str, local: LocalAws) -> None:
    with socket.create_connection(("127.0.0.1", local.port), timeout=20) as connection:
        head = f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{local.port}\r\nAuthorization: {SIGNED.format('ec2')}\r\n"
        connection.sendall(f"{head}Content-Length: {length}\r\n\r\n{body}".encode())
        connection.shutdown(socket.SHUT_WR)
        assert b" 400 " in connection.recv(4096).split(b"\r\n")[0]


@pytest.mark.parametrize("body", ["", "Action=", "Version=1", "\x00\x01"])
def test_a_call_without_an_action_is_an_error_of_the_caller(body: str, local: LocalAws) -> None:
    status, _, text = send(local, body=body, **call())
    assert status == 400
    assert "<Code>" in text


@pytest.mark.parametrize("body", ["nonsense", "[]", "1", "[" * 5000])
def test_json_that_cannot_be_read_is_an_error_of_the_caller(body: str, local: LocalAws) -> None:
    status, _, text = send(local, body=body, **call("ssm"), X_Amz_Target="AmazonSSM.GetParameters")
    assert status == 400
    assert "SerializationException" in text


def test_a_call_without_a_signature_is_refused_as_aws_refuses_it(local: LocalAws) -> None:
    status, _, text = send(local, body="Action=DescribeInstances", Content_Type=FORM)
    assert status == 403
    assert "MissingAuthenticationToken" in text


def test_the_clients_of_aws_get_in(ec2: Any, image: str) -> None:
    launched = launch_one(ec2, image)
    assert ids(seen(ec2)) == [launched]
