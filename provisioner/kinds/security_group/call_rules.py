"""What is known of the calls of security groups.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html,
https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
"""

from __future__ import annotations

from provisioner.model import Replan
from provisioner.retry import CallRules, RetryRule, names_one_of

NOT_THERE = "InvalidGroup.NotFound"
TAKEN = "InvalidGroup.Duplicate"
NO_SUCH_RULE = "InvalidSecurityGroupRuleId.NotFound"
TOO_MANY = "RulesPerSecurityGroupLimitExceeded"
IN_USE = "DependencyViolation"

# What is answered when the group, or the rule, is there by now or no more: from a call of ours whose reply
# was lost, or a concurrent change. CreateSecurityGroup takes no token, but a name is there once in a VPC.
_STALE = frozenset({TAKEN, "InvalidPermission.Duplicate", NOT_THERE, NO_SUCH_RULE})
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


RULES = CallRules(
    retry=(
        RetryRule(
            "security group made just now, not visible yet",
            30,
            lambda error, made: error.code == NOT_THERE and names_one_of(error, made),
        ),
    ),
    replan=((Replan.SOON, lambda error: error.code in _STALE and not _is_elsewhere(error.text)),),
    hints={
        ("CreateSecurityGroup", TAKEN): lambda _: (
            "a group of the VPC has this name, maybe in other capitals, which is the same to EC2: choose "
            "another with `name:`"
        ),
        ("AuthorizeSecurityGroupIngress", NOT_THERE): lambda text: _PEERING if _is_elsewhere(text) else "",
        ("AuthorizeSecurityGroupEgress", NOT_THERE): lambda text: _PEERING if _is_elsewhere(text) else "",
        ("AuthorizeSecurityGroupIngress", TOO_MANY): lambda _: _QUOTA,
        ("AuthorizeSecurityGroupEgress", TOO_MANY): lambda _: _QUOTA,
        ("CreateSecurityGroup", "SecurityGroupLimitExceeded"): lambda _: (
            "have the quota `VPC security groups per Region` raised, or delete groups that nobody uses"
        ),
    },
    made={"CreateSecurityGroup": lambda _, answer: (answer["GroupId"],)},
    removed={"DeleteSecurityGroup": lambda params, _: (params["GroupId"],)},
)
