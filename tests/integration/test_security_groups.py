"""Security groups of a spec: their rules, the fleets that have them, other names, and when they go."""

from __future__ import annotations

from typing import Any

import pytest

from local_aws import drop_reply
from tests.support.cloud import Cloud, is_reading, tags_of, where
from tests.support.fixtures import OnEvent
from tests.support.program import Program
from tests.support.setting_cases import BARE
from tests.support.specs import IMAGE, having

SPEC: dict[str, Any] = {
    "environment": "probe",
    "region": "us-east-1",
    "security_groups": {
        "ssh": {"ingress": [{"port": 22, "cidr": "my_ip"}, {"port": 5432, "group": "db"}]},
        "db": {
            "ingress": [
                {"port": 5432, "group": "ssh"},
                {"ports": "9000-9010", "protocol": "udp", "cidr": "10.1.2.3/8", "description": "office"},
                {"protocol": "icmp", "type": 8, "cidr": ["10.0.0.0/8", "192.168.0.0/16"]},
                {"protocol": "icmpv6", "cidr": "2001:DB8::/32"},
                {"port": -1, "group": "db"},
                {"protocol": 50, "cidr": "10.0.0.0/8"},
            ],
            "egress": [{"protocol": "all", "cidr": "10.0.0.0/8"}, {"port": 443, "cidr": "::/0"}],
        },
    },
}
FLEET = {"count": 2, "image": IMAGE, "instance_type": "t3.micro", "security_groups": ["ssh"]}
WITH_FLEET = having(SPEC, fleets__worker=FLEET)


def found(cloud: Cloud, name: str) -> dict[str, Any]:
    """The group of this name."""
    (group,) = cloud.ec2.describe_security_groups(Filters=where("group-name", name))["SecurityGroups"]
    return dict(group)


def names(cloud: Cloud) -> set[str]:
    every = cloud.ec2.describe_security_groups()["SecurityGroups"]
    return {group["GroupName"] for group in every} - {"default"}


def rules(cloud: Cloud, name: str, is_egress: bool = False) -> set[tuple[Any, ...]]:
    """The rules of a group: protocol, ports, and where from or to."""
    group = found(cloud, name)["GroupId"]
    shown = cloud.ec2.describe_security_group_rules(Filters=where("group-id", group))["SecurityGroupRules"]
    of_id = {
        one["GroupId"]: one["GroupName"] for one in cloud.ec2.describe_security_groups()["SecurityGroups"]
    }
    return {
        (
            rule["IpProtocol"],
            rule["FromPort"],
            rule["ToPort"],
            rule.get("CidrIpv4")
            or rule.get("CidrIpv6")
            or rule.get("PrefixListId")
            or of_id[rule["ReferencedGroupInfo"]["GroupId"]],
        )
        for rule in shown
        if rule["IsEgress"] is is_egress
    }


def add(cloud: Cloud, name: str, port: int = 22, block: str = "0.0.0.0/0") -> None:
    """Somebody else opens a port."""
    cloud.ec2.authorize_security_group_ingress(
        GroupId=found(cloud, name)["GroupId"], IpProtocol="tcp", FromPort=port, ToPort=port, CidrIp=block
    )


def applied(program: Program, spec: dict[str, Any], *options: str) -> None:
    """Applies, after which nothing is left to do."""
    ran = program.apply(spec, *options)
    assert ran.code == 0, ran.said
    assert program.plan(spec).told == set()


class Grouped:
    """Looks at the groups of all members after each call that writes."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self.without: list[str] = []
        self.calls: list[str] = []

    def look(self, model: Any, **_: Any) -> None:
        if not is_reading(model.name):
            self.calls.append(model.name)
            self.without += [one["InstanceId"] for one in self._cloud.live() if not one["SecurityGroups"]]


@pytest.fixture
def grouped(cloud: Cloud, on_event: OnEvent) -> Grouped:
    watching = Grouped(cloud)
    on_event("after-call.ec2", watching.look)
    return watching


@pytest.mark.long
def test_groups_that_name_each_other_are_made_with_all_kinds_of_rules(program: Program, cloud: Cloud) -> None:
    applied(program, SPEC)
    assert rules(cloud, "probe-ssh") == {
        ("tcp", 22, 22, "127.0.0.1/32"),
        ("tcp", 5432, 5432, "probe-db"),
    }
    assert rules(cloud, "probe-db") == {
        ("tcp", 5432, 5432, "probe-ssh"),
        ("udp", 9000, 9010, "10.0.0.0/8"),
        ("icmp", 8, -1, "10.0.0.0/8"),
        ("icmp", 8, -1, "192.168.0.0/16"),
        ("icmpv6", -1, -1, "2001:db8::/32"),
        ("tcp", 0, 65535, "probe-db"),
        ("50", -1, -1, "10.0.0.0/8"),
    }
    assert rules(cloud, "probe-ssh", is_egress=True) == {("-1", -1, -1, "0.0.0.0/0")}
    assert rules(cloud, "probe-db", is_egress=True) == {
        ("-1", -1, -1, "10.0.0.0/8"),
        ("tcp", 443, 443, "::/0"),
    }
    tags = tags_of(found(cloud, "probe-ssh"))
    assert tags == {"provisioner:environment": "probe", "provisioner:security_group": "ssh"}
    assert program.status(SPEC)["security_group/ssh"]["id"] == found(cloud, "probe-ssh")["GroupId"]

    # Rules of others go by their ids, and what is missing or said otherwise comes back.
    add(cloud, "probe-ssh")
    group = found(cloud, "probe-db")
    office = [one for one in group["IpPermissions"] if one["IpProtocol"] == "udp"]
    cloud.ec2.revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=office)
    planned = program.plan(SPEC)
    assert planned.told == {
        ("security_group/ssh", "update", "ingress"),
        ("security_group/db", "update", "ingress"),
    }
    assert planned.calls == {"RevokeSecurityGroupIngress": 1, "AuthorizeSecurityGroupIngress": 1}
    assert "tcp 22 from 0.0.0.0/0 sgr-" in planned.out
    applied(program, SPEC)

    # Nothing is left: rules that name each other go first.
    ran = program.destroy(SPEC)
    assert ran.code == 0, ran.said
    assert names(cloud) == set()


@pytest.mark.long
def test_a_fleet_has_groups_of_the_spec_and_others(program: Program, cloud: Cloud) -> None:
    cloud.ec2.create_security_group(GroupName="ssh", Description="of others, whose name is a key here")
    spec = having(WITH_FLEET, fleets__worker__security_groups=["ssh", "default"])
    applied(program, spec)
    groups = {group["GroupName"] for one in cloud.live() for group in one["SecurityGroups"]}
    assert groups == {"probe-ssh", "default"}
    fewer = having(spec, fleets__worker__security_groups=["db"])
    assert program.plan(fewer).told == {("fleet/worker", "update", "security_groups")}
    applied(program, fewer)
    ran = program.destroy(fewer)
    assert ran.code == 0, ran.said
    assert names(cloud) == {"ssh"}


def test_a_key_that_is_none_is_told_with_those_that_are(program: Program, cloud: Cloud) -> None:
    ran = program.plan(having(WITH_FLEET, fleets__worker__security_groups=["shh"]))
    assert ran.code == 1
    assert "there is no security group shh" in ran.words
    assert "there are db, default, ssh" in ran.words


@pytest.mark.long
def test_another_name_moves_six_members_while_they_run(
    program: Program, cloud: Cloud, grouped: Grouped
) -> None:
    spec = having(WITH_FLEET, fleets__worker__count=6)
    applied(program, spec)
    members = cloud.ids()
    grouped.calls.clear()
    renamed = having(spec, security_groups__ssh__name="access")
    applied(program, renamed)
    assert grouped.without == []
    assert cloud.ids() == members
    assert {group["GroupName"] for one in cloud.live() for group in one["SecurityGroups"]} == {"access"}
    # Nothing was stopped, started, launched or terminated.
    assert set(grouped.calls) == {
        "CreateSecurityGroup",
        "AuthorizeSecurityGroupIngress",
        "ModifyInstanceAttribute",
        "RevokeSecurityGroupIngress",
        "DeleteSecurityGroup",
    }
    assert grouped.calls.count("ModifyInstanceAttribute") == 6
    # The database lets the new group in before anybody has it, and the former one until nobody has it.
    moved = [number for number, call in enumerate(grouped.calls) if call == "ModifyInstanceAttribute"]
    assert "AuthorizeSecurityGroupIngress" not in grouped.calls[moved[0] :]
    assert grouped.calls.index("RevokeSecurityGroupIngress") > moved[-1]
    assert names(cloud) == {"access", "probe-db"}

    # The database stays, and lets both in: nobody is cut off, so nothing is said.
    assert "do not reach each other" not in program.plan(spec).out
    # By a rule of a group that names itself they are, while they are moved.
    named = having(renamed, security_groups__ssh__ingress=[{"port": 1, "group": "ssh"}])
    moved_again = having(named, security_groups__ssh__name="other")
    assert "do not reach each other by tcp 1 from security_group/ssh" in program.plan(moved_again).words

    # So does another description, under a name with a number; and back again.
    described = having(spec, security_groups__ssh__description="Who may log in")
    for now, name in (
        (described, "probe-ssh"),
        (having(described, security_groups__ssh__description="Others"), "probe-ssh-2"),
    ):
        applied(program, now)
        assert names(cloud) == {name, "probe-db"}
    assert cloud.ids() == members
    assert grouped.without == []


def test_a_description_alone_cannot_change_under_a_name_that_the_spec_says(
    program: Program, cloud: Cloud
) -> None:
    spec = having(SPEC, security_groups__ssh__name="access", security_groups__ssh__description="Old")
    applied(program, spec)
    ran = program.plan(having(spec, security_groups__ssh__description="New"))
    assert ran.code == 4
    assert "EC2 cannot change the description of a group" in ran.words
    assert "take `name:` out" in ran.words


class TestUsedByOthers:
    def test_a_group_that_others_have_stays_and_says_who(self, program: Program, cloud: Cloud) -> None:
        applied(program, WITH_FLEET)
        group = found(cloud, "probe-ssh")["GroupId"]
        image = cloud.live()[0]["ImageId"]
        launched = cloud.ec2.run_instances(
            ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, SecurityGroupIds=[group]
        )
        foreign = launched["Instances"][0]["InstanceId"]
        other = cloud.ec2.create_security_group(GroupName="theirs", Description="of others")["GroupId"]
        pair = [{"GroupId": found(cloud, "probe-db")["GroupId"]}]
        cloud.ec2.authorize_security_group_ingress(
            GroupId=other, IpPermissions=[{"IpProtocol": "-1", "UserIdGroupPairs": pair}]
        )
        ran = program.destroy(WITH_FLEET)
        assert ran.code == 1
        assert f"{foreign}, not of this environment, has it" in ran.words
        assert f"rules of {other} (theirs), not of this environment, name it" in ran.words
        assert names(cloud) == {"probe-ssh", "probe-db", "theirs"}
        assert cloud.ids() == [foreign]

        cloud.ec2.terminate_instances(InstanceIds=[foreign])
        cloud.ec2.delete_security_group(GroupId=other)
        ran = program.destroy(WITH_FLEET)
        assert ran.code == 0, ran.said
        assert names(cloud) == set()

    @pytest.mark.long
    def test_who_comes_meanwhile_is_told_too(self, program: Program, cloud: Cloud, on_event: OnEvent) -> None:
        applied(program, SPEC)
        group = found(cloud, "probe-ssh")["GroupId"]
        subnet = cloud.ec2.describe_subnets()["Subnets"][0]["SubnetId"]

        def comes(params: dict[str, Any], **_: Any) -> None:
            is_new = not cloud.ec2.describe_network_interfaces()["NetworkInterfaces"]
            if params["body"]["GroupId"] == group and is_new:
                cloud.ec2.create_network_interface(SubnetId=subnet, Groups=[group], Description="theirs")

        on_event("before-call.ec2.DeleteSecurityGroup", comes)
        ran = program.destroy(SPEC)
        assert ran.code == 1
        assert "(theirs)" in ran.words
        assert "take the group off, then apply again" in ran.words

    @pytest.mark.parametrize("what", ["is kept", "is somebody's"])
    @pytest.mark.sampled
    def test_what_must_not_go_by_now_keeps_the_rules_that_name_it(
        self, what: str, program: Program, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        applied(program, SPEC)
        groups = [found(cloud, name)["GroupId"] for name in ("probe-ssh", "probe-db")]
        before = rules(cloud, "probe-ssh"), rules(cloud, "probe-db")
        subnet = cloud.ec2.describe_subnets()["Subnets"][0]["SubnetId"]

        def meanwhile(*_: Any, **__: Any) -> None:
            if what == "is kept":
                cloud.ec2.create_tags(Resources=groups, Tags=[{"Key": "provisioner:keep", "Value": "x"}])
            else:
                cloud.ec2.create_network_interface(SubnetId=subnet, Groups=groups, Description="theirs")

        monkeypatch.setattr("provisioner.cli.change.show_plan", meanwhile)
        assert program.destroy(SPEC).code != 0
        assert names(cloud) == {"probe-ssh", "probe-db"}
        assert (rules(cloud, "probe-ssh"), rules(cloud, "probe-db")) == before

    def test_a_name_that_others_have_is_not_taken_over(self, program: Program, cloud: Cloud) -> None:
        cloud.ec2.create_security_group(GroupName="probe-ssh", Description="of others")
        ran = program.apply(SPEC)
        assert ran.code == 1
        assert "group probe-ssh exists already" in ran.words
        assert names(cloud) == {"probe-ssh"}


@pytest.mark.long
def test_sixty_rules_are_exchanged_for_sixty_others(program: Program, cloud: Cloud) -> None:
    def spec(first: int) -> dict[str, Any]:
        ingress = [{"port": 22, "cidr": f"10.{first + number}.0.0/16"} for number in range(60)]
        return having(BARE, fleets__worker__count=0, security_groups__many={"ingress": ingress})

    applied(program, spec(0))
    # There is no room for one more, so those that go are revoked first.
    applied(program, spec(100))
    assert len(rules(cloud, "probe-many")) == 60
    more = {"port": 23, "cidr": "10.0.0.0/8"}
    over = having(
        spec(100), security_groups__many__ingress=[*spec(100)["security_groups"]["many"]["ingress"], more]
    )
    ran = program.apply(over)
    assert ran.code == 1
    assert "a group takes 60 rules each way" in ran.words
    # What does not fit in the place of the others either leaves them.
    before = rules(cloud, "probe-many")
    over["security_groups"]["many"]["ingress"] = [*spec(10)["security_groups"]["many"]["ingress"], more]
    ran = program.apply(over)
    assert ran.code == 1
    assert "a group takes 60 rules each way" in ran.words
    assert rules(cloud, "probe-many") == before


def test_a_prefix_list_is_a_source(program: Program, cloud: Cloud) -> None:
    listed = cloud.ec2.create_managed_prefix_list(
        PrefixListName="offices", MaxEntries=5, AddressFamily="IPv4", Entries=[{"Cidr": "10.0.0.0/8"}]
    )["PrefixList"]["PrefixListId"]
    rule = {"port": 22, "prefix_list": listed, "description": "offices"}
    spec = having(SPEC, security_groups__ssh__ingress=[rule])
    applied(program, spec)
    assert rules(cloud, "probe-ssh") == {("tcp", 22, 22, listed)}
    applied(program, having(SPEC, security_groups__ssh__ingress=[{**rule, "description": "all of them"}]))


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ({"group_id": "sg-0123456789abcdef0"}, "there is no security group sg-0123456789abcdef0"),
        ({"prefix_list": "pl-0123456789abcdef0"}, "there is no prefix list pl-0123456789abcdef0"),
    ],
)
def test_what_a_rule_names_and_ec2_does_not_have_is_told_first(
    program: Program, cloud: Cloud, source: dict[str, Any], told: str
) -> None:
    ran = program.apply(having(SPEC, security_groups__ssh__ingress=[{"port": 22, **source}]))
    assert ran.code == 1
    assert told in ran.words
    assert names(cloud) == set()


@pytest.mark.long
def test_my_ip_stays_until_it_is_refreshed(
    program: Program, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROVISIONER_MY_IP", "203.0.113.7")
    applied(program, SPEC)
    monkeypatch.setenv("PROVISIONER_MY_IP", "2001:db8::7")
    assert program.plan(SPEC).told == set()
    assert program.plan(SPEC, "--refresh-my-ip").told == {("security_group/ssh", "update", "ingress")}
    applied(program, SPEC, "--refresh-my-ip")
    assert ("tcp", 22, 22, "2001:db8::7/128") in rules(cloud, "probe-ssh")
    monkeypatch.setenv("PROVISIONER_MY_IP", "nowhere")
    assert program.plan(SPEC).told == set()
    ran = program.plan(SPEC, "--refresh-my-ip")
    assert ran.code == 1
    assert "PROVISIONER_MY_IP is 'nowhere', which is no address" in ran.words


@pytest.mark.parametrize(
    "operation", ["CreateSecurityGroup", "AuthorizeSecurityGroupIngress", "DeleteSecurityGroup"]
)
@pytest.mark.sampled
def test_a_lost_reply_makes_nothing_twice(program: Program, cloud: Cloud, operation: str) -> None:
    cloud.break_with(drop_reply(operation, nth=1))
    applied(program, SPEC)
    ran = program.destroy(SPEC)
    assert ran.code == 0, ran.said
    assert names(cloud) == set()


@pytest.mark.long
def test_interfaces_that_linger_are_waited_for(program: Program, cloud: Cloud) -> None:
    applied(program, WITH_FLEET)
    cloud.break_with(terminate_s=1.0)
    ran = program.destroy(WITH_FLEET)
    assert ran.code == 0, ran.said
    assert names(cloud) == set()


@pytest.mark.long
def test_another_vpc_is_refused_for_members_that_stay(program: Program, cloud: Cloud) -> None:
    applied(program, WITH_FLEET)
    vpc = cloud.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    cloud.ec2.create_tags(Resources=[vpc], Tags=[{"Key": "Name", "Value": "other"}])
    moved = having(WITH_FLEET, security_groups__ssh__vpc={"tags": {"Name": "other"}})
    moved = having(moved, security_groups__db__vpc=vpc)
    ran = program.plan(moved)
    assert ran.code == 1
    assert "no member moves to another VPC" in ran.words
    del moved["fleets"]
    ran = program.apply(moved)
    assert ran.code == 0, ran.said
    assert {found(cloud, name)["VpcId"] for name in names(cloud)} == {vpc}


def test_what_is_kept_is_not_deleted(program: Program, cloud: Cloud) -> None:
    kept = having(SPEC, security_groups__ssh__keep=True)
    applied(program, kept)
    ran = program.destroy(kept)
    assert ran.code == 4
    assert "and is kept" in ran.words
    applied(program, having(SPEC, security_groups__ssh__keep=False))
    assert program.destroy(SPEC).code == 0


def test_a_group_that_others_use_is_left_and_said_to_be(program: Program, cloud: Cloud) -> None:
    applied(program, SPEC)
    group = found(cloud, "probe-ssh")["GroupId"]
    subnet = cloud.ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    cloud.ec2.create_network_interface(SubnetId=subnet, Groups=[group], Description="theirs")
    spec = program.write(SPEC)
    ran = program.run("destroy", "--yes", spec)
    assert ran.code == 1
    assert "Take the group off them, then run `provisioner destroy " in ran.words
    assert "left as it was" in ran.words
    assert "Left of probe:" in ran.words
