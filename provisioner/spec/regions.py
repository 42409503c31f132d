"""Whether there is a region of a name: a slip would be an address that does not exist.

The list is that of the botocore that is installed, which is read and not imported: that takes a third of a
second. https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html
"""

from __future__ import annotations

import json
from collections.abc import Collection
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from provisioner.spec.wording import Suggestions, listed, quoted

SKIP = "skip_region_validation"


def region_problem(region: str, suggestions: Suggestions) -> tuple[str, str] | None:
    """What is wrong with the name of a region, and what to do about it; None: nothing."""
    known = known_regions()
    if not known or region in known:
        return None
    maybe = meant_region(region, known, suggestions)
    newer = f"`{SKIP}: true` takes one that is newer than the installed botocore"
    return f"there is no region {quoted(region)}", maybe + (f"({newer})" if maybe else newer)


def meant_region(region: str, known: Collection[str], suggestions: Suggestions) -> str:
    """Which region a name was meant to be, as a question; empty: there is none like it."""
    swapped = [name for name in sorted(known) if sorted(name) == sorted(region)]
    meant = swapped[:1] or sorted(suggestions.nearest(region, sorted(known)))
    return f"did you mean {listed([quoted(name) for name in meant])}? " if meant else ""


@cache
def known_regions() -> frozenset[str]:
    """The regions of all partitions; none if botocore's list cannot be read."""
    found = find_spec("botocore")
    try:
        folder = Path((found.submodule_search_locations or [""])[0] if found else "")
        partitions = json.loads((folder / "data" / "partitions.json").read_bytes())["partitions"]
        names = {region for partition in partitions for region in partition["regions"]}
    except (OSError, ValueError, LookupError, TypeError):
        return frozenset()
    # What services without a region are called there is none to put an instance in.
    return frozenset(name for name in names if not name.endswith("-global"))
