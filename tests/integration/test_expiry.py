"""`expires` on the local AWS, whose clock is moved: what an environment does before, at and after its end."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.cloud import Cloud, tags_of
from tests.support.program import Program
from tests.support.specs import IMAGE, ROLES_ONLY, having

HOUR = 3600.0
FLEET = {"count": 2, "image": IMAGE, "instance_type": "t3.micro", "instance_profile": "worker"}
ENDING = having(ROLES_ONLY, expires="8h", fleets__worker=FLEET)


def ends(cloud: Cloud) -> set[str | None]:
    """What the tags say, of members and of what outlives them."""
    found = [tags_of(instance) for instance in cloud.live()]
    found += [cloud.picture_of_role(name)["Tags"] for name in cloud.roles()]
    found += [cloud.picture_of_profile(name)["Tags"] for name in cloud.profiles()]
    return {tags.get("provisioner:expires") for tags in found}


def notes(ran: Any) -> str:
    return " ".join(note["message"] for note in ran.data["notes"])


@pytest.mark.long
def test_a_duration_begins_once_and_is_remembered_when_all_members_are_gone(
    program: Program, cloud: Cloud
) -> None:
    assert program.apply(ENDING).code == 0
    (end,) = ends(cloud)
    assert end
    cloud.wait(7 * HOUR)
    planned = program.plan(ENDING)
    assert planned.changes == []
    assert "from" in notes(planned)
    longer = having(ENDING, expires="10h")
    changed = program.plan(longer)
    assert {(path, action) for _, action, path in changed.told} == {
        ("tags.provisioner:expires", "update"),
        ("tags.provisioner:lifetime", "update"),
    }
    cloud.wait(1.5 * HOUR)
    expired = program.plan(ENDING)
    assert expired.code == 0
    assert expired.changes == []
    assert "expired at" in notes(expired)
    assert "provisioner extend" in notes(expired)
    # They have shut themselves down, and EC2 shows a terminated instance for an hour.
    assert {
        (instance["State"]["Name"], instance["StateReason"]["Code"]) for instance in cloud.instances()
    } == {("terminated", "Client.InstanceInitiatedShutdown")}
    for seconds in (1.0, 2 * HOUR):
        cloud.wait(seconds)
        planned = program.plan(ENDING)
        assert planned.changes == []
        assert program.apply(ENDING).code == 0
        assert cloud.ids() == []
        assert "expired at" in notes(planned)
    assert program.run("drift", program.write(ENDING)).code == 0
    without = having(ROLES_ONLY, fleets__worker=FLEET)
    assert program.apply(without).code == 0
    assert len(cloud.ids()) == 2
    assert ends(cloud) == {None}


def test_other_changes_go_on_after_the_end(program: Program, cloud: Cloud) -> None:
    # Launched before there was an end, so that they do not end by themselves.
    assert program.apply(having(ROLES_ONLY, fleets__worker=FLEET)).code == 0
    assert program.apply(ENDING).code == 0
    cloud.wait(9 * HOUR)
    assert len(cloud.ids()) == 2
    fewer = having(ENDING, fleets__worker__count=1, tags={"team": "data"})
    assert program.apply(fewer).code == 0
    assert len(cloud.ids()) == 1
    assert program.plan(fewer).changes == []
    # Nothing is replaced or started: what would take its place would be over at once.
    replaced = having(fewer, fleets__worker__user_data="#!/bin/sh\ntrue\n", fleets__worker__count=3)
    assert program.plan(replaced).changes == []


def test_an_end_that_is_moved_to_the_past_is_told_as_a_destruction(program: Program, cloud: Cloud) -> None:
    assert program.apply(ENDING).code == 0
    past = program.write(having(ENDING, expires="2001-01-01T00:00:00Z"))
    assert "! ENDS 2 running instances within a minute" in program.run("plan", past).words
    assert "Ends 2 running instances within a minute" in program.run("plan", past, "--format", "markdown").out
    ran = program.run("extend", past, "2h", "--fleet", "nope")
    assert (ran.code, "has no fleet nope" in ran.words) == (3, True)
    cloud.wait(9 * HOUR)
    expired = program.status(ENDING)["fleet/worker"]
    assert expired["expires"] is None
    assert "1 h ago; `provisioner destroy" in expired["expired"]


def test_members_from_before_get_the_tag_and_the_settings_while_they_run(
    program: Program, cloud: Cloud
) -> None:
    before = having(ROLES_ONLY, fleets__worker=FLEET)
    assert program.apply(before).code == 0
    ids = cloud.ids()
    later = having(before, expires="2099-11-27T18:00:00+01:00")
    assert "(18:00 +01:00)" in notes(program.plan(later))
    assert program.apply(later).code == 0
    assert program.plan(later).changes == []
    assert ends(cloud) == {"2099-11-27T17:00:00Z"}
    assert cloud.ids() == ids
    for instance in cloud.live():
        assert instance["MetadataOptions"]["InstanceMetadataTags"] == "enabled"
        assert cloud.picture_of_instance(instance)["Shutdown"] == "terminate"
    past = program.plan(having(before, expires="2001-01-01T00:00:00Z"))
    assert "terminated, within a minute of this apply" in notes(past)
    assert "without the boot hook" in notes(past)
    assert program.apply(before).code == 0
    assert ends(cloud) == {None}


def test_a_fleet_has_an_end_of_its_own(program: Program, cloud: Cloud) -> None:
    spec = having(ENDING, fleets__worker__expires="2h", fleets__other={**FLEET, "count": 1})
    assert program.apply(spec).code == 0
    assert program.plan(spec).changes == []
    cloud.wait(3 * HOUR)
    assert len(cloud.ids("probe", "other")) == len(cloud.ids("probe")) == 1
    cloud.wait(2 * HOUR)
    assert program.plan(spec).changes == []
    assert len(cloud.ids("probe", "other")) == 1


def test_fleets_alone_say_that_nothing_remembers_their_end(program: Program, cloud: Cloud) -> None:
    alone = {
        "environment": "probe",
        "region": "us-east-1",
        "expires": "8h",
        "fleets": {"worker": {key: value for key, value in FLEET.items() if key != "instance_profile"}},
    }
    assert "nothing of this environment outlives its members" in notes(program.plan(alone))
    assert program.apply(alone).code == 0
    assert program.plan(alone).changes == []
    cloud.wait(9 * HOUR)
    assert cloud.ids() == []
    # As long as EC2 shows them, their tags say it.
    assert program.plan(alone).changes == []
    assert "outlives" not in notes(program.plan(having(alone, expires="2099-01-01T00:00:00Z")))


def test_an_environment_that_is_made_anew_begins_anew(program: Program, cloud: Cloud) -> None:
    alone = having(ENDING, fleets__worker=FLEET)
    assert program.apply(alone).code == 0
    first = ends(cloud)
    assert program.destroy(alone).code == 0
    cloud.wait(HOUR / 2)
    assert program.apply(alone).code == 0
    assert ends(cloud) != first
    assert len(ends(cloud)) == 1


@pytest.mark.long
def test_what_has_expired_and_was_destroyed_begins_anew(program: Program, cloud: Cloud) -> None:
    assert program.apply(ENDING).code == 0
    (first,) = ends(cloud)
    cloud.wait(9 * HOUR)
    assert program.destroy(ENDING).code == 0
    assert cloud.instances(), "EC2 still shows those that have ended"
    assert "expired" not in notes(program.plan(ENDING))
    extended = program.run("extend", "--yes", program.write(ENDING), "2h")
    assert (extended.code, "apply it first" in extended.words) == (3, True)
    assert program.apply(ENDING).code == 0
    assert len(cloud.ids()) == 2
    (second,) = ends(cloud)
    assert str(second) > str(first)


def test_where_nothing_remembers_the_end_plan_and_extend_say_the_same(program: Program, cloud: Cloud) -> None:
    fleet = {key: value for key, value in FLEET.items() if key != "instance_profile"}
    alone = {"environment": "probe", "region": "us-east-1", "expires": "8h", "fleets": {"worker": fleet}}
    assert program.apply(alone).code == 0
    cloud.wait(9 * HOUR)
    planned = notes(program.plan(alone))
    extended = program.run("extend", "--yes", program.write(alone), "2h")
    assert extended.code == 3
    for said in (planned, extended.words):
        assert "give a longer `expires` in the spec" in said
        assert "begins it anew" in said
    assert "provisioner extend" not in planned
    assert program.apply(having(alone, expires="12h")).code == 0
    assert len(cloud.ids()) == 2
