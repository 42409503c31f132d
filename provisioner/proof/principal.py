"""Whose rights count: who calls, and the user or role whose policies IAM can simulate."""

from __future__ import annotations

from provisioner.errors import AwsError
from provisioner.kinds.base import Reader
from provisioner.lazy_dataclass import dataclass


@dataclass(frozen=True)
class Principal:
    """Who calls. `source` is the ARN to simulate, None where there is none, and `why` why not."""

    arn: str
    source: str | None = None
    why: str = ""
    is_root: bool = False


def find_principal(reader: Reader) -> Principal:
    """Who calls. Raises AwsError.

    The ARN of a role's session lacks the role's path:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns
    """
    arn = str(reader.call("sts", "GetCallerIdentity")["Arn"])
    head, _, rest = arn.rpartition(":")
    kind, _, names = rest.partition("/")
    if rest == "root":
        return Principal(arn, is_root=True)
    if kind == "user" and ":iam:" in arn:
        return Principal(arn, arn)
    if kind != "assumed-role":
        return Principal(arn, why=f"IAM simulates users and roles, and {arn} is neither")
    name = names.partition("/")[0]
    try:
        found = reader.call("iam", "GetRole", RoleName=name)["Role"]
    except AwsError:
        # Most roles have no path; where this one has, IAM says that there is no such role.
        return Principal(arn, f"{head.replace(':sts:', ':iam:')}:role/{name}")
    return Principal(arn, str(found["Arn"]))
