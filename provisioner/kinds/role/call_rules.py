"""What is known of the calls of roles: IAM does not show at once what was made or let go of.

https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html
"""

from __future__ import annotations

from provisioner.retry import CallRules, RetryRule, names_one_of

# A plan refuses roles of its environment that are not there. One that IAM does not find was made a moment
# ago, maybe by a run that was killed.
_OUR_ROLE = ":role/provisioner/"


def _correct_trust(text: str) -> str:
    """What to do about a trust policy that IAM does not take.

    IAM looks for the user or role that a principal names, also in another account.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
    """
    if "Invalid principal" not in text:
        return "correct `trust:` of the role"
    return (
        "IAM finds no such user, role, account or service: correct `trust:` of the role, or make the "
        "principal first; to let a whole account decide, name arn:aws:iam::ACCOUNT:root"
    )


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
    hints={
        (operation, "MalformedPolicyDocument"): lambda text: _correct_trust(text)
        for operation in ("CreateRole", "UpdateAssumeRolePolicy")
    },
    made={"CreateRole": lambda params, _: (params["RoleName"],)},
    removed={"DeleteRole": lambda params, _: (params["RoleName"],)},
)
