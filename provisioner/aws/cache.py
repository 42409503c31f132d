"""Files in the user's cache, which only the user can have written, and which nothing depends on.

`$XDG_CACHE_HOME/provisioner`, or `~/.cache/provisioner`: https://specifications.freedesktop.org/basedir/latest/
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

# More than any of these files has: whoever put such a file there did not get it from us.
MAX_BYTES = 8 * 1024 * 1024


def read_kept(name: str, stamp: str) -> str | None:
    """What `write_kept` has written under this name with this stamp.

    None where there is nothing, where it was written with another stamp, is damaged, or where anybody else
    could have written it: service models say where calls go to.
    """
    folder = _folder()
    if folder is None:
        return None
    try:
        handle = _open_own(folder / name)
    except OSError:
        return None
    with os.fdopen(handle, "rb") as file:
        first, _, body = file.read(MAX_BYTES).partition(b"\n")
    if first.decode("ascii", "replace") != _first_line(stamp, body):
        return None
    return body.decode("utf-8")


def write_kept(name: str, stamp: str, text: str) -> None:
    """Keep a text under this name, whole or not at all; where nothing can be kept, it is not."""
    folder = _folder()
    if folder is None:
        return
    body = text.encode()
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_ours_alone(folder.lstat(), stat.S_ISDIR):
            return
        handle, path = tempfile.mkstemp(dir=folder, prefix=f".{name}-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_first_line(stamp, body).encode() + b"\n" + body)
            Path(path).replace(folder / name)
        except OSError:
            Path(path).unlink(missing_ok=True)
            raise


def _folder() -> Path | None:
    """Where this is; None where there is no such place, or no way to tell whose a file is."""
    if not hasattr(os, "geteuid"):
        return None
    # A relative one is to be ignored.
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():
        with suppress(RuntimeError):
            base = Path.home() / ".cache"
    return base / "provisioner" if base.is_absolute() else None


def _first_line(stamp: str, body: bytes) -> str:
    return f"{stamp} {hashlib.sha256(body).hexdigest()}"


def _open_own(path: Path) -> int:
    """A handle on a file of the user's own. Raises OSError, also for what others could have put there."""
    if not _is_ours_alone(path.parent.lstat(), stat.S_ISDIR):
        raise PermissionError(f"others can put files into {path.parent}")
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not _is_ours_alone(os.fstat(handle), stat.S_ISREG):
        os.close(handle)
        raise PermissionError(f"others can write {path}")
    return handle


def _is_ours_alone(found: os.stat_result, is_of_type: Callable[[int], bool]) -> bool:
    """Whether this belongs to the user, and nobody else can write it."""
    others_write = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return is_of_type(found.st_mode) and found.st_uid == os.geteuid() and not others_write
