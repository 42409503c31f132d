"""What holds for all tests."""

from __future__ import annotations

import os

from hypothesis import settings

pytest_plugins = ["tests.support.fixtures"]

settings.register_profile("repeatable", derandomize=True)

# What CI runs is the same every time; new examples are looked for by people, and by the long forms.
if os.environ.get("CI"):
    settings.load_profile("repeatable")
