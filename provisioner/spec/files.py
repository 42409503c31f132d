"""Reading files of people, who want to know why one cannot be read."""

from __future__ import annotations

from pathlib import Path

from provisioner.spec.wording import near


class FileProblem(Exception):
    """Why a file cannot be read, in words that go on after its name: `is a folder`."""


class Missing(FileProblem):
    """It is not there."""


def read_bytes(path: Path, most: int) -> bytes:
    """The content of a file of at most `most` bytes. Raises FileProblem, Missing among them."""
    try:
        if path.is_dir():
            raise FileProblem("is a folder, not a file")
        with path.open("rb") as opened:
            content = opened.read(most + 1)
    except FileNotFoundError:
        raise Missing("does not exist") from None
    except PermissionError:
        raise FileProblem("may not be read by you") from None
    except ValueError:
        raise FileProblem("is not the name of a file") from None
    except OSError as error:
        raise FileProblem(f"cannot be read: {error.strerror or error}") from None
    if len(content) > most:
        raise FileProblem(f"is larger than {most // 1024} KiB")
    return content


def near_file(path: Path) -> str | None:
    """The name of a file in the same folder as one that is missing, if it was probably meant."""
    try:
        return near(path.name, [each.name for each in path.parent.iterdir() if each.is_file()])
    except (OSError, ValueError):
        return None


def is_special(path: Path) -> bool:
    """Whether it is there, but neither file nor folder: reading a device or a pipe may never end."""
    try:
        return path.exists() and not path.is_file() and not path.is_dir()
    except (OSError, ValueError):
        return False
