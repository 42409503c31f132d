"""What holds for all tests."""

from __future__ import annotations

import os

from hypothesis import settings

# What a make target says of itself is not about what a test runs.
os.environ.pop("PROVISIONER_MAKE", None)

pytest_plugins = ["tests.support.fixtures"]

settings.register_profile("repeatable", derandomize=True)

# What CI runs is the same every time; new examples are looked for by people, and by the long forms.
if os.environ.get("CI"):
    settings.load_profile("repeatable")
