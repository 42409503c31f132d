"""Client tokens of RunInstances.

EC2 Developer Guide, "Ensuring idempotency in Amazon EC2 API requests": the same token with the same
parameters gives the result of the first call; other parameters give IdempotentParameterMismatch. The scope
is the Region, or the zone where a zone or subnet is named. API Reference, "Error codes":
IdempotentInstanceTerminated. moto keeps the token and launches again.
"""

from __future__ import annotations

from local_aws.call import AwsError, Call
from local_aws.record import digest
from local_aws.world import Launch, Member, Region

MAX_LENGTH = 64


def replay(region: Region, call: Call, zone: str) -> Launch | None:
    """The launch that the call's token stands for in this zone (empty: none named), if there is one.

    Raises IdempotentParameterMismatch or IdempotentInstanceTerminated.
    """
    token = call.params.get("ClientToken")
    launch = region.tokens.get((zone, token)) if token else None
    if launch is None:
        return None
    if launch.digest != params_digest(call):
        raise AwsError(
            "IdempotentParameterMismatch",
            "Arguments on this idempotent request are inconsistent with arguments used in previous "
            "request(s).",
        )
    members = [region.members[item] for item in launch.instance_ids if item in region.members]
    if not any(member.is_live for member in members):
        text = "The instance(s) launched by this client token have been terminated."
        raise AwsError("IdempotentInstanceTerminated", text)
    return launch


def remember(region: Region, call: Call, zone: str, reservation_id: str, members: list[Member]) -> None:
    """Notes what a token has launched. A launch that failed leaves no note."""
    if token := call.params.get("ClientToken"):
        ids = tuple(member.id for member in members)
        region.tokens[(zone, token)] = Launch(params_digest(call), reservation_id, ids)


def params_digest(call: Call) -> str:
    """Equal for calls that ask for the same; how often and whether as a dry run does not count."""
    return digest({key: value for key, value in call.params.items() if key not in ("ClientToken", "DryRun")})
