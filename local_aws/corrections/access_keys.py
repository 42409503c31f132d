"""Access keys of users: with one that is inactive or deleted nobody may do anything.

IAM API Reference, UpdateAccessKey: an inactive key "cannot be used"; "Common errors": InvalidClientTokenId.
EC2 API Reference, "Error codes": AuthFailure. Systems Manager API Reference, "Common errors":
UnrecognizedClientException, as of all services that talk in JSON. moto asks for no keys, and here others than
those made here are the root user's; see iam/callers.py.
"""

from __future__ import annotations

from typing import Any

from local_aws.call import AwsError, Call
from local_aws.corrections.registry import handler
from local_aws.settings import OF_JSON
from local_aws.world import World


@handler("iam:CreateAccessKey")
def create(world: World, call: Call) -> Any:
    """A key, which is known for one that was made here from now on."""
    made = call.moto()
    world.key_accounts[made.result["AccessKey"].access_key_id] = world.account
    return made


def check_key(world: World, call: Call) -> None:
    """Raises AwsError for a call with a key that was made here and is not active."""
    if call.access_key not in world.key_accounts or _is_active(world, call.access_key):
        return
    if call.service == "ec2":
        text = "AWS was not able to validate the provided access credentials"
        raise AwsError("AuthFailure", text, 401)
    text = "The security token included in the request is invalid."
    if call.service in OF_JSON:
        raise AwsError("UnrecognizedClientException", text)
    raise AwsError("InvalidClientTokenId", text, 403)


def _is_active(world: World, access_key: str) -> bool:
    return any(
        key.access_key_id == access_key and key.status == "Active"
        for user in world.iam.users.values()
        for key in user.access_keys
    )
