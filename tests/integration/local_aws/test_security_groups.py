"""Security groups: what they are called, their rules, and when they go."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.local_aws.helpers import launch_one, refused, where

ANYWHERE = {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


def made(ec2: Any, name: str = "web", **more: Any) -> str:
    return str(ec2.create_security_group(GroupName=name, Description="for a test", **more)["GroupId"])


def tcp(port: int, **source: Any) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **(source or ANYWHERE)}


def block(text: str) -> dict[str, Any]:
    return {"Ipv6Ranges": [{"CidrIpv6": text}]} if ":" in text else {"IpRanges": [{"CidrIp": text}]}


def allow(ec2: Any, group: str, *permissions: dict[str, Any]) -> Any:
    return ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=list(permissions))


def rules(ec2: Any, group: str, is_egress: bool = False) -> list[dict[str, Any]]:
    found = ec2.describe_security_group_rules(Filters=where("group-id", group))["SecurityGroupRules"]
    return [rule for rule in found if rule["IsEgress"] is is_egress]


def shown(ec2: Any, group: str) -> dict[str, Any]:
    (found,) = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    return dict(found)


def test_what_is_made_has_its_tags_and_lets_everything_out(ec2: Any) -> None:
    tags = [{"Key": "team", "Value": "data"}]
    group = made(ec2, TagSpecifications=[{"ResourceType": "security-group", "Tags": tags}])
    assert shown(ec2, group)["Tags"] == tags
    assert rules(ec2, group) == []
    (out,) = rules(ec2, group, is_egress=True)
    assert (out["IpProtocol"], out["CidrIpv4"], out["FromPort"]) == ("-1", "0.0.0.0/0", -1)


def test_ipv6_is_let_out_where_the_vpc_has_it(ec2: Any) -> None:
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]["VpcId"]
    out = rules(ec2, made(ec2, VpcId=vpc), is_egress=True)
    assert [rule.get("CidrIpv4") or rule["CidrIpv6"] for rule in out] == ["0.0.0.0/0", "::/0"]


@pytest.mark.correction("sg-name")
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("sg-web", "InvalidParameterValue"),
        ("wéb", "InvalidParameterValue"),
        ("x" * 256, "InvalidParameterValue"),
        ("default", "InvalidGroup.Reserved"),
    ],
)
def test_names_that_a_group_cannot_have(ec2: Any, name: str, code: str) -> None:
    with refused(code):
        made(ec2, name)


@pytest.mark.correction("sg-description")
def test_descriptions_are_of_ec2s_characters(ec2: Any) -> None:
    with refused("InvalidParameterValue"):
        ec2.create_security_group(GroupName="web", Description="for <me>")
    group = made(ec2)
    with refused("InvalidParameterValue"):
        allow(ec2, group, tcp(22, IpRanges=[{"CidrIp": "10.0.0.0/8", "Description": "a|b"}]))


@pytest.mark.correction("sg-capitals")
def test_a_name_is_there_once_in_a_vpc_whatever_its_capitals(ec2: Any) -> None:
    ec2.create_security_group(GroupName="Web", Description="of the web")
    with refused("InvalidGroup.Duplicate"):
        ec2.create_security_group(GroupName="web", Description="another")


@pytest.mark.correction("sg-canonical")
@pytest.mark.parametrize(
    ("written", "kept"), [("10.1.2.3/8", "10.0.0.0/8"), ("2001:DB8:0::1/32", "2001:db8::/32")]
)
def test_a_block_is_kept_in_one_spelling(ec2: Any, written: str, kept: str) -> None:
    group = made(ec2)
    allow(ec2, group, tcp(22, **block(written)))
    (rule,) = rules(ec2, group)
    assert rule.get("CidrIpv4") or rule["CidrIpv6"] == kept
    with refused("InvalidPermission.Duplicate"):
        allow(ec2, group, tcp(22, **block(kept)))


@pytest.mark.correction("sg-protocol")
def test_a_protocol_has_one_name_and_only_some_have_ports(ec2: Any) -> None:
    group = made(ec2)
    allow(ec2, group, {"IpProtocol": "58", **ANYWHERE})
    allow(ec2, group, {"IpProtocol": "50", "FromPort": 1, "ToPort": 2, **ANYWHERE})
    found = {rule["IpProtocol"]: (rule["FromPort"], rule["ToPort"]) for rule in rules(ec2, group)}
    assert found == {"icmpv6": (-1, -1), "50": (-1, -1)}
    with refused("InvalidPermission.Duplicate"):
        allow(ec2, group, {"IpProtocol": "ICMPv6", "FromPort": -1, "ToPort": -1, **ANYWHERE})
    for wrong in (
        {"IpProtocol": "tcp", **ANYWHERE},
        {"IpProtocol": "tcp", "FromPort": -1, "ToPort": -1, **ANYWHERE},
        {"IpProtocol": "udp", "FromPort": 9, "ToPort": 8, **ANYWHERE},
        {"IpProtocol": "icmp", "FromPort": -1, "ToPort": 0, **ANYWHERE},
        {"IpProtocol": "http", **ANYWHERE},
    ):
        with refused("InvalidParameterValue"):
            allow(ec2, group, wrong)


@pytest.mark.correction("sg-all-or-none")
def test_a_call_adds_all_its_rules_or_none(ec2: Any) -> None:
    group = made(ec2)
    allow(ec2, group, tcp(22))
    with refused("InvalidPermission.Duplicate"):
        allow(ec2, group, tcp(23), tcp(22))
    assert [rule["FromPort"] for rule in rules(ec2, group)] == [22]


@pytest.mark.correction("sg-quota")
def test_sixty_rules_of_each_kind_of_addresses(ec2: Any) -> None:
    group = made(ec2)
    for prefix in ("10.0.{}.0/24", "2001:db8:{}::/48"):
        allow(ec2, group, *(tcp(22, **block(prefix.format(number))) for number in range(60)))
    for more in (block("10.1.0.0/16"), block("2001:db9::/32"), {"UserIdGroupPairs": [{"GroupId": group}]}):
        with refused("RulesPerSecurityGroupLimitExceeded"):
            allow(ec2, group, tcp(22, **more))


@pytest.mark.correction("sg-source")
def test_what_a_rule_refers_to_is_in_the_same_vpc(ec2: Any) -> None:
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    group, other = made(ec2), made(ec2, VpcId=vpc)
    allow(ec2, group, tcp(22, UserIdGroupPairs=[{"GroupId": group}]))
    with refused("InvalidGroup.NotFound"):
        allow(ec2, group, tcp(22, UserIdGroupPairs=[{"GroupId": other}]))
    with refused("InvalidPrefixListID.NotFound"):
        allow(ec2, group, tcp(22, PrefixListIds=[{"PrefixListId": "pl-00000000"}]))


@pytest.mark.correction("sg-prefix-list")
def test_a_prefix_list_counts_as_many_rules_as_it_has_entries(ec2: Any) -> None:
    made_list = ec2.create_managed_prefix_list(
        PrefixListName="offices", MaxEntries=50, AddressFamily="IPv4", Entries=[{"Cidr": "10.0.0.0/8"}]
    )["PrefixList"]["PrefixListId"]
    group = made(ec2)
    allow(ec2, group, tcp(22, PrefixListIds=[{"PrefixListId": made_list, "Description": "offices"}]))
    (rule,) = rules(ec2, group)
    assert (rule["PrefixListId"], rule["Description"]) == (made_list, "offices")
    with refused("RulesPerSecurityGroupLimitExceeded"):
        allow(ec2, group, tcp(23, PrefixListIds=[{"PrefixListId": made_list}]))


@pytest.mark.correction("sg-rule-description")
def test_a_description_changes_and_goes(ec2: Any) -> None:
    group = made(ec2)
    said = {"CidrIp": "10.0.0.0/8", "Description": "office"}
    allow(ec2, group, tcp(22, IpRanges=[said]))
    change = ec2.update_security_group_rule_descriptions_ingress
    change(GroupId=group, IpPermissions=[tcp(22, IpRanges=[{**said, "Description": "home"}])])
    assert [rule.get("Description") for rule in rules(ec2, group)] == ["home"]
    change(GroupId=group, IpPermissions=[tcp(22, IpRanges=[{"CidrIp": "10.0.0.0/8"}])])
    assert [rule.get("Description") for rule in rules(ec2, group)] == [None]


def test_a_rule_goes_by_its_id(ec2: Any) -> None:
    group = made(ec2)
    allow(ec2, group, tcp(22), tcp(23))
    gone = [rule["SecurityGroupRuleId"] for rule in rules(ec2, group) if rule["FromPort"] == 22]
    ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=gone)
    assert [rule["FromPort"] for rule in rules(ec2, group)] == [23]


@pytest.mark.correction("sg-revoke-unknown")
def test_a_rule_that_is_gone_is_not_found_by_its_id(ec2: Any) -> None:
    with refused("InvalidSecurityGroupRuleId.NotFound"):
        ec2.revoke_security_group_ingress(GroupId=made(ec2), SecurityGroupRuleIds=["sgr-00000000000000000"])


@pytest.mark.correction("sg-in-use")
def test_a_group_of_an_interface_is_not_deleted(ec2: Any, image: str) -> None:
    group = made(ec2)
    instance = launch_one(ec2, image, SecurityGroupIds=[group])
    with refused("DependencyViolation"):
        ec2.delete_security_group(GroupId=group)
    ec2.terminate_instances(InstanceIds=[instance])
    ec2.delete_security_group(GroupId=group)
    with refused("InvalidGroup.NotFound"):
        ec2.describe_security_groups(GroupIds=[group])


@pytest.mark.correction("sg-referenced")
def test_a_group_that_another_refers_to_is_not_deleted(ec2: Any) -> None:
    group, other = made(ec2), made(ec2, "db")
    for to in (group, other):
        allow(ec2, to, tcp(22, UserIdGroupPairs=[{"GroupId": group}]))
    with refused("DependencyViolation"):
        ec2.delete_security_group(GroupId=group)
    ec2.delete_security_group(GroupId=other)
    ec2.delete_security_group(GroupId=group)


@pytest.mark.correction("sg-default")
def test_the_default_group_stays(ec2: Any) -> None:
    with refused("CannotDelete"):
        ec2.delete_security_group(GroupName="default")


@pytest.mark.correction("sg-filters")
def test_groups_are_found_by_what_their_rules_say(ec2: Any) -> None:
    group, other = made(ec2), made(ec2, "db")
    allow(ec2, group, tcp(22, **block("2001:db8::/32")))
    allow(ec2, other, tcp(22, UserIdGroupPairs=[{"GroupId": group}]))

    def found(name: str, value: str) -> list[str]:
        answer = ec2.describe_security_groups(Filters=where(name, value))["SecurityGroups"]
        return [one["GroupId"] for one in answer]

    assert found("ip-permission.group-id", group) == [other]
    assert found("ip-permission.ipv6-cidr", "2001:db8::/32") == [group]


@pytest.mark.correction("sg-pages")
def test_groups_come_page_by_page(ec2: Any) -> None:
    for number in range(6):
        made(ec2, f"group-{number}")
    first = ec2.describe_security_groups(Filters=where("group-name", "group-*"), MaxResults=5)
    assert len(first["SecurityGroups"]) == 5
    rest = ec2.describe_security_groups(
        Filters=where("group-name", "group-*"), MaxResults=5, NextToken=first["NextToken"]
    )
    assert len(rest["SecurityGroups"]) == 1
