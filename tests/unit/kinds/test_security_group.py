"""Security groups: rules in EC2's spelling and in words, which group is whose, and what differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from provisioner.errors import SpecError
from provisioner.kinds.security_group import SecurityGroupKind
from provisioner.kinds.security_group.my_ip import MyIpUnknown, find_my_ip
from provisioner.kinds.security_group.observed import ObservedGroup, as_group, observe_groups
from provisioner.kinds.security_group.rules import in_words, rules_of
from provisioner.kinds.security_group.spec import SecurityGroup
from provisioner.kinds.security_group.wanted import differences, wanted_rules
from provisioner.model import Address
from tests.support.build import environment, world

SSH, DB = Address("security_group", "ssh"), Address("security_group", "db")
KEY = "provisioner:security_group"
OUT = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
OUT6 = {"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}


def raw(name: str, id_: str = "sg-1", tags: Mapping[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    """A group as DescribeSecurityGroups has it."""
    own = {"provisioner:environment": "env", KEY: name.removeprefix("env-"), **(tags or {})}
    return {
        "GroupId": id_,
        "GroupName": name,
        "Description": name,
        "VpcId": "vpc-1",
        "OwnerId": "123456789012",
        "IpPermissions": [],
        "IpPermissionsEgress": [OUT],
        "Tags": [{"Key": key, "Value": value} for key, value in own.items()],
        **fields,
    }


class Ec2:
    """EC2 with some groups and a default VPC, for reading."""

    def __init__(self, groups: Sequence[Mapping[str, Any]]) -> None:
        self.groups = groups

    def pages(self, _: str, operation: str, key: str, **params: Any) -> Any:
        assert key == operation.removeprefix("Describe")
        return iter(self.groups if key == "SecurityGroups" else [{"VpcId": "vpc-1"}])

    def parallel(self, *reads: Any) -> list[Any]:
        return [read() for read in reads]


def desired(**group: Any) -> SecurityGroup:
    return environment(security_groups={"ssh": group, "db": {}}).of(SecurityGroup)[SSH]


@pytest.mark.parametrize(
    ("rule", "shown", "words"),
    [
        ({"port": 22, "cidr": "10.1.2.3/8"}, ("tcp", 22, 22, "10.0.0.0/8"), "tcp 22 from 10.0.0.0/8"),
        (
            {"ports": "22-22", "protocol": 6, "cidr": "10.0.0.0/8"},
            ("tcp", 22, 22, "10.0.0.0/8"),
            "tcp 22 from 10.0.0.0/8",
        ),
        (
            {"ports": "9000-9010", "protocol": "UDP", "cidr": "::/0"},
            ("udp", 9000, 9010, "::/0"),
            "udp 9000-9010 from ::/0",
        ),
        (
            {"port": -1, "cidr": "10.0.0.0/8"},
            ("tcp", 0, 65535, "10.0.0.0/8"),
            "tcp all ports from 10.0.0.0/8",
        ),
        (
            {"protocol": "all", "cidr": "10.0.0.0/8"},
            ("-1", None, None, "10.0.0.0/8"),
            "all traffic from 10.0.0.0/8",
        ),
        ({"protocol": -1, "port": -1, "cidr": "::/0"}, ("-1", None, None, "::/0"), "all traffic from ::/0"),
        (
            {"protocol": 50, "cidr": "10.0.0.0/8"},
            ("50", None, None, "10.0.0.0/8"),
            "protocol 50 from 10.0.0.0/8",
        ),
        ({"protocol": "icmp", "cidr": "10.0.0.0/8"}, ("icmp", -1, -1, "10.0.0.0/8"), "icmp from 10.0.0.0/8"),
        (
            {"protocol": "1", "type": 8, "cidr": "10.0.0.0/8"},
            ("icmp", 8, -1, "10.0.0.0/8"),
            "icmp type 8 from 10.0.0.0/8",
        ),
        (
            {"protocol": "icmp", "type": 3, "code": 4, "cidr": "10.0.0.0/8"},
            ("icmp", 3, 4, "10.0.0.0/8"),
            "icmp type 3 code 4 from 10.0.0.0/8",
        ),
        (
            {"protocol": 58, "cidr": "2001:DB8:0::1/32"},
            ("icmpv6", -1, -1, "2001:db8::/32"),
            "icmpv6 from 2001:db8::/32",
        ),
        (
            {"port": 22, "cidr": "10.0.0.0/8", "description": "office"},
            ("tcp", 22, 22, "10.0.0.0/8"),
            "tcp 22 from 10.0.0.0/8 (office)",
        ),
        ({"port": 22, "group_id": "sg-12345678"}, ("tcp", 22, 22, "sg-12345678"), "tcp 22 from sg-12345678"),
        (
            {"port": 22, "prefix_list": "pl-12345678"},
            ("tcp", 22, 22, "pl-12345678"),
            "tcp 22 from pl-12345678",
        ),
        ({"port": 22, "group": "db"}, ("tcp", 22, 22, "sg-2"), "tcp 22 from security_group/db"),
    ],
)
def test_a_rule_as_ec2_has_it_and_in_words(rule: Any, shown: tuple[Any, ...], words: str) -> None:
    group = desired(ingress=[rule])
    observed = {DB: ObservedGroup(as_group(raw("env-db", "sg-2"))), SSH: ObservedGroup()}
    around = world(environment(security_groups={"ssh": {"ingress": [rule]}, "db": {}}), observed)
    (wanted,) = wanted_rules(group, observed[SSH], around)
    protocol, first, last, peer = wanted.traffic
    assert (protocol, first, last, peer.value) == shown
    assert in_words(wanted, {"sg-2": DB}) == words


@pytest.mark.parametrize(
    ("permission", "words"),
    [
        (
            {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]},
            ["tcp 22 from 10.0.0.0/8"],
        ),
        (
            {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-3", "UserId": "1"}]},
            ["all traffic from sg-3"],
        ),
        # What a number other than those of TCP, UDP and ICMP has of ports says nothing.
        (
            {"IpProtocol": "50", "FromPort": 0, "ToPort": 1, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]},
            ["protocol 50 from 10.0.0.0/8"],
        ),
        (
            {
                **OUT,
                "Ipv6Ranges": [{"CidrIpv6": "::/0", "Description": "all"}],
                "PrefixListIds": [{"PrefixListId": "pl-1"}],
            },
            ["all traffic from 0.0.0.0/0", "all traffic from ::/0 (all)", "all traffic from pl-1"],
        ),
    ],
)
def test_rules_are_read_one_for_each_peer(permission: Any, words: list[str]) -> None:
    assert [in_words(rule, {}) for rule in rules_of([permission], False)] == words


@pytest.mark.parametrize(
    ("egress", "there", "missing", "surplus"),
    [
        (None, [OUT], [], []),
        (None, [OUT, OUT6], [], []),
        (None, [], ["all traffic to 0.0.0.0/0"], []),
        (None, [OUT6], ["all traffic to 0.0.0.0/0"], []),
        ([], [OUT, OUT6], [], ["all traffic to 0.0.0.0/0", "all traffic to ::/0"]),
        ([{"protocol": "all", "cidr": "0.0.0.0/0"}], [OUT, OUT6], [], ["all traffic to ::/0"]),
        ([{"port": 443, "cidr": "::/0"}], [OUT], ["tcp 443 to ::/0"], ["all traffic to 0.0.0.0/0"]),
    ],
)
def test_what_goes_out(egress: Any, there: Any, missing: list[str], surplus: list[str]) -> None:
    group = desired(**({} if egress is None else {"egress": egress}))
    differ = differences(group, as_group(raw("env-ssh", IpPermissionsEgress=there)), group.rules)
    assert [in_words(rule, {}) for rule in differ.missing] == missing
    assert [in_words(rule, {}) for rule in differ.surplus] == surplus


@pytest.mark.parametrize(
    ("entry", "there", "placed", "new_name"),
    [
        ({}, [], {}, "env-ssh"),
        ({}, [raw("env-ssh")], {"ssh": "sg-1"}, "env-ssh-2"),
        # One that left the spec has the key that it had, or else its name.
        ({}, [raw("env-web")], {"web": "sg-1"}, "env-ssh"),
        ({"name": "access"}, [raw("env-ssh")], {"env-ssh": "sg-1"}, "access"),
        (
            {"name": "access"},
            [raw("access"), raw("env-ssh", "sg-2")],
            {"ssh": "sg-1", "env-ssh": "sg-2"},
            "access",
        ),
        # A description is fixed; where none is said, each is right.
        ({"description": "New"}, [raw("env-ssh")], {"env-ssh": "sg-1"}, "env-ssh-2"),
        ({"description": "env-ssh"}, [raw("env-ssh")], {"ssh": "sg-1"}, "env-ssh-2"),
        ({"vpc": "vpc-01234567"}, [raw("env-ssh")], {"env-ssh": "sg-1"}, "env-ssh"),
        # A name with a number may be another key's: its tag tells.
        ({}, [raw("env-ssh-2")], {"ssh-2": "sg-1"}, "env-ssh"),
        ({}, [raw("env-ssh-2", tags={KEY: "ssh"})], {"ssh": "sg-1"}, "env-ssh"),
        (
            {"description": "New"},
            [raw("env-ssh"), raw("env-ssh-2", "sg-2", {KEY: "ssh"}, Description="New")],
            {"ssh": "sg-2", "env-ssh": "sg-1"},
            "env-ssh-3",
        ),
    ],
)
def test_which_group_is_at_which_address(
    entry: Any, there: Any, placed: dict[str, str], new_name: str
) -> None:
    observed = observe_groups(Ec2(there), environment(security_groups={"ssh": entry}))  # type: ignore[arg-type]
    groups = {at.key: found.group.id for at, found in observed.items() if found.group}
    assert groups == placed
    assert observed[SSH].new_name == new_name


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"PROVISIONER_MY_IP": "here"}, "PROVISIONER_MY_IP is 'here', which is no address"),
        # One address, which is somebody's, and not all of them.
        ({"PROVISIONER_MY_IP": "0.0.0.0/0"}, "PROVISIONER_MY_IP is '0.0.0.0/0', which is no address"),
        ({"PROVISIONER_MY_IP": "203.0.113.7/24"}, "PROVISIONER_MY_IP is '203.0.113.7/24', which is no"),
        ({"PROVISIONER_MY_IP": "fe80::1%eth0"}, "PROVISIONER_MY_IP is 'fe80::1%eth0', which is no address"),
        ({"https_proxy": "http://127.0.0.1:9"}, "my_ip: https://checkip.amazonaws.com/ did not say"),
    ],
)
def test_why_the_own_address_is_not_known(
    variables: dict[str, str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PROVISIONER_MY_IP", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(MyIpUnknown) as raised:
        find_my_ip(None)
    assert told in raised.value.message
    assert "PROVISIONER_MY_IP" in (raised.value.hint or "")


def test_the_own_address_is_what_is_said_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVISIONER_MY_IP", "2001:DB8::7")
    assert find_my_ip("127.0.0.1/32") == "2001:db8::7/128"
    monkeypatch.delenv("PROVISIONER_MY_IP")
    assert find_my_ip("127.0.0.1/32") == "127.0.0.1/32"


@pytest.mark.parametrize(
    ("there", "kept"),
    [
        (["203.0.113.7/32"], "203.0.113.7/32"),
        # Whoever may add a rule can give it the mark: it stands for one address all the same.
        (["0.0.0.0/0"], "198.51.100.1/32"),
        (["203.0.0.0/16", "203.0.113.7/32"], "203.0.113.7/32"),
        # Of two that may be it, the same one every time, in whatever order EC2 shows them.
        (["203.0.113.9/32", "203.0.113.7/32"], "203.0.113.7/32"),
        (["203.0.113.7/32", "203.0.113.9/32"], "203.0.113.7/32"),
    ],
)
def test_my_ip_stays_what_one_address_was(there: list[str], kept: str) -> None:
    ranges = [{"CidrIp": block, "Description": "(my_ip)"} for block in there]
    permission = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": ranges}
    group = as_group(raw("env-ssh", IpPermissions=[permission]))
    observed = ObservedGroup(group, my_ip="198.51.100.1/32")
    entry = {"ssh": {"ingress": [{"port": 22, "cidr": "my_ip"}]}}
    around = world(environment(security_groups=entry), {SSH: observed})
    wanted = wanted_rules(environment(security_groups=entry).of(SecurityGroup)[SSH], observed, around)
    assert [str(rule.traffic.peer.value) for rule in wanted] == [kept]


@pytest.mark.parametrize(
    ("there", "names"),
    [
        # The name with a number that `ssh` would get is the one that another key has anyway.
        ([raw("env-ssh")], {"ssh": "env-ssh-3", "ssh-2": "env-ssh-2"}),
        ([raw("env-ssh"), raw("env-ssh-3", "sg-3")], {"ssh": "env-ssh-4", "ssh-2": "env-ssh-2"}),
        # EC2 does not tell small letters from capitals.
        ([raw("env-ssh"), raw("ENV-SSH-3", "sg-3")], {"ssh": "env-ssh-4", "ssh-2": "env-ssh-2"}),
    ],
)
def test_no_two_new_groups_get_the_same_name(there: Any, names: dict[str, str]) -> None:
    entries = {"ssh": {"description": "New"}, "ssh-2": {}}
    observed = observe_groups(Ec2(there), environment(security_groups=entries))  # type: ignore[arg-type]
    assert {at.key: found.new_name for at, found in observed.items() if found.new_name} == names


def test_names_that_differ_in_capitals_are_the_same() -> None:
    with pytest.raises(SpecError, match="same name in the same VPC as security_group/a"):
        environment(security_groups={"a": {"name": "Web"}, "b": {"name": "web"}})


# One by default and one by its id, or by tags: that it is the same VPC is known from AWS only.
@pytest.mark.parametrize("there", [{}, {"group": as_group(raw("Web"))}])
def test_one_name_is_given_once_in_a_vpc_however_the_spec_names_it(there: dict[str, Any]) -> None:
    one, other = Address("security_group", "a"), Address("security_group", "b")
    spec = environment(security_groups={"a": {"name": "Web"}, "b": {"name": "web", "vpc": "vpc-01234567"}})
    observed = {
        one: ObservedGroup(vpc="vpc-1", new_name="Web", **there),
        other: ObservedGroup(vpc="vpc-1", new_name="web"),
    }
    around = world(spec, observed)
    found = SecurityGroupKind().compare(other, spec.of(SecurityGroup)[other], observed[other], around)
    assert [refusal.message for refusal in found.refusals] == [
        "security_group/a has the same name in the same VPC: Web"
    ]


def test_only_what_has_another_name_in_the_same_vpc_goes_together() -> None:
    entries = {"a": {"name": "x"}, "b": {"name": "x", "vpc": "vpc-01234567"}}
    groups = environment(security_groups=entries).of(SecurityGroup)
    assert list(SecurityGroupKind().check(groups)) == []
