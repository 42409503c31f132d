"""What a change of a role does beyond single calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from provisioner.errors import ChangedMeanwhile, ProvisionerError
from provisioner.execution import ExecutionContext, run_step
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Call, CallCount

# As many as a page may have, and as many pages as are read. IAM may send fewer though there are more:
# https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListInstanceProfilesForRole.html
MAX_PROFILES = 1000


@dataclass(frozen=True)
class IsInNoOtherProfile:
    """Makes sure, before its policies are taken off, that no profile of others has got the role meanwhile.

    IAM says so only when the role is deleted, and that is after its policies. `path` is the environment's,
    under which its own profiles are: those may be gone already where IAM still shows them.
    """

    name: str
    path: str

    def calls(self) -> Iterable[CallCount]:
        return ()


@run_step.register
def _look_for_others(step: IsInNoOtherProfile, context: ExecutionContext) -> None:
    others = sorted(
        profile["InstanceProfileName"]
        for profile in _profiles_with(step.name, context)
        if not profile["Path"].startswith(step.path)
    )
    if others:
        raise ChangedMeanwhile(f"{step.name} is in instance profile {', '.join(others)} by now: left alone")


def _profiles_with(role: str, context: ExecutionContext) -> Iterator[Mapping[str, Any]]:
    """The instance profiles that have a role, page by page. Raises AwsError and ProvisionerError."""
    asked = {"RoleName": role, "MaxItems": MAX_PROFILES}
    passed: set[str] = set()
    while len(passed) < MAX_PROFILES:
        answer = context.send(Call("iam", "ListInstanceProfilesForRole", asked))
        yield from answer["InstanceProfiles"]
        if not answer.get("IsTruncated"):
            return
        marker = answer["Marker"]
        if marker in passed:
            break
        passed.add(marker)
        asked = {**asked, "Marker": marker}
    raise ProvisionerError(
        f"the instance profiles of {role}: there is always one more page", "check --endpoint-url"
    )
