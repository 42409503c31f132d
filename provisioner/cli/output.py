"""The gate: everything that this program prints goes through it, whoever prints it.

stdout and stderr are replaced by gates. What is written to one is a line of text: all in it that could do
more on a screen than be read is made visible, and what is secret is hidden. Several lines, colours and
movements of the cursor have to be asked for by name, by who lays text out: `lines`, `layout` and `document`.

An output that fails stops nothing. An apply is not to end in the middle because a disk is full or a terminal
has gone; what could not be written is told on the other stream, and by the exit code of what only prints.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from provisioner.secrecy import learn_from_environment, without_known, without_secrets
from provisioner.visible import AS_ASCII, visible_layout, visible_line, visible_lines

STDIN, STDOUT, STDERR = 0, 1, 2
# https://rich.readthedocs.io/en/stable/console.html#terminal-detection
ASKING_FOR_COLOURS = ("FORCE_COLOR", "TTY_COMPATIBLE")


class Gate(io.TextIOBase):
    """A stream that shows what it is given, and goes on when it cannot be written.

    `failure` is the first error there was. While a live display is on the screen, `above` prints a line above
    it. Any thread may write.
    """

    def __init__(self, stream: TextIO, name: str) -> None:
        self._stream = stream
        self._name = name
        self._lock = threading.Lock()
        self._descriptor = _descriptor_of(stream)
        self.failure: OSError | None = None
        self.above: Callable[[str], None] | None = None
        self.holds_document = False

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding or "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        return AS_ASCII

    @property
    def name(self) -> str:
        """How people call it."""
        return self._name

    @property
    def is_unread(self) -> bool:
        """Whether its reader has gone, which is the reader's business and no failure."""
        return self.failure is not None and self.failure.errno == errno.EPIPE

    @property
    def is_broken(self) -> bool:
        """Whether something was lost that somebody wants to read."""
        return self.failure is not None and not self.is_unread

    def fileno(self) -> int:
        return self._stream.fileno()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def writable(self) -> bool:
        return True

    def flush(self) -> None:
        """Nothing is kept back."""

    def write(self, text: str, /) -> int:
        """Print text of any origin. A line break at its end is one; all others are shown."""
        shown = visible_line(without_secrets(text))
        above = self.above
        if above and shown.strip("\n"):
            above(shown.rstrip("\n"))
        else:
            self._put(shown)
        return len(text)

    def line(self, text: str, label: str = "") -> bool:
        """Print a line, after a label in red if there is one; whether it was written."""
        is_coloured = label and self.isatty() and not is_colourless()
        start = f"\x1b[1;31m{label}\x1b[0m " if is_coloured else f"{label} " if label else ""
        return self._put(start + visible_line(without_secrets(text) + "\n"))

    def lines(self, text: str) -> None:
        """Print a text of ours whose line breaks are meant."""
        self._put(visible_lines(_line_by_line(text)) + "\n")

    def layout(self, text: str) -> None:
        """Print what is laid out for a terminal, its values made visible before."""
        self._put(visible_layout(_line_by_line(text)))

    def masked(self, text: str) -> None:
        """Print YAML or JSON in whose values secrets were masked before they were quoted: behind a line break
        that is quoted, the rest of a value would count as one."""
        self.holds_document = True
        self._put(visible_lines(without_known(text)) + "\n")

    def document(self, text: str) -> None:
        """Print JSON, HTML or Markdown, which has to be the same document afterwards: of JSON, because
        everything made visible is so in JSON's way; of the others, because their values were made visible."""
        self.holds_document = True
        self.lines(text)

    def _put(self, text: str) -> bool:
        with self._lock:
            try:
                if self._descriptor is None:
                    self._stream.write(text)
                    self._stream.flush()
                else:
                    _write_all(self._descriptor, text.encode(self.encoding, AS_ASCII))
            except (OSError, ValueError) as error:
                self.failure = self.failure or (error if isinstance(error, OSError) else _closed())
                return False
        return True


class Layout(io.TextIOBase):
    """A gate as a file for who lays text out for a terminal."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._gate.encoding

    def fileno(self) -> int:
        return self._gate.fileno()

    def isatty(self) -> bool:
        return self._gate.isatty()

    def writable(self) -> bool:
        return True

    def flush(self) -> None:
        """Nothing is kept back."""

    def write(self, text: str, /) -> int:
        self._gate.layout(text)
        return len(text)


def open_gates() -> None:
    """Put a gate before stdout and stderr, and a file without content where there is no stdin."""
    _fill_gaps()
    learn_from_environment(os.environ)
    if sys.stdin is None:
        sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115  for as long as the program runs
    for name, descriptor in (("stdout", STDOUT), ("stderr", STDERR)):
        stream = getattr(sys, name)
        if isinstance(stream, Gate):
            continue
        setattr(sys, name, Gate(stream if stream is not None else _nowhere(descriptor), name))


def out() -> Gate:
    """What is printed for whoever asked."""
    return _gate("stdout")


def err() -> Gate:
    """What is printed about the run."""
    return _gate("stderr")


def is_drawn(gate: Gate) -> bool:
    """Whether there may be colours, which rich decides: on a terminal, or where a variable asks for them."""
    return gate.isatty() or any(os.environ.get(name) for name in ASKING_FOR_COLOURS)


def is_colourless() -> bool:
    """Whether colours are unwanted, and what else a terminal makes of letters: https://no-color.org."""
    return bool(os.environ.get("NO_COLOR"))


def plain_width() -> int:
    """How many columns rich takes there to be where it draws nothing: `$COLUMNS`, those of whichever standard
    stream is a terminal, as in `plan | less`, or 80."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal():
        return int(columns)
    for descriptor in (STDIN, STDOUT, STDERR):
        with suppress(OSError):
            return os.get_terminal_size(descriptor).columns or 80
    return 80


def cry(text: bytes) -> None:
    """Say something of ours from a signal handler: without locks, which whatever it interrupts may hold."""
    with suppress(OSError):
        os.write(STDERR, text)


def _gate(name: str) -> Gate:
    stream: Any = getattr(sys, name)
    return stream if isinstance(stream, Gate) else Gate(stream, name)


def _line_by_line(text: str) -> str:
    """A long text without secrets. Most lines have nothing in them that could be one, and cost little."""
    return "\n".join(map(without_secrets, text.split("\n")))


def _fill_gaps() -> None:
    """Occupy the numbers of streams that are closed. The next file or connection would get them, and what is
    printed would be sent to AWS."""
    for descriptor in (STDIN, STDOUT, STDERR):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number is taken. Opened for reading, so that to write fails as on a closed one.
            os.open(os.devnull, os.O_RDONLY)


def _nowhere(descriptor: int) -> TextIO:
    return open(descriptor, "w", encoding="utf-8", closefd=False)


def _descriptor_of(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except (OSError, ValueError, AttributeError):
        return None


def _write_all(descriptor: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        try:
            left = left[os.write(descriptor, left) :]
        except BlockingIOError:
            # Whoever shares the terminal has switched it to that; it is as full as any pipe may be.
            select.select([], [descriptor], [])


def _closed() -> OSError:
    return OSError(errno.EBADF, os.strerror(errno.EBADF))
