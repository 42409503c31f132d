"""Writing a file whole or not at all, so that nobody ever reads half of one."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def names_folder(path: str) -> bool:
    """Whether a path can only be that of a folder, such as `reports/`, which `Path` does not tell."""
    return os.path.basename(path) in ("", ".", "..")  # noqa: PTH119


def replace_file(target: Path, content: bytes, mode: int) -> None:
    """Put a file with that content in the place of another, or of none. Raises OSError.

    It is for its owner only from the first moment, and gets its mode before it has its name.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name[:100]}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
