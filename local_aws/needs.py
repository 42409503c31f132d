"""What the local AWS is made of, and how it gets installed."""

from __future__ import annotations

import re
import shlex
import sys
from importlib.metadata import PackageNotFoundError, requires
from importlib.util import find_spec

NEEDED = ("moto", "flask", "flask_cors")


def find_missing() -> tuple[str, ...]:
    """The packages that are not installed; nothing is imported."""
    return tuple(name for name in NEEDED if find_spec(name) is None)


def install_command() -> str:
    """What to type. It names the packages themselves: this one may not be on any index."""
    wanted = shlex.join(_extra())
    return f"{shlex.quote(sys.executable)} -m pip install {wanted}"


def _extra() -> list[str]:
    """What the extra `local` asks for, in the versions that go with this one."""
    try:
        asked = requires("provisioner") or []
    except PackageNotFoundError:  # run from a copy that is not installed
        asked = []
    parted = [line.partition(";") for line in asked]
    found = [what.strip() for what, _, when in parted if re.search(r"extra == .local.", when)]
    return found or ["moto[ec2,iam]", "flask", "flask-cors"]
