"""Instance profiles on instances."""

from __future__ import annotations

from typing import Any

import pytest

from local_aws import Faults, LocalAws, add_instance, advance, roles_in_use, set_faults
from tests.integration.local_aws.helpers import (
    association_of,
    ids,
    launch,
    launch_one,
    make_profile,
    make_role,
    one,
    refused,
    seen,
    where,
)

BY_NAME = {"Name": "worker"}


@pytest.mark.correction("profile-batch")
def test_every_instance_of_a_batch_has_the_profile(ec2: Any, iam: Any, image: str) -> None:
    profile = make_profile(iam)
    launch(ec2, image, 3, IamInstanceProfile=BY_NAME)
    assert [item["IamInstanceProfile"]["Arn"] for item in seen(ec2)] == [profile["Arn"]] * 3
    rows = ec2.describe_iam_instance_profile_associations()["IamInstanceProfileAssociations"]
    assert sorted(row["InstanceId"] for row in rows) == sorted(ids(seen(ec2)))


@pytest.mark.correction("profile-in-template")
def test_a_launch_template_carries_a_profile(ec2: Any, iam: Any, image: str) -> None:
    profile = make_profile(iam)
    data = {"ImageId": image, "InstanceType": "t3.small", "IamInstanceProfile": BY_NAME}
    ec2.create_launch_template(LaunchTemplateName="worker", LaunchTemplateData=data)
    template = {"LaunchTemplateName": "worker"}
    (made,) = ec2.run_instances(LaunchTemplate=template, MinCount=1, MaxCount=1)["Instances"]
    assert made["InstanceType"] == "t3.small"
    assert made["IamInstanceProfile"]["Arn"] == profile["Arn"]


@pytest.mark.correction("profile-own-id")
def test_an_instance_shows_the_profiles_own_id(ec2: Any, iam: Any, image: str) -> None:
    profile = make_profile(iam)
    found = one(ec2, launch_one(ec2, image, IamInstanceProfile={"Arn": profile["Arn"]}))
    assert found["IamInstanceProfile"] == {"Arn": profile["Arn"], "Id": profile["InstanceProfileId"]}


@pytest.mark.correction("profile-id-prefix")
def test_the_id_of_a_profile_begins_with_aipa(iam: Any) -> None:
    assert make_profile(iam)["InstanceProfileId"].startswith("AIPA")


@pytest.mark.correction("profile-recreated")
def test_a_profile_made_again_has_another_id_than_its_instances_show(ec2: Any, iam: Any, image: str) -> None:
    old = make_profile(iam)
    instance = launch_one(ec2, image, IamInstanceProfile=BY_NAME)
    iam.remove_role_from_instance_profile(InstanceProfileName="worker", RoleName="worker")
    iam.delete_instance_profile(InstanceProfileName="worker")
    new = make_profile(iam, role="worker")
    shown = one(ec2, instance)["IamInstanceProfile"]
    assert shown["Arn"] == new["Arn"]
    assert shown["Id"] == old["InstanceProfileId"] != new["InstanceProfileId"]


@pytest.mark.correction("profile-replace-shown")
def test_replace_shows_on_the_instance(ec2: Any, iam: Any, image: str) -> None:
    make_profile(iam)
    other = make_profile(iam, "other")
    instance = launch_one(ec2, image, IamInstanceProfile=BY_NAME)
    old = association_of(ec2, instance)
    ec2.replace_iam_instance_profile_association(
        AssociationId=old["AssociationId"], IamInstanceProfile={"Name": "other"}
    )
    assert one(ec2, instance)["IamInstanceProfile"]["Id"] == other["InstanceProfileId"]


@pytest.mark.correction("profile-replace-id")
def test_replace_makes_a_new_association_id(ec2: Any, iam: Any, image: str) -> None:
    make_profile(iam)
    make_profile(iam, "other")
    instance = launch_one(ec2, image, IamInstanceProfile=BY_NAME)
    old = association_of(ec2, instance)
    new = ec2.replace_iam_instance_profile_association(
        AssociationId=old["AssociationId"], IamInstanceProfile={"Name": "other"}
    )["IamInstanceProfileAssociation"]
    assert new["AssociationId"] != old["AssociationId"]
    assert new["State"] == "associating"
    assert association_of(ec2, instance)["AssociationId"] == new["AssociationId"]


@pytest.mark.correction("profile-replace-running")
def test_replace_needs_a_running_instance(ec2: Any, iam: Any, image: str) -> None:
    make_profile(iam)
    instance = launch_one(ec2, image, IamInstanceProfile=BY_NAME)
    association = association_of(ec2, instance)["AssociationId"]
    ec2.stop_instances(InstanceIds=[instance])
    with refused("IncorrectState") as no:
        ec2.replace_iam_instance_profile_association(AssociationId=association, IamInstanceProfile=BY_NAME)
    assert no.message == f"The association {association} is not the active association"


def test_associate_and_disassociate_show_on_the_instance(local: LocalAws, ec2: Any, iam: Any) -> None:
    profile = make_profile(iam)
    instance = add_instance(local)
    assert "IamInstanceProfile" not in one(ec2, instance)
    made = ec2.associate_iam_instance_profile(InstanceId=instance, IamInstanceProfile=BY_NAME)
    assert made["IamInstanceProfileAssociation"]["State"] == "associating"
    assert one(ec2, instance)["IamInstanceProfile"]["Id"] == profile["InstanceProfileId"]
    association = association_of(ec2, instance)
    assert association["State"] == "associated"
    ec2.disassociate_iam_instance_profile(AssociationId=association["AssociationId"])
    assert "IamInstanceProfile" not in one(ec2, instance)
    assert ec2.describe_iam_instance_profile_associations()["IamInstanceProfileAssociations"] == []


def test_an_instance_has_one_profile_at_most(ec2: Any, iam: Any, image: str) -> None:
    make_profile(iam)
    instance = launch_one(ec2, image, IamInstanceProfile=BY_NAME)
    if "IamInstanceProfile" not in one(ec2, instance):
        ec2.associate_iam_instance_profile(InstanceId=instance, IamInstanceProfile=BY_NAME)
    with refused("IncorrectState") as no:
        ec2.associate_iam_instance_profile(InstanceId=instance, IamInstanceProfile=BY_NAME)
    assert no.message == f"There is an existing association for instance {instance}"


@pytest.mark.correction("profile-associate-pending")
def test_a_pending_instance_takes_no_profile_and_a_stopped_one_does(
    local: LocalAws, ec2: Any, iam: Any, image: str
) -> None:
    make_profile(iam)
    set_faults(local, Faults(boot_s=30))
    instance = launch_one(ec2, image)
    with refused("IncorrectState"):
        ec2.associate_iam_instance_profile(InstanceId=instance, IamInstanceProfile=BY_NAME)
    pending = launch_one(ec2, image, IamInstanceProfile=BY_NAME)
    with refused("IncorrectState"):
        ec2.replace_iam_instance_profile_association(
            AssociationId=association_of(ec2, pending)["AssociationId"], IamInstanceProfile=BY_NAME
        )
    advance(local, 31)
    ec2.stop_instances(InstanceIds=[instance])
    ec2.associate_iam_instance_profile(InstanceId=instance, IamInstanceProfile=BY_NAME)


@pytest.mark.correction("profile-unknown")
def test_an_unknown_profile_is_an_invalid_parameter(ec2: Any, iam: Any, image: str) -> None:
    with refused("InvalidParameterValue") as no:
        launch(ec2, image, IamInstanceProfile={"Name": "nobody"})
    assert no.message == (
        "Value (nobody) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name"
    )
    arn = "arn:aws:iam::123456789012:instance-profile/nobody"
    with refused("InvalidParameterValue") as no:
        launch(ec2, image, IamInstanceProfile={"Arn": arn})
    assert no.message.endswith("Invalid IAM Instance Profile ARN")


@pytest.mark.correction("profile-unknown-associate")
def test_an_unknown_profile_cannot_be_associated(local: LocalAws, ec2: Any, image: str) -> None:
    instance = launch_one(ec2, image)
    with refused("InvalidParameterValue"):
        ec2.associate_iam_instance_profile(InstanceId=instance, IamInstanceProfile={"Name": "nobody"})


@pytest.mark.correction("profile-without-role")
def test_a_profile_without_a_role_is_an_invalid_parameter(ec2: Any, iam: Any, image: str) -> None:
    iam.create_instance_profile(InstanceProfileName="worker")
    with refused("InvalidParameterValue") as no:
        launch(ec2, image, IamInstanceProfile=BY_NAME)
    assert "has no associated IAM Roles" in no.message


def test_termination_ends_the_association(ec2: Any, iam: Any, image: str) -> None:
    make_profile(iam)
    instance = launch_one(ec2, image, IamInstanceProfile=BY_NAME)
    ec2.terminate_instances(InstanceIds=[instance])
    assert "IamInstanceProfile" not in one(ec2, instance)
    assert ec2.describe_iam_instance_profile_associations()["IamInstanceProfileAssociations"] == []


def test_an_unknown_association_is_refused(ec2: Any, iam: Any) -> None:
    make_profile(iam)
    with refused("InvalidAssociationID.NotFound"):
        ec2.disassociate_iam_instance_profile(AssociationId="iip-assoc-0123456789abcdef0")


def test_associations_are_settling_for_a_while(local: LocalAws, ec2: Any, iam: Any, image: str) -> None:
    make_profile(iam)
    make_profile(iam, "other")
    set_faults(local, Faults(associate_s=10))
    instance = launch_one(ec2, image, IamInstanceProfile=BY_NAME)
    assert association_of(ec2, instance)["State"] == "associating"
    advance(local, 11)
    old = association_of(ec2, instance)
    assert old["State"] == "associated"
    ec2.replace_iam_instance_profile_association(
        AssociationId=old["AssociationId"], IamInstanceProfile={"Name": "other"}
    )
    rows = ec2.describe_iam_instance_profile_associations()["IamInstanceProfileAssociations"]
    assert sorted(row["State"] for row in rows) == ["associating", "disassociating"]
    settling = ec2.describe_iam_instance_profile_associations(Filters=where("state", "disassociating"))
    assert [row["AssociationId"] for row in settling["IamInstanceProfileAssociations"]] == [
        old["AssociationId"]
    ]


def test_an_instance_of_nobodys_can_be_added_under_a_chosen_id(local: LocalAws, ec2: Any) -> None:
    made = add_instance(local, "i-00000000000000abc", tags={"course": "statistics"})
    found = one(ec2, made)
    assert (made, found["State"]["Name"]) == ("i-00000000000000abc", "running")
    assert found["Tags"] == [{"Key": "course", "Value": "statistics"}]


def test_an_instance_keeps_the_credentials_of_the_former_role_of_its_profile(
    local: LocalAws, ec2: Any, iam: Any, image: str
) -> None:
    make_profile(iam)
    former, new = iam.get_role(RoleName="worker")["Role"]["RoleId"], make_role(iam, "new")["RoleId"]
    names = ("untouched", "replaced", "associated again", "stopped and started")
    made = dict(zip(names, ids(launch(ec2, image, 4, IamInstanceProfile=BY_NAME)), strict=True))
    add_instance(local)
    iam.remove_role_from_instance_profile(InstanceProfileName="worker", RoleName="worker")
    iam.add_role_to_instance_profile(InstanceProfileName="worker", RoleName="new")
    iam.delete_role(RoleName="worker")
    assert roles_in_use(local) == dict.fromkeys(made.values(), former)

    ec2.replace_iam_instance_profile_association(
        AssociationId=association_of(ec2, made["replaced"])["AssociationId"], IamInstanceProfile=BY_NAME
    )
    again = made["associated again"]
    ec2.disassociate_iam_instance_profile(AssociationId=association_of(ec2, again)["AssociationId"])
    assert again not in roles_in_use(local)
    ec2.associate_iam_instance_profile(InstanceId=again, IamInstanceProfile=BY_NAME)
    ec2.stop_instances(InstanceIds=[made["stopped and started"]])
    ec2.start_instances(InstanceIds=[made["stopped and started"]])
    held = {name: roles_in_use(local)[instance] for name, instance in made.items()}
    assert held == dict(zip(names, [former, former, new, new], strict=True))

    advance(local, 3601)
    assert roles_in_use(local) == dict.fromkeys(made.values(), new)
