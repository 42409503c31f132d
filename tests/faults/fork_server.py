"""A process that has imported the whole program and forks: each fork becomes one real run of it.

Starting Python and reading the service models takes a second of CPU; a fork takes none of that. What comes
after is the program's own: `cli.main` with its arguments, output to files, real signals, a real end.

Orders come as lines of JSON on stdin: `args`, `folder`, and `clock`, port and token of the local AWS whose
clock is moved by as much as the program would pause (null: it pauses). Events go out on stdout, as lines too:
`{"started": pid}` and `{"ended": pid, "code": exit code, negative for a signal}`.
"""

from __future__ import annotations

import atexit
import faulthandler
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import boto3

import provisioner.aws.client
import provisioner.kinds
import provisioner.kinds.fleet
import provisioner.spec
from local_aws import LocalAws, advance
from provisioner.cli import app as cli
from provisioner.cli import change as cli_change
from tests.faults import ahead
from tests.faults.runs import TELLING
from tests.support.program import SPECS

# For other threads to get on, where the program believes that seconds have passed.
MOMENT_S = 0.005


def main() -> None:
    """Forks on order until stdin ends."""
    _warm_up()
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(writing)
    orders = b""
    while True:
        ready, _, _ = select.select([0, reading], [], [])
        if reading in ready:
            os.read(reading, 512)
            _bury()
        if 0 in ready:
            received = os.read(0, 65536)
            if not received:
                return
            *lines, orders = (orders + received).split(b"\n")
            for line in lines:
                pid = os.fork()
                if pid == 0:
                    _become(json.loads(line))
                _tell(started=pid)


def _warm_up() -> None:
    """Imports the whole program, reads a spec and the service models once, for all forks."""
    for module in pkgutil.walk_packages(provisioner.__path__, "provisioner."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    provisioner.spec.load(str(SPECS / "fifty-servers.yaml"), provisioner.kinds.KINDS)
    session = boto3.Session()
    for service in ("ec2", "iam", "sts", "ssm"):
        session.client(service, region_name="us-east-1")
    vars(boto3)["Session"] = lambda **_: session
    gc.collect()
    gc.freeze()


def _bury() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        _tell(ended=pid, code=os.waitstatus_to_exitcode(status))


def _tell(**event: int) -> None:
    os.write(1, json.dumps(event).encode() + b"\n")


def _become(order: dict[str, Any]) -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    folder = Path(order["folder"])
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    faulthandler.register(TELLING, file=2)
    if order["clock"]:
        _hurry(*order["clock"])
    sys.argv = ["provisioner", *order["args"]]
    try:
        cli.main()
    except SystemExit as end:
        _end(end.code)


def _end(code: Any) -> None:
    """Ends as Python does, but for taking every module to pieces, for which all memory would be copied."""
    vars(threading)["_shutdown"]()
    vars(atexit)["_run_exitfuncs"]()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


class _Moving(threading.Event):
    """Does not wait for seconds to pass, but lets them pass in the local AWS."""

    aws: LocalAws

    def wait(self, timeout: float | None = None) -> bool:
        if timeout is None or self.is_set():
            return super().wait(timeout)
        ahead.run_ahead(timeout)
        advance(self.aws, timeout)
        return super().wait(MOMENT_S)


class _Threading:
    Event = _Moving

    def __getattr__(self, name: str) -> Any:
        return getattr(threading, name)


def _hurry(port: int, token: str) -> None:
    """What the program pauses between two calls passes at once, for the local AWS and so for the program."""
    _Moving.aws = LocalAws(port, 0, token)
    for module in (cli_change, provisioner.aws.client):
        vars(module)["threading"] = _Threading()
    vars(provisioner.kinds.fleet)["datetime"] = ahead.Datetime
