"""What somebody else changes about an environment, and an apply puts right."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.support.cloud import ANYTHING, Cloud, as_list, tags_of


def tamper(cloud: Cloud, environment: str, round_: int) -> None:
    """All roles, profiles and key pairs, and one instance of each fleet, in another way each time."""
    path = f"/provisioner/{environment}/"
    for role in cloud.iam.list_roles(PathPrefix=path)["Roles"]:
        tamper_with_role(cloud, role["RoleName"])
    for profile in cloud.iam.list_instance_profiles(PathPrefix=path)["InstanceProfiles"]:
        name = profile["InstanceProfileName"]
        tags = as_list({"extra": "x", "provisioner:region": "none"})
        cloud.iam.tag_instance_profile(InstanceProfileName=name, Tags=tags)
    tag = [{"Name": "tag:provisioner:environment", "Values": [environment]}]
    for pair in cloud.ec2.describe_key_pairs(Filters=tag)["KeyPairs"]:
        cloud.ec2.create_tags(Resources=[pair["KeyPairId"]], Tags=as_list({"extra": "x", "team": "other"}))
    for group in cloud.ec2.describe_security_groups(Filters=tag)["SecurityGroups"]:
        tamper_with_group(cloud, group, round_)
    fleets = {tags_of(found)["provisioner:fleet"]: found for found in cloud.live(environment)}
    for instance in fleets.values():
        tamper_with_instance(cloud, instance, round_)


def tamper_with_role(cloud: Cloud, name: str) -> None:
    iam, role = cloud.iam, {"RoleName": name}
    iam.tag_role(**role, Tags=as_list({"extra": "x", "provisioner:region": "none"}))
    iam.update_role(**role, Description="tampered", MaxSessionDuration=4000)
    principal = {"Service": "lambda.amazonaws.com"}
    trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam.update_assume_role_policy(**role, PolicyDocument=document)
    for policy in (*iam.list_role_policies(**role)["PolicyNames"], "extra"):
        iam.put_role_policy(**role, PolicyName=policy, PolicyDocument=json.dumps(ANYTHING))
    for attached in iam.list_attached_role_policies(**role)["AttachedPolicies"]:
        iam.detach_role_policy(**role, PolicyArn=attached["PolicyArn"])
    iam.attach_role_policy(**role, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    if iam.get_role(**role)["Role"].get("PermissionsBoundary"):
        iam.delete_role_permissions_boundary(**role)
    else:
        boundary = "arn:aws:iam::aws:policy/ReadOnlyAccess"
        iam.put_role_permissions_boundary(**role, PermissionsBoundary=boundary)


def tamper_with_group(cloud: Cloud, group: Mapping[str, Any], round_: int) -> None:
    ec2, name = cloud.ec2, group["GroupId"]
    ec2.create_tags(Resources=[name], Tags=as_list({"extra": "x", "tier": "other"}))
    inward, outward = group["IpPermissions"], group["IpPermissionsEgress"]
    if round_ == 0:
        if inward:
            ec2.revoke_security_group_ingress(GroupId=name, IpPermissions=inward)
        if outward:
            ec2.revoke_security_group_egress(GroupId=name, IpPermissions=outward)
        other = [{"IpProtocol": "tcp", "FromPort": 9, "ToPort": 9, "IpRanges": [{"CidrIp": "192.0.2.0/24"}]}]
        ec2.authorize_security_group_ingress(GroupId=name, IpPermissions=other)
        ec2.authorize_security_group_egress(GroupId=name, IpPermissions=other)
        return
    for rules, change in (
        (inward, ec2.update_security_group_rule_descriptions_ingress),
        (outward, ec2.update_security_group_rule_descriptions_egress),
    ):
        for rule in rules:
            for peers in ("IpRanges", "Ipv6Ranges", "UserIdGroupPairs"):
                for peer in rule.get(peers, ()):
                    peer["Description"] = "other"
        if rules:
            change(GroupId=name, IpPermissions=rules)


def tamper_with_instance(cloud: Cloud, instance: Mapping[str, Any], round_: int) -> None:
    ec2, name = cloud.ec2, instance["InstanceId"]
    if round_ == 0:
        change_live(cloud, instance)
    elif round_ == 1:
        # A stopped one, with somebody else's profile.
        give_profile(cloud, name, "other")
        toggle(cloud, instance)
    elif round_ == 2:
        give_profile(cloud, name, "other")
        if instance.get("InstanceLifecycle") == "spot":
            return
        ec2.stop_instances(InstanceIds=[name])
        ec2.modify_instance_attribute(InstanceId=name, InstanceType={"Value": "t3.nano"})
        if instance["State"]["Name"] == "running":
            ec2.start_instances(InstanceIds=[name])
    else:
        if instance.get("IamInstanceProfile"):
            ec2.disassociate_iam_instance_profile(AssociationId=cloud.association(name))
        group = ec2.create_security_group(GroupName=name, Description="other", VpcId=instance["VpcId"])
        ec2.modify_instance_attribute(InstanceId=name, Groups=[group["GroupId"]])


def toggle(cloud: Cloud, instance: Mapping[str, Any]) -> None:
    """One that runs is stopped, and the other way round."""
    if instance.get("InstanceLifecycle") == "spot":
        return
    change = cloud.ec2.stop_instances
    if instance["State"]["Name"] == "stopped":
        change = cloud.ec2.start_instances
    change(InstanceIds=[instance["InstanceId"]])


def give_profile(cloud: Cloud, instance: str, name: str) -> None:
    if name not in cloud.profiles("/"):
        cloud.make_profile(name, cloud.make_role(name))
    for association in cloud.associations(instance):
        cloud.ec2.disassociate_iam_instance_profile(AssociationId=association["AssociationId"])
    cloud.ec2.associate_iam_instance_profile(InstanceId=instance, IamInstanceProfile={"Name": name})


def change_live(cloud: Cloud, instance: Mapping[str, Any]) -> None:
    ec2, name = cloud.ec2, instance["InstanceId"]
    volumes = [device["Ebs"]["VolumeId"] for device in instance["BlockDeviceMappings"]]
    tags = {"extra": "x", "team": "other"}
    ec2.create_tags(Resources=[name], Tags=as_list({**tags, "Name": "other"}))
    ec2.create_tags(Resources=volumes, Tags=as_list(tags))
    ec2.modify_instance_metadata_options(InstanceId=name, HttpTokens="optional", HttpProtocolIpv6="enabled")
    is_monitored = instance["Monitoring"]["State"] == "enabled"
    (ec2.unmonitor_instances if is_monitored else ec2.monitor_instances)(InstanceIds=[name])
    if instance.get("InstanceLifecycle") == "spot":
        return
    ec2.modify_instance_attribute(InstanceId=name, SourceDestCheck={"Value": False})
    ec2.modify_instance_maintenance_options(InstanceId=name, AutoRecovery="default")
    ec2.modify_private_dns_name_options(InstanceId=name, EnableResourceNameDnsARecord=False)
    if instance["State"]["Name"] == "stopped":
        ec2.modify_instance_cpu_options(InstanceId=name, CoreCount=1, ThreadsPerCore=2)
    credits = [{"InstanceId": name, "CpuCredits": "unlimited"}]
    if instance["InstanceType"].startswith("t"):
        ec2.modify_instance_credit_specification(InstanceCreditSpecifications=credits)
    for volume in volumes:
        ec2.modify_volume(VolumeId=volume, VolumeType="gp2")


def attachable(cloud: Cloud, spec: Mapping[str, Any]) -> list[str]:
    """The instances that the attachments of a spec choose."""
    found = []
    for number, attachment in enumerate(spec.get("attachments", {}).values()):
        found += [cloud.stranger(instance) for instance in attachment.get("instances", ())]
        if tags := attachment.get("select", {}).get("tags"):
            found.append(cloud.stranger(f"i-00000000000000{number}a1", tags))
    return found


def tamper_with_attached(cloud: Cloud, instances: list[str], round_: int) -> None:
    for instance in instances:
        if round_ < 3:
            give_profile(cloud, instance, "other")
        if round_ == 1:
            cloud.ec2.stop_instances(InstanceIds=[instance])
        elif round_ == 2:
            cloud.ec2.start_instances(InstanceIds=[instance])
