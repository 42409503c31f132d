"""Servers on 127.0.0.1 that answer as AWS never would: each is a function of one connection."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Answer = Callable[["Server", socket.socket, bytes], None]


@dataclass
class Server:
    """What is known of a server: where it is, the requests so far, and whether it shall end."""

    port: int
    requests: list[bytes] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serving(answer: Answer, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server whose every connection gets one answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(listener.getsockname()[1])
        threading.Thread(target=_accept, args=(server, listener, answer, tls), daemon=True).start()
        yield server
        server.ended.set()


def _accept(server: Server, listener: socket.socket, answer: Answer, tls: ssl.SSLContext | None) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(server, connection, answer, tls), daemon=True).start()


def _serve(server: Server, connection: socket.socket, answer: Answer, tls: ssl.SSLContext | None) -> None:
    with suppress(OSError, ValueError), connection:
        connection.settimeout(30)
        if tls:
            connection = tls.wrap_socket(connection, server_side=True)
        request = read_request(connection)
        server.requests.append(request)
        if request:
            answer(server, connection, request)
        connection.close()


def read_request(connection: socket.socket) -> bytes:
    """One request, whole: who hangs up before has reset the connection."""
    request = b""
    while b"\r\n\r\n" not in request:
        received = connection.recv(65536)
        if not received:
            return request
        request += received
    head, _, body = request.partition(b"\r\n\r\n")
    length = next(
        (int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"), 0
    )
    while len(body) < length:
        received = connection.recv(65536)
        if not received:
            break
        body += received
    return head + b"\r\n\r\n" + body


def reply(body: bytes | str, status: str = "200 OK", *headers: str) -> Answer:
    """Always the same."""
    data = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(data)}", "Connection: close", *headers, "", ""]

    def answer(_: Server, connection: socket.socket, __: bytes) -> None:
        connection.sendall("\r\n".join(lines).encode() + data)

    return answer


def endless(head: bytes, chunk: bytes) -> Answer:
    """An answer that goes on until nobody reads it any more."""

    def answer(server: Server, connection: socket.socket, _: bytes) -> None:
        connection.sendall(head)
        while not server.ended.is_set():
            connection.sendall(chunk)

    return answer


def trickling(head: bytes, chunk: bytes, seconds: float = 0.2) -> Answer:
    """The same, a little at a time."""

    def answer(server: Server, connection: socket.socket, _: bytes) -> None:
        connection.sendall(head)
        while not server.ended.wait(seconds):
            connection.sendall(chunk)

    return answer


def silent(server: Server, connection: socket.socket, _: bytes) -> None:
    """Nothing, for ever."""
    server.ended.wait()


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """TLS with a certificate for 127.0.0.1 that nobody has signed, and where it is."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nobody")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    pem = folder / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context, pem
