"""A wire between the program and the local AWS: it numbers the requests, and can be cut anywhere."""

from __future__ import annotations

import http.client
import socket
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

from tests.support.cloud import is_reading

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Request:
    """One request: its number by arrival, from 1, and how many of its operation there were up to it.

    `writes` is how many there were up to it, with itself, that were to change something.
    """

    number: int
    operation: str
    nth: int
    params: Mapping[str, str]
    writes: int = 0

    @property
    def is_reading(self) -> bool:
        return is_reading(self.operation)

    def __str__(self) -> str:
        return f"{self.number}: {self.operation} {self.nth}"


@dataclass(frozen=True)
class Reply:
    """What the local AWS answers. `torn`: the connection ends in the middle of it."""

    head: str
    body: bytes
    torn: bool = False


class Cut(Exception):
    """The connection ends here, without a word."""


Send = Callable[[], Reply]
# What is between the program and the local AWS: may hold a request up, count it, kill its sender, raise Cut.
Between = Callable[[Request, Send], Reply]


class Wire:
    """A proxy on loopback. A context manager; what is `between` may be changed from run to run."""

    def __init__(self, port: int) -> None:
        self._upstream = port
        self._lock = threading.Condition()
        self._under_way = 0
        self._counted: Counter[str] = Counter()
        self.requests: list[Request] = []
        self.problems: list[Exception] = []
        self.between: tuple[Between, ...] = ()
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

    def put(self, *between: Between) -> None:
        """From now on these are between, and requests are counted from 1 again."""
        self.settle()
        with self._lock:
            self.between = between
            self.requests = []
            self._counted.clear()

    def settle(self) -> None:
        """Waits until nothing is under way any more. Raises what went wrong in between."""
        with self._lock:
            assert self._lock.wait_for(lambda: self._under_way == 0, timeout=30), "requests are stuck"
        problems, self.problems = self.problems, []
        if problems:
            raise ExceptionGroup("between the program and the local AWS", problems)

    @property
    def writes(self) -> list[Request]:
        """The requests so far that were to change something."""
        return [request for request in self.requests if not request.is_reading]

    @property
    def upstream(self) -> str:
        """Host and port of the local AWS."""
        return f"{LOOPBACK}:{self._upstream}"

    def connect(self) -> http.client.HTTPConnection:
        """A connection to the local AWS."""
        return http.client.HTTPConnection(LOOPBACK, self._upstream, timeout=60)

    def begin(self, body: bytes, headers: Message) -> Request:
        """Counts a request that has arrived."""
        params = dict(parse_qsl(body.decode()))
        operation = params.get("Action") or headers.get("X-Amz-Target", "?").rpartition(".")[2]
        with self._lock:
            self._under_way += 1
            self._counted[operation] += 1
            writes = len(self.writes) + (not is_reading(operation))
            request = Request(len(self.requests) + 1, operation, self._counted[operation], params, writes)
            self.requests.append(request)
        return request

    def end(self) -> None:
        """A request is under way no more."""
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
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if len(body) < length:  # who was sending it was killed
            self._hang_up()
            return
        wire = self.server.wire
        request = wire.begin(body, self.headers)
        send: Send = partial(self._forward, body)
        for between in wire.between:
            send = partial(between, request, send)
        try:
            reply = send()
        except (Cut, http.client.HTTPException, ConnectionError):
            self._hang_up()
        except Exception as problem:  # noqa: BLE001  what is between must not fail; `settle` tells
            wire.problems.append(problem)
            self._hang_up()
        else:
            self._answer(reply)
        finally:
            wire.end()

    def _forward(self, body: bytes) -> Reply:
        # The local AWS answers to its own address only.
        headers = dict(self.headers) | {"Host": self.server.wire.upstream}
        self.upstream.request("POST", self.path, body, headers)
        reply = self.upstream.getresponse()
        body = reply.read()
        head = [f"HTTP/1.1 {reply.status} {reply.reason}"]
        head += [f"{name}: {value}" for name, value in reply.getheaders() if name != "Content-Length"]
        return Reply("\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]), body)

    def _answer(self, reply: Reply) -> None:
        body = reply.body[: len(reply.body) // 2] if reply.torn else reply.body
        with suppress(OSError):
            self.wfile.write(reply.head.encode() + body)
        if reply.torn:
            self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""
