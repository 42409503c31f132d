"""Reading the files of people: a spec, and what it names, which has to be in the place that it may name.

Whoever changes a spec decides which files are read by whoever applies it: a pull request must not be able to
send `/etc/shadow`, or `/proc/self/environ` of a CI system, to an instance. So links are resolved first, what
is outside of the spec's repository or folder is refused before anything is said about it, and what is opened
is the very file that was judged: every step of its path is taken without following links.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

MAX_LISTED = 1000
# In characters, of a whole path: https://man7.org/linux/man-pages/man7/path_resolution.7.html
MAX_NAME = 4096
MAX_FOLDERS = 200

_GIVEN = "the folder given with --root"
_PSEUDO = ("/proc", "/sys", "/dev")
_FOLDER_FLAGS = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
# Without O_NONBLOCK, opening a pipe waits for a writer, and reading /proc/kmsg for the next message.
_FILE_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC


class FileProblem(Exception):
    """Why a file cannot be read, in words that go on after its name: `is a folder`, and perhaps a hint."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class Missing(FileProblem):
    """It is not there; `path` is where it was looked for."""

    def __init__(self, path: Path) -> None:
        super().__init__("does not exist")
        self.path = path


@dataclass(frozen=True)
class Source:
    """A spec's file with its links resolved, and `root`, the folder that the files it names have to be below.

    `what` says which folder that is. `flat`: they have to be right in it, and may not be hidden.
    """

    path: Path
    root: Path
    what: str
    flat: bool = False


def locate(spec: str, root: str | None = None) -> Source:
    """Where a spec really is, and where the files that it names may be.

    That is below `root` if it is given, as the spec itself has to be; else below the repository (what has a
    `.git`) that the spec is in, else below its folder. `/` and the home folder hold too much to count as a
    repository; of a spec that is right in one of them, only the visible files beside it count. A link in a
    repository may not lead out of it: whoever changes the repository could otherwise have any file told in
    error messages.

    Raises FileProblem.
    """
    _check_name(spec)
    try:
        path = Path(os.path.realpath(spec))
        given = Path(spec).absolute()
        allowed = Path(os.path.realpath(root)) if root else None
    except (ValueError, OSError):
        raise FileProblem("is not the name of a file") from None
    if _is_there(given) and not _is_there(path):
        raise _not_regular()  # such as /dev/stdin, which leads to a pipe without a path
    linked_in = _repository(given)
    if linked_in and not any(_is_below(path, folder) for folder in (linked_in, allowed) if folder):
        raise FileProblem(
            f"is a link that leads out of the repository {linked_in}",
            "give the file that it leads to, or a folder that holds both with --root",
        )
    if allowed and not _is_below(path, allowed):
        what = f"is outside of {allowed}, {_GIVEN}"
        raise FileProblem(what, "give a folder that holds the spec and the files that it names")
    if allowed:
        return Source(path, allowed, _GIVEN)
    if repository := _repository(path):
        return Source(path, repository, "the repository of the spec")
    return Source(path, path.parent, "the folder of the spec", flat=_holds_everything(path.parent))


def files_of_rules(folder: str) -> Source:
    """Where the files in a folder of guardrails may be: in its repository, else in the folder itself."""
    path = Path(os.path.realpath(folder)) / "_"
    if repository := _repository(path):
        return Source(path, repository, "the repository of the rules")
    return Source(path, path.parent, "the folder of the rules")


def read_source(source: Source, most: int) -> bytes:
    """The text of the spec itself, of at most `most` bytes. Raises FileProblem, Missing among them."""
    return _read(source.path, most)


def read_named(source: Source, name: str, most: int) -> bytes:
    """A file that a spec names, relative to its folder. Raises FileProblem, Missing among them."""
    return _read(locate_named(source, name), most)


def locate_named(source: Source, name: str) -> Path:
    """Where a file that a spec names really is. Raises FileProblem where none may be."""
    _check_name(name)
    try:
        path = Path(os.path.realpath(source.path.parent / name))
    except (ValueError, OSError):
        raise FileProblem("is not the name of a file") from None
    if not _is_below(path, source.root):
        raise FileProblem(
            f"is outside of {source.root}, {source.what}",
            "move it there, or give a folder that holds both with --root",
        )
    inside = path.relative_to(source.root).parts
    if any(part.casefold() == ".git" for part in inside):
        raise FileProblem("is in a folder of Git's own, which may hold credentials", "use another file")
    if any(_is_below(path, Path(folder)) for folder in _PSEUDO):
        raise FileProblem("is not a file on a disk", "use another file")
    if _is_below(path, _home()) and not _is_below(source.path, _home()):
        raise FileProblem("is in your home folder, which may hold credentials", "move it beside the spec")
    if source.flat and (len(inside) != 1 or inside[0].startswith(".")):
        raise FileProblem(
            f"is hidden or in another folder; {source.root} is too large to take files from all of it",
            "put the spec and its files into a folder of their own, or give the folder with --root",
        )
    return path


def called(source: Source, beside: str, name: str) -> str:
    """What people call a file that `source` names: `beside` where that leads to it.

    What a spec names that is given by a link is beside what the link leads to.
    """
    try:
        _check_name(name)
        real = os.path.realpath(source.path.parent / name)
        if os.path.realpath(beside) == real:
            return beside
    except (FileProblem, ValueError, OSError):
        return beside  # No name of a file, which is told when it is read.
    return real if os.path.isabs(beside) else os.path.relpath(real)  # noqa: PTH117


def _check_name(name: str) -> None:
    """No file system takes more, and to look at each of thousands of folders takes long."""
    if len(name) > MAX_NAME or name.count("/") > MAX_FOLDERS:
        raise FileProblem("cannot be read: File name too long")


def files_beside(path: Path) -> list[str]:
    """The names of the files in the folder of one that is missing; at most a thousand."""
    try:
        with os.scandir(path.parent) as entries:
            return sorted(entry.name for entry in islice(entries, MAX_LISTED) if entry.is_file())
    except OSError:
        return []


def _read(path: Path, most: int) -> bytes:
    """The content of a regular file; nothing in `path` may be a link any more."""
    try:
        descriptor = _open(path)
        try:
            status = os.fstat(descriptor)
            if stat.S_ISDIR(status.st_mode):
                raise FileProblem("is a folder, not a file")
            if not stat.S_ISREG(status.st_mode):
                raise _not_regular()
            if status.st_size > most:
                raise _too_large(most)
            content = b"".join(_chunks(descriptor, most + 1))
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise Missing(path) from None
    except PermissionError:
        raise FileProblem("may not be read by you") from None
    except OSError as error:
        raise FileProblem(f"cannot be read: {error.strerror or error}") from None
    if len(content) > most:
        raise _too_large(most)
    return content


def _open(path: Path) -> int:
    """Step by step from the top, so that nobody can put a link in the way after `path` was judged."""
    folder = os.open(path.anchor, _FOLDER_FLAGS)
    try:
        for part in path.parts[1:-1]:
            inner = os.open(part, _FOLDER_FLAGS, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(path.name or ".", _FILE_FLAGS, dir_fd=folder)
    finally:
        os.close(folder)


def _chunks(descriptor: int, most: int) -> Iterator[bytes]:
    while most > 0 and (chunk := os.read(descriptor, most)):
        yield chunk
        most -= len(chunk)


def _not_regular() -> FileProblem:
    return FileProblem("is not a regular file", "write what it gives to one")


def _too_large(most: int) -> FileProblem:
    return FileProblem(f"is larger than {most // 1024} KiB")


def _repository(path: Path) -> Path | None:
    """The nearest folder above with a `.git`, which is a file in a worktree or a submodule."""
    large = _large()
    for folder in path.parents:
        if _identity(str(folder)) in large:
            return None
        if os.path.lexists(folder / ".git"):
            return Path(os.path.realpath(folder))
    return None


def _holds_everything(folder: Path) -> bool:
    # Which folder it is, and not its name: to resolve the name of each folder above a spec takes much longer.
    return _identity(str(folder)) in _large()


def _large() -> tuple[tuple[int, int] | str, ...]:
    """What tells `/` and the home folder from others."""
    return _identity("/"), _identity(str(_home()))


def _identity(folder: str) -> tuple[int, int] | str:
    """What tells a folder from others: its numbers, or its name where it is not there."""
    try:
        found = os.stat(folder)  # noqa: PTH116  for each folder above hundreds of specs
    except OSError:
        return folder
    return found.st_dev, found.st_ino


def _home() -> Path:
    # Not Path.home(), which raises where there is none.
    return _resolved(os.path.expanduser("~"))  # noqa: PTH111


@cache
def _resolved(folder: str) -> Path:
    """Where the home folder really is: asked for each folder above each of hundreds of specs."""
    return Path(os.path.realpath(folder))


def _is_there(path: Path) -> bool:
    # Not Path.exists(), which raises for names that are too long and folders that may not be looked into.
    return os.path.exists(path)  # noqa: PTH110


def _is_below(path: Path, folder: Path) -> bool:
    return path.is_relative_to(folder)
