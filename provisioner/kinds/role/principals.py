"""Whether the roles and users of the account exist that trust policies name, and that the spec does not make.

IAM takes a trust policy only if they do. Whoever is in the trust policy of a role by an ARN is there. Of
other accounts, and of sessions, nobody here can tell.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from provisioner.denial import in_short
from provisioner.errors import AwsError
from provisioner.kinds.base import Reader, World
from provisioner.kinds.role.observed import ObservedRole
from provisioner.kinds.role.spec import Role
from provisioner.kinds.role.trust import Trusts, principals
from provisioner.model import Address
from provisioner.retry import is_withheld

_OF_IAM = re.compile(r"arn:[^:]+:iam::\d{12}:(role|user)/(?:.*/)?([^/]+)")
_NAMES = {"role": ("GetRole", "RoleName", "Role"), "user": ("GetUser", "UserName", "User")}
JUST_MADE = "make it, or correct the ARN; if it has just been made, plan again in a minute"


@dataclass(frozen=True)
class Trusted:
    """Who does not exist, each with what is wrong and a hint; who could not be looked for, and why."""

    absent: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    unchecked: Mapping[str, str] = field(default_factory=dict)


def look_up_principals(reader: Reader, world: World) -> dict[Address, Trusted]:
    """Those whom roles are to trust and do not yet: one call each. Raises AwsError."""
    trusts = Trusts(world)
    observed = world.observed_of(ObservedRole)
    asked = {
        at: sorted(trusts.of_others(role) - _trusted_by(observed.get(at)))
        for at, role in world.desired_of(Role).items()
    }
    named = sorted({written for some in asked.values() for written in some})
    found = reader.parallel(*(partial(_look_up, reader, written) for written in named))
    answers = dict(zip(named, found, strict=True))
    return {
        at: Trusted(
            {written: answer for written in some if isinstance(answer := answers[written], tuple)},
            {written: answer for written in some if isinstance(answer := answers[written], str)},
        )
        for at, some in asked.items()
        if some
    }


def _trusted_by(observed: ObservedRole | None) -> set[str]:
    return set(principals(observed.role.trust)) if observed and observed.role else set()


def _look_up(reader: Reader, written: str) -> tuple[str, str] | str | None:
    """What is wrong with a principal and what to do; or why nobody knows, as a text."""
    match = _OF_IAM.fullmatch(written)
    if match is None:
        return None
    kind, name = match[1], match[2]
    operation, parameter, key = _NAMES[kind]
    try:
        there = str(reader.call("iam", operation, **{parameter: name})[key]["Arn"])
    except AwsError as error:
        if error.code == "NoSuchEntity":
            return f"there is no {kind} {written}", JUST_MADE
        if not is_withheld(error):
            raise
        return in_short(error)
    return None if there == written else (f"there is no {kind} {written}", f"did you mean {there}?")
