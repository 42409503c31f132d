"""Numbers of an account that hardly ever change, kept in the user's cache for a month.

What is kept is a hint: who uses it asks anew before anything is said for it. Where nothing can be kept,
nothing is, and nothing is said.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Mapping

from provisioner.aws.cache import read_kept, write_kept

KEPT_S = 30 * 86_400.0
_STAMP = "numbers-1"
_LOCK = threading.Lock()


def read_numbers(name: str) -> dict[str, float]:
    """What was kept under this name within a month, by key."""
    now = time.time()
    return {key: value for key, (value, at) in _read(name).items() if 0 <= now - at < KEPT_S}


def keep_numbers(name: str, numbers: Mapping[str, float]) -> None:
    """Keep these beside the others. What another process keeps meanwhile may be lost, and is read again."""
    with _LOCK:
        now = time.time()
        kept = {key: (value, at) for key, (value, at) in _read(name).items() if 0 <= now - at < KEPT_S}
        new = {key: (value, now) for key, value in numbers.items() if kept.get(key, (None,))[0] != value}
        if new:
            write_kept(_file(name), _STAMP, json.dumps({**kept, **new}))


def forget_numbers(name: str) -> None:
    """Keep nothing more of what was kept under this name: it is known to be wrong."""
    with _LOCK:
        if _read(name):
            write_kept(_file(name), _STAMP, "{}")


def endpoint_of(given: str | None) -> str:
    """What stands in for AWS, by the option or by a variable; empty: nothing does."""
    variables = ("AWS_ENDPOINT_URL_SERVICE_QUOTAS", "AWS_ENDPOINT_URL_EC2", "AWS_ENDPOINT_URL")
    return given or next((os.environ[name] for name in variables if os.environ.get(name)), "")


def _read(name: str) -> dict[str, tuple[float, float]]:
    text = read_kept(_file(name), _STAMP)
    try:
        rows = json.loads(text or "{}")
        return {str(key): (float(value), float(at)) for key, (value, at) in rows.items()}
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return {}


def _file(name: str) -> str:
    return f"numbers-{hashlib.sha256(name.encode()).hexdigest()[:32]}"
