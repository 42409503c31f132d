"""A process that has imported the whole program and forks: each fork becomes one real run of it.

Starting Python and importing takes half a second of CPU; a fork takes none of that. What comes after is the
program's own: `main` with its arguments, variables, folder, output to files, real signals, a real end.

Orders come as lines of JSON on stdin: `args`, `folder` (where `out` and `err` are written, and `in` is read
if it is there) or `terminal` (the name of one that is all three), `environment` and `cwd` if they are others
than the server's. Events go out on stdout, alike:
`{"started": pid}` and `{"ended": pid, "code": exit code, negative for a signal}`.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import io
import json
import os
import pkgutil
import select
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import provisioner.kinds
import provisioner.spec
from provisioner import lazy_dataclass
from provisioner.aws.login import open_local_session, require
from provisioner.cli import start
from tests.support import botocore_once
from tests.support.program import SPECS

Order = dict[str, Any]
# An operation of each service that most runs call.
CALLED = {
    "sts": "GetCallerIdentity",
    "ec2": "DescribeInstances",
    "iam": "GetRole",
    "ssm": "GetParameter",
    "pricing": "GetProducts",
}

# What libraries import only once they are at work.
IMPORTED_LATE = ("encodings.idna", "rich._emoji_codes")


def main() -> None:
    """Forks on order until stdin ends."""
    warm_up()
    serve(become)


def warm_up() -> None:
    """Imports the whole program, reads a spec and makes clients, once for all forks.

    What botocore has read stays; each fork makes sessions and clients of its own.
    """
    for module in pkgutil.walk_packages(provisioner.__path__, "provisioner."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for late in IMPORTED_LATE:
        importlib.import_module(late)
    _make_classes()
    botocore_once.remember()
    provisioner.spec.load(str(SPECS / "fifty-servers.yaml"), provisioner.kinds.KINDS)
    session = open_local_session()
    for service, operation in CALLED.items():
        require(session, service, operation)
        session.create_client(service, "us-east-1", endpoint_url="http://127.0.0.1:9")


def _make_classes() -> None:
    """Makes all dataclasses that wait for their first instance."""
    modules = [module for name, module in sys.modules.items() if name.startswith("provisioner.")]
    classes: set[Any] = {one for module in modules for one in vars(module).values() if isinstance(one, type)}
    for one in classes:
        new: Any = one.__new__
        if getattr(new, "__module__", None) == lazy_dataclass.__name__:
            new(one)


def serve(become: Callable[[Order], None]) -> None:
    """Forks on order until stdin ends; each fork becomes what was ordered."""
    gc.collect()
    gc.freeze()
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
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    os.close(reading)
                    os.close(writing)
                    become(json.loads(line))
                _tell(started=pid)


def become(order: Order) -> None:
    """The run that was ordered, in this process."""
    if "terminal" in order:
        take_terminal(order["terminal"])
    else:
        redirect(Path(order["folder"]))
    if "environment" in order:
        os.environ.clear()
        os.environ.update(order["environment"])
    if "cwd" in order:
        os.chdir(order["cwd"])
    run_to_its_end(order["args"])


def redirect(folder: Path) -> None:
    """Output to files, and input from one if it is there."""
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    given = folder / "in"
    os.dup2(os.open(given if given.exists() else os.devnull, os.O_RDONLY), 0)


def take_terminal(name: str) -> None:
    """Input and output on a terminal, as where Python starts on one; and a person's interrupts are heard."""
    terminal = os.open(name, os.O_RDWR | os.O_NOCTTY)
    for number in (0, 1, 2):
        os.dup2(terminal, number)
    os.close(terminal)
    for stream in (sys.stdin, sys.stdout):
        assert isinstance(stream, io.TextIOWrapper)
        stream.reconfigure(line_buffering=True)
    # Tests that run in the background are told to ignore interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def run_to_its_end(args: list[str]) -> None:
    """Runs the program and ends as Python does, but for taking every module to pieces, for which all memory
    would be copied."""
    sys.argv = ["provisioner", *args]
    try:
        start.main()
    except SystemExit as end:
        vars(threading)["_shutdown"]()
        vars(atexit)["_run_exitfuncs"]()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(end.code or 0))


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


if __name__ == "__main__":
    main()
