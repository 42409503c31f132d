"""Instance profiles in IAM: their ids, and since when EC2 may know them.

IAM User Guide, "IAM identifiers": the id of an instance profile begins with AIPA. IAM API Reference,
AddRoleToInstanceProfile, RemoveRoleFromInstanceProfile. IAM User Guide, "Troubleshoot IAM: changes that I
make are not always immediately visible".
"""

from __future__ import annotations

import random
import string
from typing import Any

from local_aws.call import AwsError, Call
from local_aws.corrections.registry import check, handler
from local_aws.world import World


@handler("iam:CreateInstanceProfile")
def create(world: World, call: Call) -> Any:
    """A profile with an id like AWS's, which EC2 does not know for the time of the propagation."""
    result = call.moto()
    profile = world.iam.get_instance_profile(call.params["InstanceProfileName"])
    characters = random.choices(string.ascii_uppercase + string.digits, k=17)  # nosec B311 # an id, no secret
    profile.id = "AIPA" + "".join(characters)
    world.profile_made[profile.id] = world.clock.now()
    return result


@handler("iam:AddRoleToInstanceProfile")
def add_role(world: World, call: Call) -> Any:
    """The role reaches EC2 after the time of the propagation."""
    result = call.moto()
    profile = world.iam.get_instance_profile(call.params["InstanceProfileName"])
    world.role_added[profile.id] = world.clock.now()
    return result


@check("iam:RemoveRoleFromInstanceProfile")
def role_is_inside(world: World, call: Call) -> None:
    """The role to be removed is the one inside; moto fails with an internal error otherwise."""
    name, role = call.params["InstanceProfileName"], call.params["RoleName"]
    profile = world.iam.get_instance_profile(name)
    if role not in [item.name for item in profile.roles]:
        text = f"Role {role} cannot be found in instance profile {name}."
        raise AwsError("NoSuchEntity", text, 404)
