"""Starts, finds and stops the local AWS as a background process."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from provisioner.errors import LocalAwsError
from provisioner.local.client import LOOPBACK, LocalAws, control, set_faults
from provisioner.local.settings import Faults, Switches

DEFAULT_PORT = 5577
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
_CHILDREN: dict[int, subprocess.Popen[bytes]] = {}


def state_dir() -> Path:
    """Where pid, port and log are kept: `$PROVISIONER_LOCAL_DIR`, else `$XDG_STATE_HOME/provisioner`, else
    `~/.local/state/provisioner`."""
    if own := os.environ.get("PROVISIONER_LOCAL_DIR"):
        return Path(own)
    if xdg := os.environ.get("XDG_STATE_HOME"):
        return Path(xdg) / "provisioner"
    return Path.home() / ".local" / "state" / "provisioner"


def log_file() -> Path:
    """The log of the server process."""
    return state_dir() / "local-aws.log"


def up(port: int | None = None, **switches: Any) -> LocalAws:
    """Starts the local AWS in the background unless it is running, and returns it once it answers.

    `port`: 0 for any that is free; by default 5577, or any where that is taken. `switches`: fields of
    Switches; if any is given and the local AWS is already running, they replace its faults. Raises
    LocalAwsError if another port than that of the running one is asked for, the port is taken, a switch is
    unknown, or it does not start.
    """
    if unknown := sorted(set(switches) - set(Switches.__dataclass_fields__)):
        raise LocalAwsError(f"no such switch: {', '.join(unknown)}")
    faults = Switches(**switches).faults()
    with _locked():
        running = status()
        if running is None:
            usual = DEFAULT_PORT if _free(DEFAULT_PORT) else 0
            return start(usual if port is None else port, faults)
        if port not in (None, 0, running.port):
            raise LocalAwsError(
                f"the local AWS already runs on port {running.port}, not {port}",
                "stop it first with `provisioner local down`",
            )
        if switches:
            set_faults(running, faults)
        return running


def down() -> bool:
    """Stops the local AWS and waits until its process is gone. False if none was running."""
    with _locked():
        running = status()
        if running is None:
            return False
        _stop(running.pid)
        _pid_file().unlink(missing_ok=True)
        return True


def status() -> LocalAws | None:
    """The running local AWS, or None. A pid file whose process is gone is removed."""
    try:
        data = json.loads(_pid_file().read_text())
        found = LocalAws(port=int(data["port"]), pid=int(data["pid"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        _pid_file().unlink(missing_ok=True)
        return None
    if _alive(found.pid) and _answers_as(found):
        return found
    _pid_file().unlink(missing_ok=True)
    return None


def reset() -> None:
    """Empties the accounts, switches every fault off and forgets the calls; the process keeps running.

    Raises LocalAwsError if none is running.
    """
    running = status()
    if running is None:
        raise LocalAwsError("the local AWS is not running", "start it with `provisioner local up`")
    control(running, "reset", {})


def start(port: int, faults: Faults, plain: bool = False) -> LocalAws:
    """Starts the process, whether or not one is running, and waits until it answers.

    `plain`: moto without corrections or faults, to compare with. Raises LocalAwsError as `up` does.
    """
    if port != 0 and not _free(port):
        hint = "choose another one with `--port`, or 0 for any"
        raise LocalAwsError(f"port {port} is already in use by another program", hint)
    log = log_file()
    command = [sys.executable, "-m", "provisioner.local", "--port", str(port), "--pid-file", str(_pid_file())]
    command += ["--faults", faults.to_json(), *(["--plain"] if plain else [])]
    # The child must find this package even if it is not installed and the caller is elsewhere.
    here = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd=state_dir(),
            env={**_neutral_environment(), "PYTHONPATH": path},
        )
    _CHILDREN[process.pid] = process
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise LocalAwsError(f"the local AWS did not start: {_last_line(log)}", f"its log is {log}")
        if _pid_file().exists() and (running := status()) is not None:
            return running
        time.sleep(0.05)
    _stop(process.pid)
    raise LocalAwsError(f"the local AWS did not answer within {START_TIMEOUT_S:.0f} s", f"its log is {log}")


def _neutral_environment() -> dict[str, str]:
    """Without what would change moto's behaviour, or make its look at AWS's regions need a profile."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("MOTO_", "AWS_"))}


def _stop(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while _alive(pid):
        if time.monotonic() > deadline:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def _alive(pid: int) -> bool:
    child = _CHILDREN.get(pid)
    if child is not None and child.poll() is not None:
        del _CHILDREN[pid]
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        # A process of somebody else has got this number: ours is gone.
        return False
    return True


def _answers_as(found: LocalAws) -> bool:
    """Asks for the pid: the number in a stale file may meanwhile belong to another program."""
    try:
        socket.create_connection((LOOPBACK, found.port), timeout=5.0).close()
    except TimeoutError:
        return True  # too busy to answer is not gone
    except OSError:
        return False
    try:
        answer: dict[str, Any] = control(found, "health", timeout=10.0)
    except LocalAwsError as problem:
        return isinstance(problem.__context__, TimeoutError)
    return answer.get("pid") == found.pid


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except (OSError, OverflowError):
            return False
    return True


def _pid_file() -> Path:
    return state_dir() / "local-aws.json"


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "no output"


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    """One `up` or `down` at a time, so that two at once do not start two."""
    directory = state_dir()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        handle = (directory / "local-aws.lock").open("w")
    except OSError as problem:
        hint = "set PROVISIONER_LOCAL_DIR to a directory that can be written"
        raise LocalAwsError(
            f"cannot keep the local AWS's files in {directory}: {problem.strerror}", hint
        ) from None
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
