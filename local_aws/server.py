"""The server process: one WSGI application around moto, bound to loopback."""

from __future__ import annotations

import fcntl
import gc
import json
import os
import secrets
import socket
import struct
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from moto.core.exceptions import ServiceException
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.utilities.utils import get_partition
from werkzeug.serving import WSGIRequestHandler, make_server

from local_aws import moto_speed
from local_aws.call import (
    Answer,
    AwsError,
    Call,
    check_service,
    read_call,
    service_of,
    write_answer,
    write_error,
)
from local_aws.client import CONTROL_PATH, LOOPBACK
from local_aws.corrections import answer_call, console, credentials, images, parameters, settle, spot, status
from local_aws.corrections.launch import start_with_id
from local_aws.door import knows_token, read_body, refusal
from local_aws.errors import LocalAwsError
from local_aws.gate import Gate, Verdict
from local_aws.record import Record, digest
from local_aws.settings import Faults
from local_aws.world import World

GENERATION_HEADER = "x-provisioner-local"
StartResponse = Callable[[str, list[tuple[str, str]]], Any]


class Application:
    """Who may come in, faults before, the answer (ours or moto's), the record, faults after."""

    def __init__(self, port: int, token: str, plain: bool = False) -> None:
        self.port = port
        self.token = token
        self.plain = plain
        self.world = World()
        # Another one after each reset: whoever works with what was there can tell that it is gone.
        self.generation = secrets.token_hex(8)
        self.gate = Gate()
        self.record = Record()
        self.moto = DomainDispatcherApplication(create_backend_app)

    def set_faults(self, faults: Faults) -> None:
        """Replaces all faults."""
        with self.world.lock:
            self.world.set_faults(faults)
        self.gate.set(faults)

    def reset(self) -> None:
        """Empties the accounts, switches every fault off, sets the clock right and forgets the calls."""
        with self.world.lock:
            self.world.reset()
            self.world.clock.set_back()
            self.generation = secrets.token_hex(8)
        self.set_faults(Faults())
        self.record.clear()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        refused = refusal(environ, self.port)
        if refused:
            return _send(Answer(403, "text/plain", f"{refused}\n".encode()), start_response)
        if environ.get("PATH_INFO", "").startswith(CONTROL_PATH):
            return _send(_control(self, environ), start_response)
        try:
            if self.plain:
                check_service(environ)
                return self._pass_through(environ, start_response)
            call = read_call(environ, read_body(environ), self._account_of)
        except Exception as problem:  # noqa: BLE001  what cannot be read is answered too
            problem = AwsError("InvalidRequest", str(problem)) if type(problem) is ValueError else problem
            return _send(write_error(None, problem, service_of(environ)), start_response, self.generation)
        began = time.time()
        verdict = self.gate.judge(call.service, call.operation)
        if verdict.wait_s:
            time.sleep(verdict.wait_s)
        answer = None if verdict.drop_request else self._answer(call, verdict)
        dropped = "drop_request" if verdict.drop_request else "drop_reply" if verdict.drop_reply else ""
        self.record.add(
            service=call.service,
            operation=call.operation,
            region=call.region,
            account=call.account,
            digest=digest(call.params),
            status=0 if dropped or answer is None else answer.status,
            error=dropped or (answer.error if answer else ""),
            duration_ms=round((time.time() - began) * 1000, 3),
            started=began,
            dry_run=bool(call.params.get("DryRun")),
        )
        if answer is None or dropped:
            _reset_on_close(environ["werkzeug.socket"])
            raise ConnectionAbortedError(dropped)  # the server closes the connection without a word
        return _send(answer, start_response, self.generation)

    def _pass_through(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        with self.world.lock:
            return list(self.moto(environ, start_response))

    def _account_of(self, access_key: str) -> str:
        with self.world.lock:
            return self.world.account_of(access_key)

    def _answer(self, call: Call, verdict: Verdict) -> Answer:
        try:
            if verdict.error:
                raise AwsError(*verdict.error)
            with self.world.lock:
                world = self.world.of(call.account)
                settle(world)
                return write_answer(call, answer_call(world, call))
        except (AwsError, ServiceException) as problem:
            return write_error(call, problem)
        except Exception as problem:  # noqa: BLE001  whatever moto raises must reach the client as an answer
            traceback.print_exc()
            return write_error(call, problem)


def _control(app: Application, environ: dict[str, Any]) -> Answer:
    if not knows_token(environ, app.token):
        text = json.dumps({"message": "the control interface asks for the token in the state folder"})
        return Answer(403, "application/json", text.encode())
    path = environ["PATH_INFO"].removeprefix(f"{CONTROL_PATH}/")
    try:
        body = json.loads(read_body(environ) or b"null")
        result = _control_result(app, path, environ["REQUEST_METHOD"], body)
    except (LocalAwsError, AwsError, ServiceException, ValueError, KeyError, TypeError) as problem:
        text = json.dumps({"message": getattr(problem, "message", None) or str(problem)})
        return Answer(400, "application/json", text.encode())
    return Answer(200, "application/json", json.dumps(result).encode())


def _control_result(app: Application, path: str, method: str, body: Any) -> Any:
    match method, path:
        case "GET", "health":
            return {"pid": os.getpid(), "plain": app.plain}
        case "GET", "clock":
            return {"ahead_s": app.world.clock.ahead}
        case "GET", "faults":
            return json.loads(app.world.faults.to_json())
        case "POST", "faults":
            app.set_faults(Faults.from_json(json.dumps(body)))
        case "GET", "calls":
            return {"calls": [asdict(item) for item in app.record.calls()]}
        case "POST", "calls/clear":
            app.record.clear()
        case "GET", "authorizations":
            with app.world.lock:
                return {"authorizations": list(app.world.authorized)}
        case "POST", "authorizations/clear":
            with app.world.lock:
                app.world.authorized.clear()
        case "POST", "advance":
            app.world.clock.advance(float(body["seconds"]))
        case "POST", "reset":
            app.reset()
        case "POST", "instances":
            with app.world.lock:
                settle(app.world)
                made = start_with_id(
                    app.world, body["region"], body["instance_id"], body["type"], body["tags"]
                )
            return {"instance_id": made}
        case "POST", "images":
            with app.world.lock:
                created = _time(body["created"]) if body["created"] else app.world.clock.today()
                names = (body["name"], body["owner"], body["architecture"])
                return {"image_id": images.add(app.world, body["region"], *names, created)}
        case "POST", "images/deprecate":
            with app.world.lock:
                images.deprecate(app.world, body["region"], body["image_id"], _time(body["at"]))
        case "POST", "images/remove":
            with app.world.lock:
                images.remove(app.world, body["region"], body["image_id"])
        case "POST", "parameters":
            with app.world.lock:
                parameters.move_on(app.world, body["region"], body["name"], body["value"])
        case "POST", "reclaim":
            with app.world.lock:
                settle(app.world)
                spot.reclaim(app.world, body["instance_ids"])
        case "POST", "credentials":
            with app.world.lock:
                settle(app.world)
                app.world.partition = get_partition(body["region"])
                return {"roles": credentials.held(app.world, app.world.region(body["region"]))}
        case "POST", "status":
            with app.world.lock:
                settle(app.world)
                status.force(app.world, body["instance_id"], body["status"])
        case "POST", "user-data":
            with app.world.lock:
                settle(app.world)
                console.end_user_data(app.world, body["instance_id"], body["result"])
        case _:
            raise LocalAwsError(f"no such control: {method} {path}")
    return {}


def _time(text: str) -> datetime:
    """Times without a zone are UTC."""
    at = datetime.fromisoformat(text)
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def _send(answer: Answer, start_response: StartResponse, generation: str = "") -> Iterable[bytes]:
    headers = [
        ("Content-Type", answer.content_type),
        ("Content-Length", str(len(answer.body))),
        ("X-Content-Type-Options", "nosniff"),
        ("x-amzn-RequestId", str(uuid.uuid4())),
    ]
    if generation:
        headers.append((GENERATION_HEADER, generation))
    start_response(f"{answer.status} {'OK' if answer.status < 400 else 'Error'}", headers)
    return [answer.body]


def _reset_on_close(connection: socket.socket) -> None:
    """Makes closing the connection a reset instead of an orderly end, as when a machine on the way fails."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class _Handler(WSGIRequestHandler):
    """Speaks HTTP/1.1, and writes no line per request.

    werkzeug closes the connection after each answer, which AWS does not; clients open another one.
    """

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def connection_dropped(self, error: BaseException, environ: Any = None) -> None:
        self.close_connection = True

    def date_time_string(self, timestamp: float | None = None) -> str:
        """What answers say the time is: as everything here, by the clock that can be moved."""
        app = self.server.app
        now = app.world.clock.now() if timestamp is None and isinstance(app, Application) else timestamp
        return super().date_time_string(now)

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        return


def serve(port: int, pid_file: Path | None, faults: Faults, plain: bool = False) -> None:
    """Runs until the process is told to stop.

    Raises LocalAwsError if the port is taken.
    """
    moto_speed.load_once()
    if not plain:
        moto_speed.install()
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
    except OSError as problem:
        raise LocalAwsError(
            f"cannot listen on port {port}: {problem.strerror}", "choose another port"
        ) from None
    listener.listen(512)
    port = listener.getsockname()[1]
    app = Application(port, secrets.token_hex(16), plain)
    app.set_faults(faults)
    server = make_server(LOOPBACK, port, app, threaded=True, request_handler=_Handler, fd=listener.fileno())
    _look_for_garbage_seldom()
    warm = threading.Thread(target=_warm_up, args=(app,), daemon=True)
    warm.start()
    held = _write_pid_file(pid_file, port, app.token) if pid_file else None
    print(f"listening on {LOOPBACK}:{port}", file=sys.stderr, flush=True)  # noqa: T201  the log of the process
    server.serve_forever()
    if held is not None:
        os.close(held)


def _look_for_garbage_seldom() -> None:
    """What is imported stays, and is not looked through for garbage again; a tenth of a call's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def _warm_up(app: Application) -> None:
    """Builds what the first call would otherwise wait for."""
    with app.world.lock:
        _ = app.world.iam
        _ = app.world.region("us-east-1").backend


def _write_pid_file(path: Path, port: int, token: str) -> int:
    """Says where this process is found, and returns a handle that is to stay open.

    The file is locked for as long as the process lives: by that a file that tells of a process that is gone
    is known, whoever has its number by now.
    """
    fresh = path.with_suffix(f".{os.getpid()}")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX)
    os.write(handle, json.dumps({"port": port, "pid": os.getpid(), "token": token}).encode())
    fresh.replace(path)
    return handle
