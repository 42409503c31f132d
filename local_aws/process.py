"""Starts, finds and stops the local AWS as a background process."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from local_aws import folder
from local_aws.client import LOOPBACK, LocalAws, control, set_faults
from local_aws.errors import LocalAwsError
from local_aws.folder import log_file, pid_file, state_dir
from local_aws.settings import Faults, Switches

DEFAULT_PORT = 5577
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
PACKAGE = Path(__file__).resolve().parent
# The server process gets this very package, also where it is not installed, and all else from where Python
# has its packages: never from the folder that somebody happens to work in.
_MAIN = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("local_aws", sys.argv.pop(1))
sys.modules["local_aws"] = package = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
from local_aws.__main__ import main
sys.exit(main())
"""
_CHILDREN: dict[int, subprocess.Popen[bytes]] = {}


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
            return _start_anywhere(faults) if port is None else start(port, faults)
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
        folder.forget()
        return True


def status() -> LocalAws | None:
    """The running local AWS, or None. A pid file whose process is gone is removed.

    Raises LocalAwsError for a state folder that is not ours alone.
    """
    found = folder.read_pid_file()
    if found is None:
        return None
    if _alive(found.pid) and _answers_as(found):
        return found
    folder.forget()
    return None


def reset() -> None:
    """Empties the accounts, switches every fault off, sets the clock right and forgets the calls; the process
    keeps running.

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
    folder.make()
    command = [sys.executable, "-P", "-c", _MAIN, str(PACKAGE / "__init__.py"), "--port", str(port)]
    command += ["--pid-file", str(pid_file()), "--faults", faults.to_json(), *(["--plain"] if plain else [])]
    try:
        output = folder.open_own(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    except OSError as problem:
        raise LocalAwsError(f"cannot write {log}: {problem.strerror or problem}") from None
    try:
        process = subprocess.Popen(  # nosec B603 # our own Python, no shell, no argument of others
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd=state_dir(),
            env=_neutral_environment(),
        )
    finally:
        os.close(output)
    _CHILDREN[process.pid] = process
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise LocalAwsError(f"the local AWS did not start: {_last_line(log)}", f"its log is {log}")
        if pid_file().exists() and (running := status()) is not None:
            return running
        time.sleep(0.05)
    _stop(process.pid)
    raise LocalAwsError(f"the local AWS did not answer within {START_TIMEOUT_S:.0f} s", f"its log is {log}")


def _start_anywhere(faults: Faults) -> LocalAws:
    """Starts it on the usual port, or on any where another has taken that, even meanwhile. Raises as `up`."""
    try:
        return start(DEFAULT_PORT, faults)
    except LocalAwsError:
        if _free(DEFAULT_PORT):
            raise
        return start(0, faults)


def _neutral_environment() -> dict[str, str]:
    """Without what would change moto's behaviour, make its look at AWS's regions need a profile, or have
    Python import what lies in the working folder."""
    changing = ("MOTO_", "AWS_", "BOTO_", "FLASK_", "WERKZEUG_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(changing)}
    return {
        **kept,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "PYTHONPATH": _safe_path(kept.get("PYTHONPATH", "")),
    }


def _safe_path(python_path: str) -> str:
    """Without the working folder: an empty entry means it too."""
    entries = [entry for entry in python_path.split(os.pathsep) if Path(entry).is_absolute()]
    here = Path.cwd()
    return os.pathsep.join(entry for entry in entries if not _is_same(Path(entry), here))


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _stop(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while _alive(pid):
        if time.monotonic() > deadline:
            with contextlib.suppress(ProcessLookupError, PermissionError):
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


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "no output"


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    """One `up` or `down` at a time, so that two at once do not start two."""
    folder.make()
    try:
        handle = folder.open_own(folder.lock_file(), os.O_RDWR | os.O_CREAT)
    except OSError as problem:
        hint = "set PROVISIONER_LOCAL_DIR to a directory that can be written"
        raise LocalAwsError(
            f"cannot keep the local AWS's files in {state_dir()}: {problem.strerror or problem}", hint
        ) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
