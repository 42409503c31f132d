"""What is known of the calls with which profiles are made, filled and bound, for whoever sends them."""

from __future__ import annotations

from collections.abc import Collection

from provisioner.errors import AwsError
from provisioner.model import Replan
from provisioner.retry import CallRules, RetryRule

TAKES_A_PROFILE = frozenset(
    {"RunInstances", "AssociateIamInstanceProfile", "ReplaceIamInstanceProfileAssociation"}
)
# How long a new profile takes to get to EC2 is not known, and nothing else tells whether it has. The bucket
# of RunInstances refills with two requests a second, and one launch asks for all of its fleet:
# https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
PROBING_S = 0.5


def _is_unknown(error: AwsError, _: Collection[str] = ()) -> bool:
    """EC2 does not know the profile, or its role: it is new, or it was deleted."""
    if error.operation not in TAKES_A_PROFILE:
        return False
    invalid = "Invalid IAM Instance Profile" in error.text or "has no associated IAM Roles" in error.text
    return (error.code == "InvalidParameterValue" and invalid) or (
        "InstanceIdentityProfileNotFound" in error.text
    )


def holds_a_role(error: AwsError) -> bool:
    """The profile has a role by now: from a call of ours whose reply was lost, or a concurrent change.

    IAM says that a quota is used up: https://docs.aws.amazon.com/IAM/latest/APIReference/API_AddRoleToInstanceProfile.html
    """
    return error.code == "LimitExceeded" and error.operation == "AddRoleToInstanceProfile"


RULES = CallRules(
    retry=(
        # Not for as long as it may take: looking again in between tells a new profile from a deleted one.
        RetryRule("instance profile not known to EC2 yet", 20, _is_unknown, PROBING_S),
        RetryRule(
            "still in use",
            15,
            lambda error, _: error.code == "DeleteConflict" and error.operation == "DeleteInstanceProfile",
        ),
    ),
    replan=((Replan.PATIENTLY, _is_unknown), (Replan.SOON, holds_a_role)),
    made={"CreateInstanceProfile": lambda params, _: (params["InstanceProfileName"],)},
    removed={"DeleteInstanceProfile": lambda params, _: (params["InstanceProfileName"],)},
)
