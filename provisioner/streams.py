"""What the program prints on, for as long as it runs: output that nobody reads any more stops nothing."""

from __future__ import annotations

import io
import os
import sys


class _Lasting(io.TextIOWrapper):
    """A stream that goes on into the void once its reader has gone."""

    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except BrokenPipeError:
            self._go_on_into_the_void()
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except BrokenPipeError:
            self._go_on_into_the_void()

    def _go_on_into_the_void(self) -> None:
        void = os.open(os.devnull, os.O_WRONLY)
        os.dup2(void, self.fileno())
        os.close(void)


def outlast_readers() -> None:
    """Let stdout and stderr take whatever is printed: for a reader that has gone, and on a terminal that has
    no such character. An apply is not to end in the middle for either."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            line_buffering, encoding = stream.line_buffering, stream.encoding
            lasting = _Lasting(stream.detach(), encoding, "replace", line_buffering=line_buffering)
            setattr(sys, name, lasting)
