"""Prices that were read, kept in the user's cache folder for a day, those of Spot for an hour.

What is there is believed as far as it has the form of prices and is the user's own file. Where there is no
such folder, or it cannot be written, nothing is kept, and nothing is said.
https://specifications.freedesktop.org/basedir-spec/latest/
"""

from __future__ import annotations

import json
import os
import re
import stat
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import field
from decimal import Decimal
from pathlib import Path
from typing import Any

from provisioner.costs.price_list import is_price
from provisioner.costs.uses import ImageFacts
from provisioner.lazy_dataclass import dataclass

FORMAT_VERSION = 1
DAY_S, HOUR_S = 86_400.0, 3_600.0
MAX_BYTES = 4 * 1024 * 1024
# More than any volume has: https://docs.aws.amazon.com/ebs/latest/userguide/volume_constraints.html
MAX_GB = 65_536
# What is kept so long is asked for again together with what is new: a spec may go back to it.
REMEMBERED_S = 30 * DAY_S


@dataclass(frozen=True)
class Kept:
    """A price as it was read at `at`, in seconds since 1970; None: AWS has none."""

    amount: Decimal | None
    at: float

    def is_fresh(self, key: str, now: float) -> bool:
        return 0 <= now - self.at < (HOUR_S if key.startswith("spot/") else DAY_S)


@dataclass(frozen=True)
class Cached:
    """All that is kept of a region of an AWS: prices, and of images what stays as it is."""

    prices: Mapping[str, Kept] = field(default_factory=dict)
    currency: str = "USD"
    made_up: bool = False
    images: Mapping[str, ImageFacts] = field(default_factory=dict)


def cache_folder() -> Path | None:
    """`$XDG_CACHE_HOME/provisioner`, else `~/.cache/provisioner`; None where there is no home."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    if Path(given).is_absolute():
        return Path(given) / "provisioner"
    try:
        home = Path.home()
    except RuntimeError:
        return None
    return home / ".cache" / "provisioner" if home.is_absolute() else None


def cache_file(folder: Path, source: str, region: str) -> Path:
    """Where the prices of a region are kept; `source` is whose they are."""
    return folder / ("prices-" + re.sub(r"[^a-z0-9.-]+", "_", f"{source}-{region}".lower())[:150] + ".json")


def read_cache(path: Path) -> Cached:
    """What is kept; nothing where there is no such file, or it is not the user's or no cache."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            found = os.fstat(handle)
            is_ours = stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()
            if not is_ours or found.st_mode & 0o022 or found.st_size > MAX_BYTES:
                return Cached()
            data = json.loads(file.read(MAX_BYTES))
        if data["format_version"] != FORMAT_VERSION:
            return Cached()
        prices = {str(key): _kept(value) for key, value in data["prices"].items()}
        images = {str(image): _facts(value) for image, value in data["images"].items()}
        return Cached(prices, str(data["currency"])[:3], bool(data["made_up"]), images)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError):
        return Cached()


def write_cache(path: Path, cached: Cached) -> None:
    """Keep it, whole or not at all."""
    data = {
        "format_version": FORMAT_VERSION,
        "currency": cached.currency,
        "made_up": cached.made_up,
        "prices": {
            key: [None if kept.amount is None else str(kept.amount), kept.at]
            for key, kept in cached.prices.items()
        },
        "images": {
            image: [facts.root_gb, facts.root_type, facts.operation] for image, facts in cached.images.items()
        },
    }
    name = ""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(data, file)
        Path(name).replace(path)
    except OSError:
        with suppress(OSError):
            Path(name).unlink()


def _facts(value: Any) -> ImageFacts:
    size, type_, operation = value
    if not (size is None or (isinstance(size, int) and 0 <= size <= MAX_GB)):
        raise ValueError(f"{size!r} is no size")
    return ImageFacts(size, type_ and str(type_), operation and str(operation))


def _kept(value: Any) -> Kept:
    amount, at = value
    price = None if amount is None else Decimal(amount)
    if price is not None and not is_price(price):
        raise ValueError(f"{amount!r} is no price")
    return Kept(price, float(at))
