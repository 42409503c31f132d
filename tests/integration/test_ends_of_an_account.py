"""`reap`, `extend`, `list` and the last line of `destroy`: what has ended, ends later, is there, is left."""

from __future__ import annotations

from typing import Any

import pytest

from local_aws import error
from tests.support.cloud import Cloud, as_list, tags_of
from tests.support.program import Program
from tests.support.specs import IMAGE, ROLES_ONLY, having

HOUR = 3600.0
END = "provisioner:expires"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGzWqQHB2wSuoVgRTRUSIvTSkqhLbvQPvY9kSPyOBIkN me"
FLEET = {"count": 2, "image": IMAGE, "instance_type": "t3.micro", "instance_profile": "worker"}
BEFORE = having(ROLES_ONLY, fleets__worker=FLEET)
ENDING = having(BEFORE, expires="8h")
REGION = ("--region", "us-east-1")


@pytest.fixture
def ended(program: Program, cloud: Cloud) -> list[str]:
    """Members whose end is past, and that do not end by themselves: launched before there was an end."""
    assert program.apply(BEFORE).code == 0
    assert program.apply(ENDING).code == 0
    ids = cloud.ids()
    cloud.wait(9 * HOUR)
    assert cloud.ids() == ids
    return ids


def set_tag(cloud: Cloud, instance: str, **tags: str) -> None:
    named = {f"provisioner:{name}": value for name, value in tags.items()}
    cloud.ec2.create_tags(Resources=[instance], Tags=as_list(named))


def test_reap_terminates_what_has_ended_and_is_ours(program: Program, cloud: Cloud, ended: list[str]) -> None:
    # Another environment whose end is to come, one without an end, and somebody's with tags that were copied.
    others = having(ENDING, environment="other"), having(BEFORE, environment="third")
    assert [program.apply(spec).code for spec in others] == [0, 0]
    forged = cloud.stranger(tags={**tags_of(cloud.instance(ended[0])), "Name": "not-ours"})
    staying = {*cloud.ids()} - {*ended}
    cloud.forget_calls()
    shown = program.run("reap", *REGION, "--format", "json")
    assert shown.code == 4
    assert cloud.writes() == []
    assert cloud.operations().count("DescribeInstances") == 1
    reaped = program.run("reap", *REGION, "--yes", "--format", "json")
    assert reaped.code == 0
    assert sorted(reaped.data["terminated"]) == sorted(ended)
    assert [(item["id"], item["why"]) for item in reaped.data["left_alone"]] == [(forged, "foreign")]
    assert {*cloud.ids()} == staying
    assert "of probe are left, as far as there are any" in reaped.words
    assert "`provisioner destroy SPEC`" in reaped.words
    again = program.run("reap", *REGION, "--yes")
    assert again.code == 0
    assert f"{forged} (not-ours): carries the tags, and was not launched by that fleet" in again.words
    assert "Nothing to terminate." in again.out
    planned = program.run("plan", program.write(ENDING)).words
    assert "expired at" in planned
    assert "is as the spec says, but for what has expired" in planned


def test_reap_leaves_what_is_kept_protected_or_extended(
    program: Program, cloud: Cloud, ended: list[str]
) -> None:
    kept, protected = ended
    set_tag(cloud, kept, keep="yes")
    launched = tags_of(cloud.instance(protected))["provisioner:launch"]
    set_tag(cloud, protected, launch=launched.replace("protection=off", "protection=on"))
    reaped = program.run("reap", *REGION, "--yes", "--format", "json")
    assert reaped.data["terminated"] == []
    assert {(item["id"], item["why"]) for item in reaped.data["left_alone"]} == {
        (kept, "kept"),
        (protected, "protected"),
    }
    set_tag(cloud, protected, launch=launched)
    # EC2 says so where the tag does not.
    cloud.ec2.modify_instance_attribute(InstanceId=protected, DisableApiTermination={"Value": True})
    failed = program.run("reap", *REGION, "--yes", "--format", "json")
    assert failed.code == 1
    assert [item["id"] for item in failed.data["failed"]] == [protected]
    assert sorted(cloud.ids()) == sorted(ended)


def test_reap_goes_through_all_regions_and_says_which_it_cannot_read(
    program: Program, cloud: Cloud, ended: list[str]
) -> None:
    elsewhere = having(ENDING, environment="far", region="eu-west-1")
    far = Cloud(cloud.server, "eu-west-1")
    bare = {key: value for key, value in elsewhere.items() if key != "expires"}
    assert [program.apply(spec).code for spec in (bare, elsewhere)] == [0, 0]
    cloud.wait(9 * HOUR)
    unreadable = error("DescribeInstances", "UnauthorizedOperation", "not you", status=403, times=1)
    cloud.break_with(unreadable)
    shown = program.run("reap", "--all-regions", "--format", "json")
    assert (shown.code, len(shown.data["unread"])) == (1, 1)
    assert shown.data["expired"]
    reaped = program.run("reap", "--all-regions", "--yes", "--format", "json")
    assert reaped.code == 0
    assert {item["region"] for item in reaped.data["expired"]} == {"us-east-1", "eu-west-1"}
    assert cloud.ids() == far.ids() == []
    cloud.break_with(unreadable)
    unread = program.run("reap", "--all-regions", "--yes", "--format", "json")
    assert unread.code == 1
    assert len(unread.data["unread"]) == 1


WRONG = {
    (): "which region is meant",
    ("--region", "us-east-1", "--all-regions"): "does not go with --region",
    ("--region", "us-east-9"): "there is no region",
    ("--region", "us-east-1", "--skip-region", "eu-west-1"): "goes with --all-regions",
}


@pytest.mark.parametrize("options", WRONG)
def test_a_command_without_a_spec_has_to_be_told_the_region(
    program: Program, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for command in (("reap", "--yes"), ("list",)):
        ran = program.run(*command, *options)
        assert ran.code == 3
        assert WRONG[options] in ran.words


# --- extend

EVERYTHING = having(
    ENDING,
    key_pairs={"me": {"public_key": KEY}},
    security_groups={"ssh": {"ingress": [{"port": 22, "cidr": "10.0.0.0/8"}]}},
    fleets__worker__key_name="me",
    fleets__own={**FLEET, "count": 1, "expires": "2d"},
)


def all_ends(cloud: Cloud) -> dict[str, set[str | None]]:
    """What the tags of everything say, by sort."""
    groups = [tags_of(group) for group in cloud.ec2.describe_security_groups()["SecurityGroups"]]
    return {
        "members": {tags_of(item).get(END) for item in cloud.live("probe", "worker")},
        "own": {tags_of(item).get(END) for item in cloud.live("probe", "own")},
        "roles": {cloud.picture_of_role(name)["Tags"].get(END) for name in cloud.roles()},
        "profiles": {cloud.picture_of_profile(name)["Tags"].get(END) for name in cloud.profiles()},
        "keys": {tags_of(pair).get(END) for pair in cloud.ec2.describe_key_pairs()["KeyPairs"]},
        "groups": {tags.get(END) for tags in groups if "provisioner:environment" in tags},
    }


@pytest.mark.long
def test_extend_moves_the_end_of_everything_and_the_next_apply_leaves_it(
    program: Program, cloud: Cloud
) -> None:
    assert program.apply(EVERYTHING).code == 0
    assert program.plan(EVERYTHING).changes == []
    spec = program.write(EVERYTHING)
    before = all_ends(cloud)
    ((end,), (own,)) = before["members"], before["own"]
    assert [ends for sort, ends in before.items() if sort != "own"] == [{end}] * 5
    moved = program.run("extend", spec, "2h", "--yes")
    assert moved.code == 0, moved.said
    assert f"{end} →" in moved.words
    after = all_ends(cloud)
    (later,) = after["members"]
    assert later is not None
    assert end is not None
    assert later > end
    assert all(ends == {later} for sort, ends in after.items() if sort != "own")
    assert after["own"] != {own}
    assert program.plan(EVERYTHING).changes == []
    assert program.run("extend", spec, "1h", "--fleet", "own", "--yes").code == 0
    assert all_ends(cloud)["members"] == {later}
    assert all_ends(cloud)["own"] != after["own"]
    assert program.plan(EVERYTHING).changes == []
    # Past its end, it is counted from now; then the next apply launches what has ended.
    cloud.wait(11 * HOUR)
    assert cloud.ids("probe", "worker") == []
    assert "from now, as it has expired" in program.run("extend", spec, "3h", "--yes").words
    assert [change["address"] for change in program.plan(EVERYTHING).changes] == ["fleet/worker"]
    assert program.apply(EVERYTHING).code == 0
    assert program.plan(EVERYTHING).changes == []
    destroyed = program.run("destroy", "--yes", spec)
    assert "Nothing of probe is left that costs money." in destroyed.out


IN_VAIN = {
    "a time in the spec": (having(BEFORE, expires="2099-01-01T00:00:00Z"), ("2h",), "change `expires` there"),
    "no end": (BEFORE, ("2h",), "has no `expires`"),
    "past": (ENDING, ("2001-01-01T00:00:00Z",), "is past"),
    "no time": (ENDING, ("soon",), "neither a time nor a duration"),
    "no such fleet": (ENDING, ("2h", "--fleet", "db"), "its fleets: worker"),
    "not its own": (ENDING, ("2h", "--fleet", "worker"), "ends with its environment"),
}


@pytest.mark.parametrize("case", IN_VAIN)
@pytest.mark.sampled
def test_extend_says_what_it_cannot_move(program: Program, cloud: Cloud, case: str) -> None:
    spec, arguments, message = IN_VAIN[case]
    assert program.apply(ENDING).code == 0
    cloud.forget_calls()
    ran = program.run("extend", program.write(spec), *arguments, "--yes")
    assert ran.code == 3
    assert message in ran.words
    assert cloud.writes() == []


def test_what_was_never_launched_cannot_be_extended(program: Program, cloud: Cloud) -> None:
    ran = program.run("extend", program.write(ENDING), "2h", "--yes")
    assert ran.code == 3
    assert "has not begun" in ran.words


# --- list, and what is left


def test_list_shows_every_environment_and_what_is_left_of_it(program: Program, cloud: Cloud) -> None:
    volumes = [{"device": "/dev/sdf", "size_gb": 8, "delete_on_termination": False}]
    kept = having(BEFORE, environment="kept", fleets__worker__volumes=volumes)
    bare = having(ROLES_ONLY, environment="bare")
    assert [program.apply(spec).code for spec in (ENDING, kept, bare)] == [0, 0, 0]
    destroyed = program.run("destroy", "--yes", program.write(kept))
    assert destroyed.code == 0
    assert "Left of kept: volume vol-" in destroyed.words
    forged = cloud.stranger(tags={"provisioner:environment": "probe", "provisioner:fleet": "worker"})
    cloud.forget_calls()
    # The region is that of the spec.
    listed = program.run("list", program.write(ENDING), "--format", "json", "--no-cost")
    # Instances, volumes, groups, keys; roles, profiles; who we are.
    assert len(cloud.calls()) == 7
    found: dict[str, Any] = {item["environment"]: item for item in listed.data["environments"]}
    assert sorted(found) == ["bare", "kept", "probe"]
    assert (found["probe"]["states"], found["probe"]["foreign"]) == ({"running": 2}, [forged])
    assert len(found["probe"]["specs"]) == 1
    assert found["bare"]["specs"] == found["kept"]["specs"] == []
    assert (found["bare"]["members"], found["bare"]["roles"]) == (0, 1)
    assert [len(found[name]["volumes"]) for name in ("kept", "probe")] == [2, 0]
    text = program.run("list", *REGION).words
    assert "USD/h (made up)" in text
    assert "probe us-east-1 2 running" in text
    assert "2 volumes" in text


OTHER = "210987654321"


def test_list_asks_each_account_of_the_specs(program: Program, cloud: Cloud) -> None:
    targets: dict[str, Any] = {
        "dev": {},
        "stage": {"role_arn": f"arn:aws:iam::{OTHER}:role/deployer", "region": "eu-west-1"},
    }
    spec = program.write(having(ROLES_ONLY, environment="bare", targets=targets))
    assert program.run("apply", "--yes", "--no-cost", spec).code == 0
    cloud.forget_calls()
    listed = program.run("list", spec, "--format", "json", "--no-cost")
    assert listed.code == 0, listed.said
    found = [(item["environment"], item["account_id"]) for item in listed.data["environments"]]
    assert found == [("bare-dev", "123456789012"), ("bare-stage", OTHER)]
    assert [len(item["specs"]) for item in listed.data["environments"]] == [1, 1]
    assert (listed.data["account_id"], listed.data["not_asked"]) == (None, [])
    # Each region in its account alone.
    assert cloud.operations().count("DescribeInstances") == 2
    text = program.run("list", spec, "--no-cost").words
    assert "Environments account 123456789012, us-east-1 LOCAL" in text
    assert f"Environments account {OTHER}, eu-west-1 LOCAL" in text


@pytest.mark.long
def test_list_of_all_regions_says_of_which_account_it_cannot_know_them(
    program: Program, cloud: Cloud
) -> None:
    targets: dict[str, Any] = {
        "dev": {},
        "stage": {"role_arn": f"arn:aws:iam::{OTHER}:role/deployer", "region": "eu-west-1"},
    }
    spec = program.write(having(ROLES_ONLY, environment="bare", targets=targets))
    assert program.run("apply", "--yes", "--no-cost", spec).code == 0
    words = ("list", spec, "--all-regions", "--format", "json", "--no-cost")
    cloud.break_with(error("DescribeRegions", "UnauthorizedOperation", "not you", status=403, times=1))
    listed = program.run(*words)
    assert listed.code == 1
    assert [item["environment"] for item in listed.data["environments"]] == ["bare-stage"]
    assert "error: account 123456789012: " in listed.err
    cloud.break_with(error("DescribeRegions", "UnauthorizedOperation", "not you", status=403))
    none = program.run(*words)
    assert none.code == 1
    assert "UnauthorizedOperation" in none.err


def test_list_says_which_account_it_did_not_ask(program: Program, cloud: Cloud) -> None:
    targets: dict[str, Any] = {"dev": {}, "prod": {"account_id": OTHER, "region": "eu-west-1"}}
    spec = program.write(having(ROLES_ONLY, environment="bare", targets=targets))
    cloud.forget_calls()
    listed = program.run("list", spec, "--format", "json", "--no-cost")
    assert listed.code == 0
    told = f"note: bare-prod is in account {OTHER}, which was not asked: the credentials are of 123456789012"
    assert told in listed.err
    (left,) = listed.data["not_asked"]
    assert left == {
        "environment": "bare-prod",
        "account_id": OTHER,
        "region": "eu-west-1",
        "spec": f"{spec} --target prod",
    }
    assert cloud.operations().count("DescribeInstances") == 1
    alone = program.run("list", program.write(having(ROLES_ONLY, account_id=OTHER)), "--no-cost")
    assert alone.code == 3
    assert "is in account 210987654321, which was not asked" in alone.err
    assert "give credentials of that account" in alone.err


def test_list_says_what_it_could_not_read(program: Program, cloud: Cloud) -> None:
    assert "None." in program.run("list", *REGION).out
    cloud.break_with(error("DescribeInstances", "UnauthorizedOperation", "No.", status=403))
    listed = program.run("list", *REGION)
    assert listed.code == 1
    assert "None that could be read." in listed.out
    cloud.mend()
    assert program.apply(ENDING).code == 0
    first, second = cloud.ids()
    set_tag(cloud, first, expires="tonight")
    assert "; 1 unreadable" in program.run("list", *REGION).words
    set_tag(cloud, second, expires="tonight")
    listed = program.run("list", *REGION)
    assert "unreadable" in listed.words
    assert "never" not in listed.words


def test_list_says_nothing_of_members_that_it_could_not_read(program: Program, cloud: Cloud) -> None:
    assert program.apply(ENDING).code == 0
    cloud.break_with(error("DescribeInstances", "UnauthorizedOperation", "No.", status=403))
    listed = program.run("list", *REGION, "--format", "json")
    assert listed.code == 1
    (found,) = listed.data["environments"]
    # Their volumes are there; whether they are on an instance is not known, and neither is what it costs.
    assert (found["region"], found["members"], found["volumes"]) == ("us-east-1", None, [])
    assert found["cost_an_hour"] is None
    text = program.run("list", *REGION).words
    assert "probe us-east-1 not read" in text
    assert "volume" not in text
    assert "USD" not in text


def test_list_says_nothing_of_roles_that_it_could_not_read(program: Program, cloud: Cloud) -> None:
    assert program.apply(ENDING).code == 0
    cloud.break_with(error("ListRoles", "AccessDenied", "No.", status=403))
    listed = program.run("list", *REGION, "--format", "json")
    assert listed.code == 1
    (found,) = listed.data["environments"]
    assert (found["roles"], found["instance_profiles"]) == (None, 1)
    assert "roles not read, 1 instance profile" in program.run("list", *REGION).words


def test_list_goes_on_without_a_spec_that_is_wrong(program: Program, cloud: Cloud) -> None:
    wrong = program.write(having(ENDING, fleats={}))
    listed = program.run("list", program.write(ENDING), wrong, "--no-cost")
    assert listed.code == 3
    assert "fleats: unknown field" in listed.err
    assert f"1 problem; {wrong} is left out" in listed.words
    assert "nothing was sent" not in listed.err


def test_list_knows_the_end_of_what_has_no_members_any_more(program: Program, cloud: Cloud) -> None:
    spec = having(ENDING, key_pairs={"me": {"public_key": KEY}})
    assert program.apply(spec).code == 0
    cloud.wait(9 * HOUR)
    assert cloud.ids() == []
    text = program.run("list", *REGION).words
    assert "probe us-east-1 none expired 2" in text
