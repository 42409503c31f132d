"""Whatever is changed behind the program's back is named by the next plan and put right by the next apply.

An apply of a plan that was approved before is refused, and names it too.

A row of a table says what somebody did by hand, and all that a plan then has to say: address, action, field.
After apply, everything of the environment has to look as it did before, seen with nothing of the program's.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pytest

import local_aws
from provisioner.model import Plan
from provisioner.render.as_json import plan_data
from tests.support.cloud import (
    ACCOUNT,
    ANYTHING,
    AWS_POLICY,
    EC2_TRUST,
    Cloud,
    ExternalChange,
    as_list,
    where,
)
from tests.support.program import Program, Spec
from tests.support.specs import ATTACHING, PROBE, ROLES_ONLY, having

NAME = "probe-worker"
PROFILE_PATH = "/provisioner/probe/"
ROLE, PROFILE, FLEET = "role/worker", "instance_profile/worker", "fleet/worker"
OWNER_TAGS = {"provisioner:environment": "probe", "provisioner:region": "us-east-1"}


@dataclass(frozen=True)
class Drift:
    """`named` is all that the plan has to show, each as address, action and field."""

    name: str
    change: ExternalChange
    named: tuple[tuple[str, str, str], ...]
    spec: dict[str, Any]


def drift(
    name: str, change: ExternalChange, *named: tuple[str, str, str], spec: dict[str, Any] = PROBE
) -> Drift:
    return Drift(name, change, named, spec)


def each_named(rows: Iterable[Drift]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("drift", rows, ids=lambda row: row.name)


def named_and_put_right(program: Program, cloud: Cloud, spec: Spec, row: Drift) -> None:
    before = cloud.picture("probe")
    approved = program.write(plan_data(Plan("probe", "us-east-1", ACCOUNT)))
    row.change(cloud)
    cloud.forget_calls()
    refused = program.run("apply", program.write(spec), "--expect", approved)
    assert refused.code == 4
    for address, action, field in row.named:
        assert f"+ {action} {address}: is not in the approved plan" in refused.words
        assert field in refused.out.partition("Differences")[2]
    planned = program.plan(spec, "--detailed-exitcode")
    assert planned.code == 2
    # Something new tells all that it is made with.
    made = {(address, action) for address, action, _ in row.named if action == "create"}
    assert set(row.named) <= planned.told
    assert {difference for difference in planned.told - set(row.named) if difference[:2] not in made} == set()
    assert cloud.writes() == []

    applied = program.apply(spec, "--expect", planned.data["digest"])
    assert applied.code == 0, applied.said
    assert cloud.picture("probe") == before
    assert program.plan(spec).told == set()


# --- roles

IN_A_ROLE = having(ROLES_ONLY, roles__worker=PROBE["roles"]["worker"])


def of_the_role(method: str, **params: Any) -> ExternalChange:
    return lambda cloud: getattr(cloud.iam, method)(RoleName=NAME, **params)


def in_the_role(name: str, change: ExternalChange, *fields: str) -> Drift:
    return drift(name, change, *((ROLE, "update", field) for field in fields), spec=IN_A_ROLE)


def boundary(cloud: Cloud, name: str | None) -> object:
    cloud.iam.delete_role_permissions_boundary(RoleName=NAME)
    return name and cloud.iam.put_role_permissions_boundary(
        RoleName=NAME, PermissionsBoundary=AWS_POLICY + name
    )


ROLES = (
    in_the_role(
        "a policy was detached",
        of_the_role("detach_role_policy", PolicyArn=AWS_POLICY + "AmazonS3ReadOnlyAccess"),
        "managed_policies",
    ),
    in_the_role(
        "a foreign policy was attached",
        of_the_role("attach_role_policy", PolicyArn=AWS_POLICY + "AdministratorAccess"),
        "managed_policies",
    ),
    in_the_role(
        "a policy was exchanged for another",
        lambda cloud: (
            cloud.iam.detach_role_policy(RoleName=NAME, PolicyArn=AWS_POLICY + "AmazonS3ReadOnlyAccess"),
            cloud.iam.attach_role_policy(RoleName=NAME, PolicyArn=AWS_POLICY + "AmazonS3FullAccess"),
        ),
        "managed_policies",
    ),
    in_the_role(
        "an inline policy was added",
        of_the_role("put_role_policy", PolicyName="all", PolicyDocument=json.dumps(ANYTHING)),
        "inline_policies.all",
    ),
    in_the_role(
        "an inline policy was changed",
        of_the_role("put_role_policy", PolicyName="write", PolicyDocument=json.dumps(ANYTHING)),
        "inline_policies.write",
    ),
    in_the_role(
        "an inline policy was removed",
        of_the_role("delete_role_policy", PolicyName="write"),
        "inline_policies.write",
    ),
    in_the_role(
        "the trust policy was edited",
        of_the_role(
            "update_assume_role_policy",
            PolicyDocument=json.dumps(EC2_TRUST).replace("ec2.amazonaws.com", "lambda.amazonaws.com"),
        ),
        "trust",
    ),
    in_the_role(
        "the description was changed",
        of_the_role("update_role", Description="Plays", MaxSessionDuration=7200),
        "description",
    ),
    in_the_role(
        "the session duration was changed",
        of_the_role("update_role", Description="Works", MaxSessionDuration=3600),
        "max_session_duration",
    ),
    in_the_role(
        "another boundary was set",
        lambda cloud: boundary(cloud, "ReadOnlyAccess"),
        "permissions_boundary",
    ),
    in_the_role(
        "the boundary was removed",
        lambda cloud: boundary(cloud, None),
        "permissions_boundary",
    ),
    in_the_role(
        "a tag of the role was removed",
        of_the_role("untag_role", TagKeys=["team"]),
        "tags.team",
    ),
    in_the_role(
        "a tag of the role was changed",
        of_the_role("tag_role", Tags=as_list({"team": "other"})),
        "tags.team",
    ),
    in_the_role(
        "a tag was put on the role",
        of_the_role("tag_role", Tags=as_list({"hello": "world"})),
        "tags.hello",
    ),
    in_the_role(
        "the role's tag of ownership was removed",
        of_the_role("untag_role", TagKeys=["provisioner:environment"]),
        "tags.provisioner:environment",
    ),
    in_the_role(
        "everything was changed at once",
        lambda cloud: (
            boundary(cloud, None),
            cloud.iam.put_role_policy(RoleName=NAME, PolicyName="write", PolicyDocument=json.dumps(ANYTHING)),
            cloud.iam.attach_role_policy(RoleName=NAME, PolicyArn=AWS_POLICY + "AdministratorAccess"),
            cloud.iam.update_role(RoleName=NAME, Description="Plays", MaxSessionDuration=3600),
            cloud.iam.tag_role(RoleName=NAME, Tags=as_list({"team": "other", "hello": "world"})),
        ),
        "permissions_boundary",
        "inline_policies.write",
        "managed_policies",
        "description",
        "max_session_duration",
        "tags.team",
        "tags.hello",
    ),
)


@each_named(ROLES)
@pytest.mark.sampled
def test_of_a_role_is_named_and_put_right(drift: Drift, program: Program, cloud: Cloud) -> None:
    program.apply(drift.spec)
    named_and_put_right(program, cloud, drift.spec, drift)


def test_of_a_role_that_was_deleted_is_named_and_put_right(program: Program, cloud: Cloud) -> None:
    program.apply(ROLES_ONLY)

    def change(cloud: Cloud) -> None:
        cloud.iam.remove_role_from_instance_profile(InstanceProfileName=NAME, RoleName=NAME)
        cloud.iam.delete_role(RoleName=NAME)

    row = drift(
        "deleted",
        change,
        (ROLE, "create", "trust"),
        (PROFILE, "update", "role"),
    )
    named_and_put_right(program, cloud, ROLES_ONLY, row)


@pytest.mark.parametrize(
    ("written", "also"),
    [
        ({"Action": "s3:PutObject"}, {"Action": ["s3:PutObject"]}),
        ({"Action": ["s3:Put*", "s3:Get*"]}, {"Action": ["s3:Get*", "s3:Put*"]}),
        (
            {"Condition": {"Bool": {"aws:SecureTransport": True}}},
            {"Condition": {"Bool": {"aws:SecureTransport": ["true"]}}},
        ),
    ],
    ids=["one or a list of one", "order", "a boolean or its string"],
)
def test_is_no_drift_when_a_policy_is_written_otherwise_and_means_the_same(
    written: dict[str, Any], also: dict[str, Any], program: Program, cloud: Cloud
) -> None:
    def document(part: dict[str, Any]) -> dict[str, Any]:
        statement = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*", **part}
        return {"Version": "2012-10-17", "Statement": [statement]}

    spec = having(ROLES_ONLY, roles__worker={"inline_policies": {"write": document(written)}})
    program.apply(spec)
    other = json.dumps({"Statement": document(also)["Statement"][0], "Version": "2012-10-17"}, indent=3)
    cloud.iam.put_role_policy(RoleName=NAME, PolicyName="write", PolicyDocument=other)
    assert not program.plan(spec).changes


# --- instance profiles


def remake_profile(cloud: Cloud, tags: dict[str, str], role: str | None = NAME) -> None:
    cloud.drop_profile(NAME)
    cloud.make_profile(NAME, role, PROFILE_PATH, Tags=as_list(tags))


REBOUND = (FLEET, "update", "instance_profile")
PROFILES = (
    drift(
        "the profile's role was removed",
        lambda cloud: cloud.iam.remove_role_from_instance_profile(InstanceProfileName=NAME, RoleName=NAME),
        (PROFILE, "update", "role"),
        (PROFILE, "update", "credentials"),
    ),
    drift(
        "the profile's role was exchanged for another",
        lambda cloud: (
            cloud.make_role("somebody-elses"),
            cloud.iam.remove_role_from_instance_profile(InstanceProfileName=NAME, RoleName=NAME),
            cloud.iam.add_role_to_instance_profile(InstanceProfileName=NAME, RoleName="somebody-elses"),
        ),
        (PROFILE, "update", "role"),
        (PROFILE, "update", "credentials"),
    ),
    drift(
        "a tag of the profile was removed",
        lambda cloud: cloud.iam.untag_instance_profile(InstanceProfileName=NAME, TagKeys=["team"]),
        (PROFILE, "update", "tags.team"),
    ),
    drift(
        "the profile's tag of ownership was removed",
        lambda cloud: cloud.iam.untag_instance_profile(
            InstanceProfileName=NAME, TagKeys=["provisioner:environment"]
        ),
        (PROFILE, "update", "tags.provisioner:environment"),
    ),
    drift(
        "a tag was put on the profile",
        lambda cloud: cloud.iam.tag_instance_profile(
            InstanceProfileName=NAME, Tags=as_list({"hello": "world"})
        ),
        (PROFILE, "update", "tags.hello"),
    ),
    drift(
        "the profile was deleted",
        lambda cloud: cloud.drop_profile(NAME),
        (PROFILE, "create", "role"),
        REBOUND,
    ),
    drift(
        "the profile was deleted and made again",
        lambda cloud: remake_profile(cloud, {"team": "data", **OWNER_TAGS}),
        REBOUND,
    ),
    drift(
        "the profile was deleted and made again without tags",
        lambda cloud: remake_profile(cloud, {}),
        (PROFILE, "update", "tags.team"),
        (PROFILE, "update", "tags.provisioner:environment"),
        (PROFILE, "update", "tags.provisioner:region"),
        REBOUND,
    ),
    drift(
        "the profile was deleted and made again without its role",
        lambda cloud: remake_profile(cloud, {"team": "data", **OWNER_TAGS}, role=None),
        (PROFILE, "update", "role"),
        REBOUND,
    ),
)


@each_named(PROFILES)
@pytest.mark.sampled
def test_of_an_instance_profile_is_named_and_put_right(drift: Drift, program: Program, cloud: Cloud) -> None:
    program.apply(drift.spec)
    named_and_put_right(program, cloud, drift.spec, drift)


# --- members of a fleet


def one(cloud: Cloud) -> str:
    return cloud.ids("probe")[0]


def of_a_member(method: str, **params: Any) -> ExternalChange:
    return lambda cloud: getattr(cloud.ec2, method)(InstanceId=one(cloud), **params)


def on_a_member(name: str, change: ExternalChange, *fields: str) -> Drift:
    return drift(name, change, *((FLEET, "update", field) for field in fields))


def swap_profile(cloud: Cloud) -> None:
    cloud.make_role("other")
    cloud.make_profile("other", "other")
    cloud.ec2.replace_iam_instance_profile_association(
        AssociationId=cloud.association(one(cloud)), IamInstanceProfile={"Name": "other"}
    )


def remove_profile(cloud: Cloud) -> None:
    cloud.ec2.disassociate_iam_instance_profile(AssociationId=cloud.association(one(cloud)))


def other_groups(cloud: Cloud) -> None:
    vpc = cloud.instance(one(cloud))["VpcId"]
    group = cloud.ec2.create_security_group(GroupName="other", Description="other", VpcId=vpc)["GroupId"]
    cloud.ec2.modify_instance_attribute(InstanceId=one(cloud), Groups=[group])


def tag(**tags: str) -> ExternalChange:
    return lambda cloud: cloud.ec2.create_tags(Resources=[one(cloud)], Tags=as_list(tags))


def untag(key: str) -> ExternalChange:
    return lambda cloud: cloud.ec2.delete_tags(Resources=[one(cloud)], Tags=[{"Key": key}])


LAUNCHED_AGAIN = tuple(
    (FLEET, "create", field) for field in ("count", "instance_type", "image", "instance_profile", "spread")
)
MEMBERS = (
    on_a_member("a tag of a member was changed", tag(team="other"), "tags.team"),
    on_a_member("a tag was put on a member", tag(hello="world"), "tags.hello"),
    on_a_member("a tag of a member was removed", untag("team"), "tags.team"),
    on_a_member("the name of a member was changed", tag(Name="other"), "name"),
    on_a_member("the name of a member was removed", untag("Name"), "name"),
    on_a_member(
        "two members were tagged in different ways",
        lambda cloud: [
            cloud.ec2.create_tags(Resources=[instance], Tags=as_list({"team": f"team-{instance}"}))
            for instance in cloud.ids("probe")
        ],
        "tags.team",
    ),
    drift(
        "a member was terminated",
        lambda cloud: cloud.ec2.terminate_instances(InstanceIds=[one(cloud)]),
        *LAUNCHED_AGAIN,
    ),
    drift(
        "all members were terminated",
        lambda cloud: cloud.ec2.terminate_instances(InstanceIds=cloud.ids("probe")),
        *LAUNCHED_AGAIN,
    ),
    on_a_member("a member's profile was swapped", swap_profile, "instance_profile"),
    on_a_member("a member's profile was removed", remove_profile, "instance_profile"),
    on_a_member("the security groups of a member were changed", other_groups, "security_groups"),
    on_a_member(
        "version 1 of the metadata service was let in",
        of_a_member("modify_instance_metadata_options", HttpTokens="optional"),
        "metadata.http_tokens",
    ),
    on_a_member(
        "the metadata service was switched off",
        of_a_member("modify_instance_metadata_options", HttpEndpoint="disabled"),
        "metadata.http_endpoint",
    ),
    on_a_member(
        "all metadata options were changed",
        of_a_member(
            "modify_instance_metadata_options",
            HttpTokens="optional",
            HttpEndpoint="disabled",
            HttpPutResponseHopLimit=5,
            InstanceMetadataTags="enabled",
        ),
        "metadata.http_tokens",
        "metadata.http_endpoint",
        "metadata.hop_limit",
        "metadata.instance_tags",
    ),
    on_a_member(
        "detailed monitoring was switched on",
        lambda cloud: cloud.ec2.monitor_instances(InstanceIds=[one(cloud)]),
        "monitoring",
    ),
)


@each_named(MEMBERS)
@pytest.mark.sampled
def test_of_a_member_is_named_and_put_right(drift: Drift, program: Program, cloud: Cloud) -> None:
    program.apply(drift.spec)
    named_and_put_right(program, cloud, drift.spec, drift)


def stop(cloud: Cloud) -> None:
    cloud.ec2.stop_instances(InstanceIds=[one(cloud)])


def in_order(*changes: ExternalChange) -> ExternalChange:
    return lambda cloud: [change(cloud) for change in changes]


def on_a_stopped_member(name: str, change: ExternalChange, *fields: str) -> Drift:
    """It is started again, whatever else was done to it."""
    return on_a_member(name, change, "power", *fields)


STOPPED = (
    on_a_stopped_member("a member was stopped", stop),
    # Only the association of a running instance can be replaced.
    on_a_stopped_member(
        "a member's profile was swapped, and the member stopped",
        in_order(swap_profile, stop),
        "instance_profile",
    ),
    on_a_stopped_member(
        "a stopped member's profile was removed", in_order(stop, remove_profile), "instance_profile"
    ),
    on_a_stopped_member(
        "the profile of a stopped member was deleted and made again",
        in_order(stop, lambda cloud: remake_profile(cloud, {"team": "data", **OWNER_TAGS})),
        "instance_profile",
    ),
    on_a_stopped_member(
        "a tag of a stopped member was changed", in_order(stop, tag(team="other")), "tags.team"
    ),
    on_a_stopped_member(
        "the security groups of a stopped member were changed",
        in_order(stop, other_groups),
        "security_groups",
    ),
)


@each_named(STOPPED)
@pytest.mark.sampled
def test_of_a_stopped_member_is_named_and_put_right(drift: Drift, program: Program, cloud: Cloud) -> None:
    program.apply(drift.spec)
    before = cloud.ids("probe")
    named_and_put_right(program, cloud, drift.spec, drift)
    assert cloud.ids("probe") == before


def test_of_members_that_were_all_stopped_is_put_right_though_none_may_be_unavailable(
    program: Program, cloud: Cloud
) -> None:
    """Starting takes nobody down, so that all are started at once."""
    program.apply(PROBE)
    before = cloud.picture("probe")
    cloud.break_with(stop_s=0.1, boot_s=0.1)
    cloud.ec2.stop_instances(InstanceIds=cloud.ids("probe"))
    assert {cloud.state(instance) for instance in cloud.ids("probe")} <= {"stopping", "stopped"}
    assert program.plan(PROBE).told == {(FLEET, "update", "power")}
    cloud.forget_calls()
    assert program.apply(PROBE).code == 0
    assert cloud.writes() == ["StartInstances"]
    assert cloud.picture("probe") == before
    assert program.plan(PROBE).told == set()


def test_of_a_member_that_was_stopped_is_shown_by_status(program: Program, cloud: Cloud) -> None:
    program.apply(PROBE)
    stop(cloud)
    states = [member["state"] for member in program.status(PROBE)[FLEET]["members"]]
    assert sorted(states) == ["running", "stopped"]


def test_is_told_apart_from_tags_that_are_to_be_ignored(program: Program, cloud: Cloud) -> None:
    spec = having(PROBE, ignore_tags=["CostCenter", "backup:*"])
    program.apply(spec)
    marks = as_list({"CostCenter": "42", "backup:plan": "daily"})
    cloud.ec2.create_tags(Resources=cloud.ids("probe"), Tags=marks)
    cloud.iam.tag_role(RoleName=NAME, Tags=marks)
    cloud.iam.tag_instance_profile(InstanceProfileName=NAME, Tags=marks)
    assert not program.plan(spec).changes
    cloud.ec2.create_tags(Resources=[one(cloud)], Tags=as_list({"team": "other"}))
    assert program.apply(spec).code == 0
    for instance in cloud.live("probe"):
        assert {"Key": "CostCenter", "Value": "42"} in instance["Tags"]


@pytest.mark.parametrize("ignored", ["team", "*", "provisioner:*"])
@pytest.mark.sampled
def test_does_not_show_for_ever_where_ignored_tags_meet_our_own(
    ignored: str, program: Program, cloud: Cloud
) -> None:
    spec = having(PROBE, ignore_tags=[ignored])
    assert program.apply(spec).code == 0
    assert not program.plan(spec).told


def test_of_the_launch_record_is_not_passed_over_in_silence(program: Program, cloud: Cloud) -> None:
    """Without its record nobody knows what a member was launched with, nor what has become of it since."""
    program.apply(PROBE)
    cloud.ec2.delete_tags(Resources=[one(cloud)], Tags=[{"Key": "provisioner:launch"}])
    plan = program.plan(having(PROBE, fleets__worker__termination_protection=True))
    concerned = {instance for change in plan.changes for instance in change["instances"]}
    assert one(cloud) in concerned or any(one(cloud) in note["message"] for note in plan.data["notes"])


def test_of_an_attached_instance_is_named_and_put_right(program: Program, cloud: Cloud) -> None:
    box = cloud.stranger()
    program.apply(ATTACHING)
    cloud.ec2.disassociate_iam_instance_profile(AssociationId=cloud.association(box))
    assert program.plan(ATTACHING).told == {("attachment/box", "create", "instance_profile")}
    assert program.apply(ATTACHING).code == 0
    assert cloud.profile_on(box) == NAME
    assert not program.plan(ATTACHING).changes


def test_of_the_mark_of_an_attachment_is_named_and_put_right(program: Program, cloud: Cloud) -> None:
    cloud.stranger()
    program.apply(ATTACHING)
    row = drift(
        "mark removed",
        lambda cloud: cloud.iam.untag_instance_profile(
            InstanceProfileName=NAME, TagKeys=["provisioner:attached"]
        ),
        (PROFILE, "update", "tags.provisioner:attached"),
    )
    named_and_put_right(program, cloud, ATTACHING, row)


def test_is_found_where_reading_all_roles_at_once_is_not_allowed(program: Program, cloud: Cloud) -> None:
    cloud.break_with(local_aws.denied("iam:GetAccountAuthorizationDetails"))
    spec = having(IN_A_ROLE, roles__worker__name="Probe-Worker")
    assert program.apply(spec).code == 0
    assert not program.plan(spec).changes
    cloud.iam.detach_role_policy(RoleName="Probe-Worker", PolicyArn=AWS_POLICY + "AmazonS3ReadOnlyAccess")
    assert program.plan(spec).told == {(ROLE, "update", "managed_policies")}


def test_never_touches_instances_that_merely_look_like_ours(program: Program, cloud: Cloud) -> None:
    stranger = cloud.stranger(tags={"Name": NAME, "team": "data", "provisioner:fleet": "worker"})
    before = cloud.picture_of_instance(cloud.instance(stranger))
    program.apply(PROBE)
    assert len(cloud.instances(*where("tag:provisioner:environment", "probe"))) == 2
    program.destroy(PROBE)
    assert cloud.picture_of_instance(cloud.instance(stranger)) == before


def test_a_deep_plan_reads_three_attributes_of_each_member_and_all_volumes(
    program: Program, cloud: Cloud
) -> None:
    program.apply(PROBE)
    plain = Counter(_reads(program, cloud))
    deep = Counter(_reads(program, cloud, "--deep"))
    assert deep - plain == {"DescribeInstanceAttribute": 6, "DescribeVolumes": 1}


def test_what_only_a_deep_plan_sees_is_put_right_by_a_deep_apply(program: Program, cloud: Cloud) -> None:
    program.apply(PROBE)
    odd = cloud.ids("probe")[0]
    cloud.ec2.modify_instance_attribute(InstanceId=odd, DisableApiTermination={"Value": True})
    assert program.plan(PROBE).changes == []
    (change,) = program.plan(PROBE, "--deep").changes
    assert (change["instances"], [field["path"] for field in change["fields"]]) == (
        [odd],
        ["termination_protection"],
    )
    assert program.apply(PROBE, "--deep").code == 0
    assert program.plan(PROBE, "--deep").changes == []
    assert program.destroy(PROBE).code == 0


def _reads(program: Program, cloud: Cloud, *options: str) -> list[str]:
    cloud.forget_calls()
    assert program.plan(PROBE, *options).changes == []
    return list(cloud.operations())
