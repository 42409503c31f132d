"""Another role in the profile of running instances: they take it up, and only then the former one goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from local_aws import Rule, roles_in_use
from tests.support.cloud import Cloud
from tests.support.program import Program
from tests.support.specs import IMAGE, ROLES_ONLY, having, lacking

# Each starts a program or several: minutes in all.
pytestmark = pytest.mark.long

BOX = "i-0123456789abcdef0"
BEFORE = having(
    ROLES_ONLY,
    fleets={
        "worker": {"count": 3, "image": IMAGE, "instance_type": "t3.micro", "instance_profile": "worker"}
    },
    attachments={"box": {"instance_profile": "worker", "instances": [BOX]}},
)
AFTER = having(lacking(BEFORE, "roles.worker"), roles__other={}, instance_profiles__worker__role="other")
MARK = "provisioner:swapped"


@pytest.fixture
def applied(program: Program, cloud: Cloud) -> Program:
    cloud.stranger(BOX)
    assert program.apply(BEFORE).code == 0
    cloud.forget_calls()
    return program


def test_the_members_take_up_the_role_before_the_former_one_goes(applied: Program, cloud: Cloud) -> None:
    before = {instance: cloud.association(instance) for instance in [*cloud.ids("probe"), BOX]}
    planned = applied.plan(AFTER)
    (change,) = [
        change
        for change in planned.changes
        if change["fields"] and change["fields"][0]["path"] == "credentials"
    ]
    assert set(change["instances"]) == before.keys()
    assert "re-associate 4 running instances" in change["reason"]

    former = cloud.role_id("probe-worker")
    assert roles_in_use(cloud.server) == dict.fromkeys(before, former)

    done = applied.apply(AFTER)
    assert done.code == 0, done.said
    assert roles_in_use(cloud.server) == dict.fromkeys(before, cloud.role_id("probe-other"))
    writes = cloud.writes()
    added = writes.index("AddRoleToInstanceProfile")
    associated = [at for at, name in enumerate(writes) if name == "AssociateIamInstanceProfile"]
    assert len(associated) == 4
    assert added < min(associated)
    assert max(associated) < writes.index("DeleteRole")
    assert all(cloud.association(instance) != old for instance, old in before.items())
    assert cloud.roles() == ["probe-other"]
    assert MARK not in cloud.picture_of_profile("probe-worker")["Tags"]
    assert applied.plan(AFTER).told == set()


def test_a_stopped_member_is_left_alone(applied: Program, cloud: Cloud) -> None:
    spec = having(BEFORE, fleets__worker__power="stopped")
    assert applied.apply(spec).code == 0
    assert applied.apply(having(AFTER, fleets__worker__power="stopped")).code == 0
    assert cloud.writes().count("AssociateIamInstanceProfile") == 1  # the attached one


INTERRUPTIONS: dict[str, Callable[[Cloud], None]] = {
    "EC2 refuses to take the profile off": lambda cloud: cloud.break_with(
        Rule("error", "DisassociateIamInstanceProfile", nth=(2,), code="UnauthorizedOperation", status=403)
    ),
    "EC2 refuses to bind it again": lambda cloud: cloud.break_with(
        Rule("error", "AssociateIamInstanceProfile", nth=(2,), code="UnauthorizedOperation", status=403)
    ),
    "IAM refuses to take the mark off": lambda cloud: cloud.break_with(
        Rule("error", "UntagInstanceProfile", code="AccessDenied", status=403)
    ),
}


@pytest.mark.parametrize("what", INTERRUPTIONS)
def test_what_was_begun_is_finished_by_the_next_apply(what: str, applied: Program, cloud: Cloud) -> None:
    INTERRUPTIONS[what](cloud)
    former = cloud.role_id("probe-worker")
    failed = applied.apply(AFTER)
    assert failed.code == 1
    assert "role/worker" in failed.became("skipped"), "the former role is not deleted yet"
    assert cloud.roles() == ["probe-other", "probe-worker"]
    cloud.mend()
    cloud.forget_calls()
    assert applied.apply(AFTER).code == 0
    assert cloud.operations().count("AssociateIamInstanceProfile") >= 1
    assert {cloud.profile_on(instance) for instance in [*cloud.ids("probe"), BOX]} == {"probe-worker"}
    assert cloud.roles() == ["probe-other"]
    assert former not in roles_in_use(cloud.server).values()
    assert MARK not in cloud.picture_of_profile("probe-worker")["Tags"]
    assert applied.plan(AFTER).told == set()


def test_the_former_role_stays_while_somebody_elses_instance_may_have_it(
    applied: Program, cloud: Cloud
) -> None:
    theirs = cloud.stranger("i-0fedcba9876543210")
    cloud.ec2.associate_iam_instance_profile(InstanceId=theirs, IamInstanceProfile={"Name": "probe-worker"})
    before = cloud.association(theirs)
    spec: dict[str, Any] = lacking(AFTER, "attachments")
    applied.apply(lacking(BEFORE, "attachments"))
    cloud.ec2.associate_iam_instance_profile(InstanceId=theirs, IamInstanceProfile={"Name": "probe-worker"})
    before = cloud.association(theirs)
    for _ in range(2):
        left = applied.apply(spec)
        assert left.code == 1
        assert left.became("deferred") == ["role/worker"]
        assert theirs in left.words
        assert "up to an hour" in left.words
    assert cloud.association(theirs) == before
    assert cloud.roles() == ["probe-other", "probe-worker"]
    cloud.ec2.disassociate_iam_instance_profile(AssociationId=before)
    assert applied.apply(spec).code == 0
    assert cloud.roles() == ["probe-other"]


def test_the_former_role_stays_while_an_instance_of_another_region_may_have_it(
    applied: Program, cloud: Cloud
) -> None:
    far = Cloud(cloud.server, "us-west-2")
    theirs = far.stranger("i-0fedcba9876543210")
    far.ec2.associate_iam_instance_profile(InstanceId=theirs, IamInstanceProfile={"Name": "probe-worker"})
    before = far.association(theirs)
    left = applied.apply(AFTER)
    assert left.became("deferred") == ["role/worker"]
    assert f"{theirs} in us-west-2" in left.words
    assert far.association(theirs) == before
    assert cloud.roles() == ["probe-other", "probe-worker"]


def test_the_former_role_stays_also_where_it_leaves_the_spec_after_the_exchange(
    applied: Program, cloud: Cloud
) -> None:
    """Who takes the role out has to hear of the exchange, and of who was there then."""
    far = Cloud(cloud.server, "us-west-2")
    theirs = far.stranger("i-0fedcba9876543210")
    far.ec2.associate_iam_instance_profile(InstanceId=theirs, IamInstanceProfile={"Name": "probe-worker"})
    exchanged = having(AFTER, roles__worker=BEFORE["roles"]["worker"])
    assert applied.apply(exchanged).code == 0
    left = applied.apply(AFTER)
    assert left.became("deferred") == ["role/worker"]
    assert f"{theirs} in us-west-2" in left.words
    assert cloud.roles() == ["probe-other", "probe-worker"]
    far.ec2.disassociate_iam_instance_profile(AssociationId=far.association(theirs))
    assert applied.apply(AFTER).code == 0
    assert cloud.roles() == ["probe-other"]


def test_a_profile_that_may_not_be_associated_again_costs_one_instance_its_credentials(
    applied: Program, cloud: Cloud
) -> None:
    """Nothing tells beforehand that it is refused, so one finds out for all."""
    cloud.break_with(Rule("error", "AssociateIamInstanceProfile", code="AccessDenied", status=403))
    assert applied.apply(AFTER).code == 1
    profiles = [cloud.profile_on(instance) for instance in [*cloud.ids("probe"), BOX]]
    assert sorted(map(str, profiles)) == ["None", *["probe-worker"] * 3]


def test_a_role_that_may_not_be_put_in_leaves_the_former_one_in(applied: Program, cloud: Cloud) -> None:
    """As on AWS when iam:PassRole is missing for the new role."""
    cloud.break_with(Rule("error", "AddRoleToInstanceProfile", nth=(1,), code="AccessDenied", status=403))
    failed = applied.apply(AFTER)
    assert failed.code == 1
    assert "AccessDenied" in failed.words
    assert cloud.picture_of_profile("probe-worker")["Roles"] == ["probe-worker"]
    assert "AssociateIamInstanceProfile" not in cloud.operations()
    cloud.mend()
    assert applied.apply(AFTER).code == 0
    assert cloud.picture_of_profile("probe-worker")["Roles"] == ["probe-other"]
    assert applied.plan(AFTER).told == set()


def test_where_iam_shows_a_role_before_the_mark_of_its_exchange_the_next_plan_shows_nothing(
    applied: Program, cloud: Cloud
) -> None:
    """IAM shows for a while that the profile holds no role, as after an apply that was killed: it is marked,
    IAM says that it holds one, and shows the role first and the mark later."""
    named = {"InstanceProfileName": "probe-worker", "RoleName": "probe-worker"}
    cloud.iam.remove_role_from_instance_profile(**named)
    cloud.wait(60.0)
    cloud.break_with(iam_lag_s=5.0)
    cloud.iam.add_role_to_instance_profile(**named)
    ran = applied.apply(BEFORE)
    assert ran.code == 0, ran.said
    cloud.wait(60.0)
    assert applied.plan(BEFORE).told == set()
    assert MARK not in cloud.picture_of_profile("probe-worker")["Tags"]
