"""Public keys in `~/.ssh` of whoever runs the program."""

from __future__ import annotations

import os
import stat
from itertools import islice
from pathlib import Path

from provisioner.kinds.key_pair.public_key import MAKE_ONE, NotAPublicKey

MAX_BYTES = 64 * 1024
MAX_LISTED = 10


def ssh_folder() -> Path:
    """The folder; there need be none."""
    # Not Path.home(), which raises where there is none.
    return Path(os.path.expanduser("~"), ".ssh")  # noqa: PTH111


def read_public_half(name: str) -> bytes:
    """The content of a file of the folder. Raises NotAPublicKey where it cannot be read."""
    path = ssh_folder() / name
    try:
        # Without O_NONBLOCK, opening a pipe waits for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except FileNotFoundError:
        raise NotAPublicKey(f"there is no file ~/.ssh/{name}", _others()) from None
    except OSError as error:
        raise NotAPublicKey(f"the file ~/.ssh/{name} cannot be read: {error.strerror}", _others()) from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NotAPublicKey(f"~/.ssh/{name} is not a regular file", _others())
        # A regular file of this size is read at once.
        content = os.read(descriptor, MAX_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(content) > MAX_BYTES:
        raise NotAPublicKey(f"the file ~/.ssh/{name} is larger than {MAX_BYTES // 1024} KiB", _others())
    return content


def public_halves() -> list[str]:
    """The names of the files that end with .pub, at most ten and one."""
    try:
        with os.scandir(ssh_folder()) as entries:
            names = (entry.name for entry in entries if entry.name.endswith(".pub"))
            return sorted(islice(names, MAX_LISTED + 1))
    except OSError:
        return []


def _others() -> str:
    names = public_halves()
    if not names:
        return f"there is no public key in {ssh_folder()}; {MAKE_ONE}"
    more = " and more" if len(names) > MAX_LISTED else ""
    are = "is" if len(names) == 1 else "are"
    return f"there {are} {', '.join(names[:MAX_LISTED])}{more}"
