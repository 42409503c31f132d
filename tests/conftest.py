"""What holds for all tests."""

from __future__ import annotations

import gc
import os

from hypothesis import settings

# What a make target says of itself is not about what a test runs.
os.environ.pop("PROVISIONER_MAKE", None)

# As in the program: what is imported stays, and to look through it again and again takes a tenth of the time.
gc.set_threshold(100_000, 50, 100)


def pytest_collection_finish() -> None:
    """Nor are the tests themselves garbage."""
    gc.collect()
    gc.freeze()


pytest_plugins = ["tests.support.fixtures"]

settings.register_profile("repeatable", derandomize=True)

# What CI runs is the same every time; new examples are looked for by people, and by the long forms.
if os.environ.get("CI"):
    settings.load_profile("repeatable")
