"""Runs the program with some arguments, then prints what that took: `python -m tests.faults.measured`."""

from __future__ import annotations

import json
import re
import resource
import sys
import time
from pathlib import Path

from provisioner.cli import app as cli


def peak_mb() -> float:
    """The most memory that this process had at a time. What Linux shows of itself leaves out its parent's."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    (kilobytes,) = re.findall(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE)
    return int(kilobytes) / 1024


if __name__ == "__main__":
    try:
        cli.main()
    except SystemExit as ended:
        took = {"code": ended.code, "cpu_s": time.process_time(), "peak_mb": peak_mb()}
        sys.stdout.write(json.dumps(took) + "\n")
