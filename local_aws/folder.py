"""The state folder of the local AWS: whose it is, who can read it, and what its pid file says.

The pid file holds the token of the control interface. Whoever could write here could have any process ended
in our name, so nothing is believed that somebody else may have put here.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
from pathlib import Path

from local_aws.client import LocalAws
from local_aws.errors import LocalAwsError

_NAME = "local-aws"
_HINT = "set PROVISIONER_LOCAL_DIR to a folder of your own"


def state_dir() -> Path:
    """Where pid, port and log are kept: `$PROVISIONER_LOCAL_DIR`, else `$XDG_STATE_HOME/provisioner`, else
    `~/.local/state/provisioner`. Raises LocalAwsError where there is none of these."""
    if own := os.environ.get("PROVISIONER_LOCAL_DIR"):
        return Path(own).absolute()
    if xdg := os.environ.get("XDG_STATE_HOME"):
        return Path(xdg).absolute() / "provisioner"
    try:
        return Path.home() / ".local" / "state" / "provisioner"
    except RuntimeError:
        raise LocalAwsError("there is no home folder to keep the local AWS's files in", _HINT) from None


def log_file() -> Path:
    """The log of the server process."""
    return state_dir() / f"{_NAME}.log"


def pid_file() -> Path:
    """Where the server process says how it is found."""
    return state_dir() / f"{_NAME}.json"


def lock_file() -> Path:
    """What `up` and `down` hold."""
    return state_dir() / f"{_NAME}.lock"


def open_own(path: Path, flags: int) -> int:
    """A handle on a file of ours in the state folder. Raises OSError, also for what is no file of ours."""
    handle = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
        os.close(handle)
        raise PermissionError(f"{path} is no file of yours")
    return handle


def make() -> Path:
    """The state folder, made if need be, which only we can read. Raises LocalAwsError."""
    folder = state_dir()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        check()
        if stat.S_IMODE(folder.stat().st_mode) & 0o077 and _has_only_ours(folder):
            folder.chmod(0o700)
    except OSError as problem:
        raise LocalAwsError(
            f"cannot keep the local AWS's files in {folder}: {problem.strerror or problem}",
            "set PROVISIONER_LOCAL_DIR to a directory that can be written",
        ) from None
    return folder


def check() -> bool:
    """Whether there is a state folder. Raises LocalAwsError for one in which others can put things."""
    folder = state_dir()
    try:
        entry, found = folder.lstat(), folder.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as problem:
        raise LocalAwsError(f"cannot look at {folder}: {problem.strerror}", _HINT) from None
    if found.st_uid != os.geteuid():
        raise LocalAwsError(f"{folder} belongs to another user", _HINT)
    if stat.S_ISLNK(entry.st_mode) and entry.st_uid not in (0, os.geteuid()):
        raise LocalAwsError(f"{folder} is a link that another user has made", _HINT)
    others_write = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if found.st_mode & stat.S_ISVTX or (others_write and not _has_only_ours(folder)):
        raise LocalAwsError(f"{folder} is shared with other users", _HINT)
    return True


def _has_only_ours(folder: Path) -> bool:
    """Not somebody's home or project, whose mode is none of our business."""
    return all(path.name.startswith(_NAME) for path in folder.iterdir())


def read_pid_file() -> LocalAws | None:
    """What the pid file says, if the process that wrote it lives; otherwise None, and the file is removed.

    The server process holds a lock on the file: whatever else a file says, also with the number of a process
    that lives, is not to be believed. Raises LocalAwsError for a folder in which others can put things.
    """
    if not check():
        return None
    try:
        handle = open_own(pid_file(), os.O_RDONLY)
    except FileNotFoundError:
        return None
    except OSError:
        forget()
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        found = _read(handle)
    else:
        found = None
    finally:
        os.close(handle)
    if found is None:
        forget()
    return found


def _read(handle: int) -> LocalAws | None:
    try:
        data = json.loads(os.read(handle, 4096))
        port, pid, token = int(data["port"]), int(data["pid"]), str(data["token"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    return LocalAws(port, pid, token) if pid > 1 and 0 < port < 65536 else None


def forget() -> None:
    """Removes the pid file; what cannot be removed is said by whoever writes the next one."""
    try:
        pid_file().unlink(missing_ok=True)
    except OSError:
        return
