"""A wire between the program and the local AWS: it numbers the requests, and can be cut anywhere."""

from __future__ import annotations

import http.client
import socket
import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Request:
    """One request: its number by arrival, from 1, and how many of its operation there were up to it."""

    number: int
    operation: str
    nth: int
    params: Mapping[str, str]

    @property
    def is_reading(self) -> bool:
        return self.operation.startswith(("Describe", "Get", "List"))

    def __str__(self) -> str:
        return f"{self.number}: {self.operation} {self.nth}"


class Cut(Exception):
    """The connection ends here, without a word."""


class Watching:
    """What looks at the requests that pass, and may hold them up, change their replies or raise Cut."""

    def on_request(self, request: Request) -> None:
        """Before the local AWS gets it."""

    def on_reply(self, request: Request, body: bytes) -> None:
        """After the local AWS has answered, before the program gets the answer."""


class Wire:
    """A proxy on loopback. A context manager; `watching` may be changed between runs."""

    def __init__(self, port: int) -> None:
        self._upstream = port
        self._lock = threading.Condition()
        self._under_way = 0
        self._counted: Counter[str] = Counter()
        self.requests: list[Request] = []
        self.watching: tuple[Watching, ...] = ()
        self._server = _Server((LOOPBACK, 0), _Handler)
        self._server.wire = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Wire:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._server.server_port}"

    def watch(self, *watching: Watching) -> None:
        """From now on these look on, and requests are counted from 1 again."""
        self.settle()
        with self._lock:
            self.watching = watching
            self.requests = []
            self._counted.clear()

    def settle(self) -> None:
        """Waits until nothing is under way any more."""
        with self._lock:
            assert self._lock.wait_for(lambda: self._under_way == 0, timeout=30)

    @property
    def writes(self) -> list[Request]:
        """The requests so far that were to change something."""
        return [request for request in self.requests if not request.is_reading]

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(LOOPBACK, self._upstream, timeout=60)

    def begin(self, body: bytes, headers: Mapping[str, str]) -> Request:
        params = dict(parse_qsl(body.decode()))
        operation = params.get("Action") or headers.get("X-Amz-Target", "?").rpartition(".")[2]
        with self._lock:
            self._under_way += 1
            self._counted[operation] += 1
            request = Request(len(self.requests) + 1, operation, self._counted[operation], params)
            self.requests.append(request)
        return request

    def end(self) -> None:
        with self._lock:
            self._under_way -= 1
            self._lock.notify_all()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    wire: Wire

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever was killed does not hang up politely."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.upstream = self.server.wire.connect()

    def finish(self) -> None:
        self.upstream.close()
        with suppress(OSError):
            super().finish()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        wire = self.server.wire
        request = wire.begin(body, self.headers)
        watching = wire.watching
        try:
            for each in watching:
                each.on_request(request)
            reply, content = self._forward(body)
            for each in watching:
                each.on_reply(request, content)
        except (Cut, http.client.HTTPException, ConnectionError):
            self._hang_up()
            return
        finally:
            wire.end()
        self._answer(reply, content)

    def _forward(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        self.upstream.request("POST", self.path, body, dict(self.headers))
        if self.upstream.sock:
            self.upstream.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reply = self.upstream.getresponse()
        return reply, reply.read()

    def _answer(self, reply: http.client.HTTPResponse, content: bytes) -> None:
        head = [f"HTTP/1.1 {reply.status} {reply.reason}"]
        head += [f"{name}: {value}" for name, value in reply.getheaders() if name != "Content-Length"]
        head += [f"Content-Length: {len(content)}", "", ""]
        self.wfile.write("\r\n".join(head).encode() + content)

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""
