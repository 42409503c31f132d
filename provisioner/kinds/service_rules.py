"""What is known of the calls of IAM, and of instances, for every kind that sends them.

https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html,
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
"""

from __future__ import annotations

from provisioner.model import Replan
from provisioner.retry import CallRules, RetryRule, names_one_of


def _service_rules(busy: frozenset[str], absent: str, stale: frozenset[str]) -> CallRules:
    """`busy`: codes that pass by themselves; `absent`: what is answered about a thing that was made a moment
    ago; `stale`: what is answered when the world is no longer the one that was planned for."""
    return CallRules(
        retry=(
            RetryRule("busy", 120, lambda error, _: error.code in busy),
            RetryRule(
                "made just now, not visible yet",
                30,
                lambda error, made: error.code == absent and names_one_of(error, made),
            ),
        ),
        replan=((Replan.SOON, lambda error: error.code in stale),),
    )


IAM = _service_rules(
    busy=frozenset({"ConcurrentModification", "EntityTemporarilyUnmodifiable"}),
    absent="NoSuchEntity",
    stale=frozenset({"EntityAlreadyExists", "NoSuchEntity", "DeleteConflict"}),
)
INSTANCES = _service_rules(
    busy=frozenset({"ConcurrentTagAccess"}),
    absent="InvalidInstanceID.NotFound",
    stale=frozenset(
        {
            "IncorrectState",
            "IncorrectInstanceState",
            "InvalidAssociationID.NotFound",
            "InvalidInstanceID.NotFound",
        }
    ),
)
