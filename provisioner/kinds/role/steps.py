"""What a change of a role does beyond single calls."""

from __future__ import annotations

from collections.abc import Iterable

from provisioner.errors import ChangedMeanwhile
from provisioner.execution import ExecutionContext, run_step
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Call, CallCount

# As many as an account may have, so that one page is all.
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
    asked = {"RoleName": step.name, "MaxItems": MAX_PROFILES}
    found = context.send(Call("iam", "ListInstanceProfilesForRole", asked))["InstanceProfiles"]
    others = sorted(
        profile["InstanceProfileName"] for profile in found if not profile["Path"].startswith(step.path)
    )
    if others:
        raise ChangedMeanwhile(f"{step.name} is in instance profile {', '.join(others)} by now: left alone")
