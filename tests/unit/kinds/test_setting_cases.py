"""What the whole-program tests of settings rest on."""

from __future__ import annotations

from provisioner.kinds.fleet.settings.table import SETTINGS
from tests.support.setting_cases import CASES


def test_every_setting_has_a_case() -> None:
    assert CASES.keys() == {setting.path for setting in SETTINGS}
