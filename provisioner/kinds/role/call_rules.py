"""What is known of the calls of roles: IAM does not show at once what was made or let go of.

https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html
"""

from __future__ import annotations

from provisioner.retry import CallRules, RetryRule, names_one_of

# A plan refuses roles of its environment that are not there. One that IAM does not find was made a moment
# ago, maybe by a run that was killed.
_OUR_ROLE = ":role/provisioner/"

RULES = CallRules(
    retry=(
        RetryRule(
            "principal made just now",
            60,
            lambda error, made: (
                error.code == "MalformedPolicyDocument"
                and "Invalid principal" in error.text
                and (names_one_of(error, made) or _OUR_ROLE in error.text)
            ),
        ),
        RetryRule(
            "still in use",
            15,
            lambda error, _: error.code == "DeleteConflict" and error.operation == "DeleteRole",
        ),
    ),
    made={"CreateRole": lambda params, _: (params["RoleName"],)},
    removed={"DeleteRole": lambda params, _: (params["RoleName"],)},
)
