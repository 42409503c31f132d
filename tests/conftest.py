"""What holds for all tests."""

from __future__ import annotations

import gc
import os
import time

import pytest
from hypothesis import HealthCheck, settings

# What a make target says of itself is not about what a test runs.
os.environ.pop("PROVISIONER_MAKE", None)

# As in the program: what is imported stays, and to look through it again and again takes a tenth of the time.
gc.set_threshold(100_000, 50, 100)


def pytest_collection_finish() -> None:
    """Nor are the tests themselves garbage."""
    gc.collect()
    gc.freeze()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--until", type=float, help="skip tests that have not begun by then, in seconds since 1970"
    )


def pytest_itemcollected(item: pytest.Item) -> None:
    """Of what is sampled, `make test` runs the first case, and `make test-long` all others."""
    case = getattr(item, "callspec", None)
    if item.get_closest_marker("sampled") and case and any(case.indices.values()):
        item.add_marker(pytest.mark.long)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A slow machine tells what it has not run, in place of being stopped and telling nothing."""
    until = item.config.getoption("--until")
    if until and time.time() > until:
        pytest.skip("not begun in time")


pytest_plugins = ["tests.support.fixtures"]

# No example is wrong for taking long, or for being long in the making: machines are noisy.
settings.register_profile("any pace", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("repeatable", settings.get_profile("any pace"), derandomize=True)

# What CI runs is the same every time; new examples are looked for by people, and by the long forms.
settings.load_profile("repeatable" if os.environ.get("CI") else "any pace")
