"""What may be sent again, and for how long. Nothing that is not named here is retried.

Sources: https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html,
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html (changes are not always
immediately visible).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from provisioner.errors import AwsError
from provisioner.model import Replan

# Our own codes, for what is not an answer of AWS's.
NETWORK_ERROR = "NetworkError"
HOST_NOT_FOUND = "HostNotFound"
PROXY_ERROR = "ProxyError"
INVALID_ANSWER = "InvalidAnswer"
CERTIFICATE_ERROR = "CertificateError"
TOO_LARGE = "AnswerTooLarge"
CANNOT_SEND = "CannotSend"
NO_CREDENTIALS = "NoCredentials"

# What is as it is, where nothing of the service has answered yet. Of a service that did answer it may pass: a
# name server that fails for a moment, a proxy that starts anew.
PERMANENT_AT_FIRST = frozenset({HOST_NOT_FOUND, PROXY_ERROR, INVALID_ANSWER})
UNANSWERED = PERMANENT_AT_FIRST | {NETWORK_ERROR}
# How long a service that has never answered is asked.
FIRST_ANSWER_S = 15.0

THROTTLING_CODES = frozenset(
    {
        "RequestLimitExceeded",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
        "EC2ThrottledException",
        "BandwidthLimitExceeded",
    }
)

# Answered with HTTP 500 like a fault of the server, but asking again only spends the request quota.
CAPACITY_CODES = frozenset(
    {
        "InsufficientInstanceCapacity",
        "InsufficientHostCapacity",
        "InsufficientReservedInstanceCapacity",
        "InsufficientVolumeCapacity",
        "InsufficientFreeAddressesInSubnet",
        "InsufficientCapacity",
        "ReservationCapacityExceeded",
        "UnfulfillableCapacity",
        "Unsupported",
        "SpotMaxPriceTooLow",
        "VolumeTypeNotAvailableInZone",
    }
)

# Limits of the account on what runs, by market and family of types: no other zone helps, another choice may.
# https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html
INSTANCE_QUOTA_CODES = frozenset(
    {
        "InstanceLimitExceeded",
        "VcpuLimitExceeded",
        "MaxSpotInstanceCountExceeded",
        "MaxFleetCountExceeded",
    }
)

# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html; the last is what an endpoint
# answers that does not know the operation.
DENIED_CODES = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "InvalidAction"})

# Other limits of the account, which no other choice, no other zone and no waiting helps against.
QUOTA_CODES = frozenset({"VolumeLimitExceeded", "NetworkInterfaceLimitExceeded", "PendingVerification"})

SERVER_FAULT_CODES = frozenset(
    {
        "InternalError",
        "InternalFailure",
        "ServerInternal",
        "ServiceFailure",
        "ServiceUnavailable",
        "Unavailable",
    }
)

BUSY_CODES = frozenset({"ConcurrentModification", "EntityTemporarilyUnmodifiable", "ConcurrentTagAccess"})

# A plan refuses roles of its environment that are not there. One that IAM does not find was made a moment
# ago, maybe by a run that was killed.
_OUR_ROLE = ":role/provisioner/"

TAKES_A_PROFILE = frozenset(
    {"RunInstances", "AssociateIamInstanceProfile", "ReplaceIamInstanceProfileAssociation"}
)

# What AWS answers when the world is no longer the one that was planned for.
STALE_CODES = frozenset(
    {
        "EntityAlreadyExists",
        "NoSuchEntity",
        "IncorrectState",
        "IncorrectInstanceState",
        "InvalidAssociationID.NotFound",
        "InvalidInstanceID.NotFound",
        "DeleteConflict",
    }
)


@dataclass(frozen=True)
class RetryRule:
    """One reason to send a call again, and for how many seconds at most.

    `applies` gets the error and the names and ids that this run has made.
    """

    name: str
    seconds: float
    applies: Callable[[AwsError, Collection[str]], bool]


def _names_one_of(error: AwsError, made: Collection[str]) -> bool:
    words = re.findall(r"[\w+=,.@-]+", error.text)
    return not {word.strip(".,") for word in words}.isdisjoint(made)


def _profile_is_unknown(error: AwsError, _: Collection[str] = ()) -> bool:
    """EC2 does not know the profile, or its role: it is new, or it was deleted."""
    if error.operation not in TAKES_A_PROFILE:
        return False
    invalid = "Invalid IAM Instance Profile" in error.text or "has no associated IAM Roles" in error.text
    return (error.code == "InvalidParameterValue" and invalid) or (
        "InstanceIdentityProfileNotFound" in error.text
    )


RETRY_RULES = (
    RetryRule("throttled", 120, lambda error, _: error.code in THROTTLING_CODES),
    RetryRule(
        "server fault",
        60,
        lambda error, _: (
            (error.code in SERVER_FAULT_CODES or error.status >= 500) and error.code not in CAPACITY_CODES
        ),
    ),
    RetryRule("network", 20, lambda error, _: error.code in UNANSWERED),
    RetryRule("busy", 120, lambda error, _: error.code in BUSY_CODES),
    # Not for as long as it may take: looking again in between tells a new profile from a deleted one.
    RetryRule("instance profile not known to EC2 yet", 20, _profile_is_unknown),
    RetryRule(
        "made just now, not visible yet",
        30,
        lambda error, made: (
            error.code in {"NoSuchEntity", "InvalidInstanceID.NotFound"} and _names_one_of(error, made)
        ),
    ),
    RetryRule(
        "principal made just now",
        60,
        lambda error, made: (
            error.code == "MalformedPolicyDocument"
            and "Invalid principal" in error.text
            and (_names_one_of(error, made) or _OUR_ROLE in error.text)
        ),
    ),
    # https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/ec2/ec2_instance.go
    RetryRule(
        "type changed just now",
        60,
        lambda error, _: (
            error.code == "InvalidParameterValue"
            and error.operation == "StartInstances"
            and "LaunchPlan" in error.text
        ),
    ),
    RetryRule(
        "still in use",
        15,
        lambda error, _: (
            error.code == "DeleteConflict" and error.operation in {"DeleteRole", "DeleteInstanceProfile"}
        ),
    ),
)


def retry_rule_for(error: AwsError, made: Collection[str] = ()) -> RetryRule | None:
    """The reason to send the call that gave `error` again, or None: it failed."""
    return next((rule for rule in RETRY_RULES if rule.applies(error, made)), None)


def is_answer(error: AwsError) -> bool:
    """Whether AWS itself answered with this error, and not something in between: that knows no codes."""
    return error.code not in UNANSWERED and error.status > 0 and not error.code.isdecimal()


def first_wait_s(error: AwsError) -> float:
    """For how many seconds a call that gave `error` is sent again to a service that has never answered."""
    if error.code in PERMANENT_AT_FIRST:
        return 0.0
    rule = retry_rule_for(error)
    return min(rule.seconds, FIRST_ANSWER_S) if rule else 0.0


def replan_after(error: AwsError) -> Replan:
    """Whether observing and planning again may put right what was answered."""
    if error.code == "IdempotentParameterMismatch" or _profile_is_unknown(error):
        return Replan.PATIENTLY
    return Replan.SOON if error.code in STALE_CODES or _holds_a_role(error) else Replan.NO


def _holds_a_role(error: AwsError) -> bool:
    """The profile has a role by now: from a call of ours whose reply was lost, or a concurrent change.

    IAM says that a quota is used up: https://docs.aws.amazon.com/IAM/latest/APIReference/API_AddRoleToInstanceProfile.html
    """
    return error.code == "LimitExceeded" and error.operation == "AddRoleToInstanceProfile"
