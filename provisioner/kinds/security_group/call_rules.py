"""What is known of the calls of security groups.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html,
https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
"""

from __future__ import annotations

from collections.abc import Collection

from provisioner.errors import AwsError
from provisioner.model import Replan
from provisioner.retry import CallRules, RetryRule, names_one_of

# The second is what some calls, such as CreateTags, answer.
NOT_THERE = frozenset({"InvalidGroup.NotFound", "InvalidSecurityGroupID.NotFound"})
TAKEN = "InvalidGroup.Duplicate"
NO_SUCH_RULE = "InvalidSecurityGroupRuleId.NotFound"
TOO_MANY = "RulesPerSecurityGroupLimitExceeded"
IN_USE = "DependencyViolation"

# What EC2 has by now and did not show, or showed and has no more: from a call of ours whose reply was lost,
# of a run that was killed, or a concurrent change. It is looked again until EC2 shows it. CreateSecurityGroup
# takes no token, but a name is there once in a VPC.
_UNSEEN = frozenset({"InvalidPermission.Duplicate", NO_SUCH_RULE})
_NOT_SHOWN = "EC2 has it by now, and has not shown it so far: apply again in a few minutes"
# How long it may take until all of EC2 knows a new group.
_KNOWN_S = 120
_QUOTA = (
    "a group takes 60 rules each way, unless the quota `Inbound or outbound rules per security group` of the "
    "account is raised; a prefix list counts as many as it may have entries"
)
_PEERING = (
    "a rule names groups of its own VPC, or of one that is peered with it: correct `vpc:` of one of them"
)


def _is_elsewhere(text: str) -> bool:
    """Whether a group is not found because it is in another VPC, which no waiting changes."""
    return "different networks" in text


def _is_unknown_yet(error: AwsError, made: Collection[str]) -> bool:
    is_absent = error.code in (*NOT_THERE, "InvalidID") and not _is_elsewhere(error.text)
    return is_absent and names_one_of(error, made)


def _way_out_of_two_networks(text: str) -> str:
    return _PEERING if _is_elsewhere(text) else ""


RULES = CallRules(
    retry=(
        RetryRule(
            "security group made just now, not visible yet",
            _KNOWN_S,
            _is_unknown_yet,
        ),
    ),
    replan=(
        # Not as patiently: the name may be another group's, in other capitals, which no waiting changes.
        (Replan.SOON, lambda error: error.code == TAKEN),
        (Replan.SOON, lambda error: error.code in NOT_THERE and not _is_elsewhere(error.text)),
        (Replan.PATIENTLY, lambda error: error.code in _UNSEEN),
    ),
    hints={
        ("CreateSecurityGroup", TAKEN): lambda _: (
            "a group of the VPC has this name, maybe in other capitals, which is the same to EC2: choose "
            "another with `name:`; or apply again in a few minutes, if another run has just made it"
        ),
        ("AuthorizeSecurityGroupIngress", "InvalidPermission.Duplicate"): lambda _: _NOT_SHOWN,
        ("AuthorizeSecurityGroupEgress", "InvalidPermission.Duplicate"): lambda _: _NOT_SHOWN,
        ("AuthorizeSecurityGroupIngress", "InvalidGroup.NotFound"): _way_out_of_two_networks,
        ("AuthorizeSecurityGroupEgress", "InvalidGroup.NotFound"): _way_out_of_two_networks,
        ("AuthorizeSecurityGroupIngress", TOO_MANY): lambda _: _QUOTA,
        ("AuthorizeSecurityGroupEgress", TOO_MANY): lambda _: _QUOTA,
        ("CreateSecurityGroup", "SecurityGroupLimitExceeded"): lambda _: (
            "have the quota `VPC security groups per Region` raised, or delete groups that nobody uses"
        ),
    },
    made={"CreateSecurityGroup": lambda _, answer: (answer["GroupId"],)},
    removed={"DeleteSecurityGroup": lambda params, _: (params["GroupId"],)},
)
