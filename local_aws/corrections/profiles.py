"""Instance profiles on instances: associate, replace, disassociate, describe.

EC2 API Reference: AssociateIamInstanceProfile (running or stopped instance), ReplaceIamInstanceProfile-
Association (running instance, new association id), DescribeIamInstanceProfileAssociations, data type
IamInstanceProfile (the profile's own id). moto shows the association's id, keeps it on Replace and does not
show the new profile on the instance.
"""

from __future__ import annotations

from typing import Any

from moto.ec2.utils import random_iam_instance_profile_association_id

from local_aws.call import AwsError, Call
from local_aws.corrections import credentials, paging, states
from local_aws.corrections.filters import matches_any
from local_aws.corrections.registry import check, handler
from local_aws.world import Association, Member, Region, World


def resolve(world: World, given: dict[str, str] | None) -> Any:
    """The profile that a Name or an Arn stands for, as EC2 knows it by now; None if none is given.

    Raises InvalidParameterValue for an unknown profile and for one without a role.
    """
    if not given:
        return None
    if "Name" in given and "Arn" in given:
        raise AwsError(
            "InvalidParameterCombination",
            "The parameter 'iamInstanceProfile.name' may not be used in combination with "
            "'iamInstanceProfile.arn'",
        )
    by = "name" if "Name" in given else "arn"
    value = given.get("Name") or given.get("Arn") or ""
    subject = f"Value ({value}) for parameter iamInstanceProfile.{by} is invalid."
    ready_before = world.clock.now() - world.faults.propagation_s
    for profile in world.iam.instance_profiles.values():
        if value not in ((profile.name,) if by == "name" else (profile.arn,)):
            continue
        if world.profile_made.get(profile.id, 0) > ready_before:
            break
        if not profile.roles or world.role_added.get(profile.id, 0) > ready_before:
            raise AwsError(
                "InvalidParameterValue", f"{subject} IAM Instance Profile has no associated IAM Roles"
            )
        return profile
    kind = "name" if by == "name" else "ARN"
    raise AwsError("InvalidParameterValue", f"{subject} Invalid IAM Instance Profile {kind}")


def bind(world: World, region: Region, member: Member, profile: Any) -> Association:
    """Associates a profile with an instance that has none."""
    association = Association(
        id=random_iam_instance_profile_association_id(),
        instance_id=member.id,
        arn=profile.arn,
        profile_id=profile.id,
        since=world.clock.now(),
        at=world.clock.today(),
    )
    region.associate(association)
    credentials.take_up(world, association)
    member.instance.iam_instance_profile = {"Arn": profile.arn, "Id": profile.id}
    return association


@check("ec2:AssociateIamInstanceProfile", "ec2:ReplaceIamInstanceProfileAssociation")
def profile_is_known(world: World, call: Call) -> None:
    """The profile has to be one that EC2 knows."""
    if not call.params.get("IamInstanceProfile"):
        raise AwsError("MissingParameter", "The request must contain the parameter iamInstanceProfile")
    resolve(world, call.params["IamInstanceProfile"])


@check("ec2:AssociateIamInstanceProfile")
def may_associate(world: World, call: Call) -> None:
    """The instance is running or stopped and has no profile yet."""
    region = world.region(call.region)
    (member,) = states.find(region, [call.params["InstanceId"]])
    if region.association_of(member.id):
        raise AwsError("IncorrectState", f"There is an existing association for instance {member.id}")
    if member.state not in ("running", "stopped"):
        text = f"The instance {member.id} is {member.state}; it has to be 'running' or 'stopped'"
        raise AwsError("IncorrectState", text)


@handler("ec2:AssociateIamInstanceProfile")
def associate(world: World, call: Call) -> dict[str, Any]:
    """A new association."""
    region = world.region(call.region)
    (member,) = states.find(region, [call.params["InstanceId"]])
    association = bind(world, region, member, resolve(world, call.params["IamInstanceProfile"]))
    return {"IamInstanceProfileAssociation": _view(association, "associating")}


@check("ec2:DisassociateIamInstanceProfile", "ec2:ReplaceIamInstanceProfileAssociation")
def association_exists(world: World, call: Call) -> None:
    """The association id is one that exists."""
    _find(world.region(call.region), call.params.get("AssociationId") or "")


@check("ec2:ReplaceIamInstanceProfileAssociation")
def may_replace(world: World, call: Call) -> None:
    """The association is the active one of a running instance."""
    region = world.region(call.region)
    association = _find(region, call.params["AssociationId"])
    member = region.members.get(association.instance_id)
    if association.until is not None or member is None or member.state != "running":
        raise AwsError("IncorrectState", f"The association {association.id} is not the active association")


@handler("ec2:ReplaceIamInstanceProfileAssociation")
def replace(world: World, call: Call) -> dict[str, Any]:
    """The old association ends and a new one, with a new id, begins."""
    region = world.region(call.region)
    old = _find(region, call.params["AssociationId"])
    profile = resolve(world, call.params["IamInstanceProfile"])
    region.dissociate(old, world.clock.now())
    new = bind(world, region, region.members[old.instance_id], profile)
    if new.profile_id == old.profile_id:
        new.role_id = old.role_id
    return {"IamInstanceProfileAssociation": _view(new, "associating")}


@handler("ec2:DisassociateIamInstanceProfile")
def disassociate(world: World, call: Call) -> dict[str, Any]:
    """The instance has no profile any more."""
    region = world.region(call.region)
    association = _find(region, call.params["AssociationId"])
    if association.until is None:
        region.dissociate(association, world.clock.now())
        region.members[association.instance_id].instance.iam_instance_profile = None
    return {"IamInstanceProfileAssociation": _view(association, "disassociating")}


@handler("ec2:DescribeIamInstanceProfileAssociations")
def describe(world: World, call: Call) -> dict[str, Any]:
    """Active associations, and those that have only just ended; filters `instance-id` and `state` only."""
    region = world.region(call.region)
    rows = [_view(item, state) for item, state in _visible(world, region)]
    wanted = call.params.get("AssociationIds") or []
    known = {row["AssociationId"] for row in rows}
    for association_id in wanted:
        if association_id not in known:
            raise _no_association(association_id)
    if wanted:
        rows = [row for row in rows if row["AssociationId"] in wanted]
    for item in call.params.get("Filters") or []:
        field = {"instance-id": "InstanceId", "state": "State"}.get(item.get("Name"))
        if field is None:
            raise AwsError("InvalidParameterValue", f"The filter '{item.get('Name')}' is invalid")
        rows = [row for row in rows if matches_any(str(row[field]), item.get("Values") or [])]
    page, token = paging.page(rows, call.params, ids_given=False)
    return {"IamInstanceProfileAssociations": page, "NextToken": token}


def _visible(world: World, region: Region) -> list[tuple[Association, str]]:
    now = world.clock.now()
    seen_until = now - world.faults.lag_s
    settled = now - world.faults.associate_s
    rows = []
    for item in region.associations.values():
        if item.since > seen_until and world.faults.lag_s:
            continue
        if item.until is None or (world.faults.lag_s and item.until > seen_until):
            rows.append(
                (item, "associating" if item.since > settled and world.faults.associate_s else "associated")
            )
        elif world.faults.associate_s and item.until > settled:
            rows.append((item, "disassociating"))
    return rows


def _find(region: Region, association_id: str) -> Association:
    found = region.associations.get(association_id)
    if found is None:
        raise _no_association(association_id)
    return found


def _no_association(association_id: str) -> AwsError:
    text = f"An invalid association-id of '{association_id}' was given"
    return AwsError("InvalidAssociationID.NotFound", text)


def _view(association: Association, state: str) -> dict[str, Any]:
    return {
        "AssociationId": association.id,
        "InstanceId": association.instance_id,
        "IamInstanceProfile": {"Arn": association.arn, "Id": association.profile_id},
        "State": state,
        "Timestamp": association.at,
    }
