"""What holds for all tests."""

from __future__ import annotations

import gc
import os

from hypothesis import HealthCheck, settings

# What a make target says of itself is not about what a test runs.
os.environ.pop("PROVISIONER_MAKE", None)

# As in the program: what is imported stays, and to look through it again and again takes a tenth of the time.
gc.set_threshold(100_000, 50, 100)


def pytest_collection_finish() -> None:
    """Nor are the tests themselves garbage."""
    gc.collect()
    gc.freeze()


pytest_plugins = ["tests.support.fixtures"]

# No example is wrong for taking long, or for being long in the making: machines are noisy.
settings.register_profile("any pace", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("repeatable", settings.get_profile("any pace"), derandomize=True)

# What CI runs is the same every time; new examples are looked for by people, and by the long forms.
settings.load_profile("repeatable" if os.environ.get("CI") else "any pace")
