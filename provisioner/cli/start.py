"""Where the program begins: before all other imports, so that an interruption is heeded."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress

# Not from `common`, which would have to be imported first.
INTERRUPTED = 130

# What is read and imported stays until the end; looking through it for garbage over and over takes a tenth of
# a plan's time. Measured in docs/performance.md.
gc.set_threshold(100_000, 50, 100)


def main() -> None:
    """The console script. Ends the process with one of the exit codes of the README."""
    farewell = b"cancelled; nothing was changed\n"
    try:
        from provisioner.cli import app

        farewell = b"interrupted\n"
        app.main()
    except KeyboardInterrupt:
        with suppress(OSError):
            os.write(2, farewell)
        sys.exit(INTERRUPTED)
    finally:
        # All is said and done: while Python ends, an interruption would only change the exit code.
        from signal import SIG_IGN, SIGINT, signal

        signal(SIGINT, SIG_IGN)
        # Python looks through everything a last time when it ends. The memory goes back with the process.
        gc.freeze()
