"""How the packages of an extra get installed."""

from __future__ import annotations

import re
import shlex
import sys


def install_command(extra: str) -> str:
    """What to type for an extra of this package, such as `policy`.

    It names the packages themselves: what an index has by the name of this one is somebody else's.
    """
    from importlib.metadata import PackageNotFoundError, requires

    try:
        asked = requires("provisioner") or []
    except PackageNotFoundError:  # run from a copy that is not installed
        asked = []
    parted = [line.partition(";") for line in asked]
    wanted = [what.strip() for what, _, when in parted if re.search(rf"extra == .{extra}\b", when)]
    if not wanted:
        return f"pip install '.[{extra}]' in your checkout"
    return f"{shlex.quote(sys.executable)} -m pip install {shlex.join(wanted)}"
