"""`drift` says where AWS is not as the spec says, and nothing else; what is accepted is told in one line."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest

import local_aws
from tests.support.cloud import AWS_POLICY, Cloud, as_list
from tests.support.program import ROOT, Program, Ran
from tests.support.specs import PROBE, ROLES_ONLY, having, lacking

SCHEMA = json.loads((ROOT / "schemas" / "drift.schema.json").read_text())
NAME = "probe-worker"
TODAY = datetime.now(UTC).date()
LATER, PAST = TODAY + timedelta(days=30), TODAY - timedelta(days=1)


def told(ran: Ran) -> set[tuple[str, str, str | None]]:
    jsonschema.validate(ran.data, SCHEMA)
    return {(entry["address"], entry["state"], entry["field"]) for entry in ran.data["drift"]}


def test_of_what_was_applied_is_none(program: Program, cloud: Cloud) -> None:
    spec = program.write(PROBE)
    program.apply(spec)
    cloud.forget_calls()
    assert program.run("plan", spec).code == 0
    calls = sorted(cloud.operations())
    cloud.forget_calls()
    ran = program.run("drift", spec)
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "No drift. probe is as the spec says.")
    assert sorted(cloud.operations()) == calls
    assert cloud.writes() == []


def test_of_what_was_never_applied_is_all_of_it(program: Program, cloud: Cloud) -> None:
    ran = program.run("drift", program.write(PROBE), "--format", "json")
    assert ran.code == 2
    assert told(ran) == {
        ("role/worker", "missing", None),
        ("instance_profile/worker", "missing", None),
        ("fleet/worker", "missing", "count"),
    }


@pytest.mark.parametrize(("form", "start"), [("markdown", "### "), ("html", "<!DOCTYPE html>")])
def test_is_a_document_as_well(form: str, start: str, program: Program, cloud: Cloud) -> None:
    ran = program.run("drift", program.write(PROBE), "--format", form)
    assert ran.code == 2
    assert ran.out.startswith(start)
    assert "3 differences at 3 addresses" in ran.out


def test_of_all_kinds_is_told_with_what_aws_has_and_what_the_spec_says(
    program: Program, cloud: Cloud
) -> None:
    program.apply(having(PROBE, roles__gone={}))
    spec = program.write(PROBE)
    cloud.iam.attach_role_policy(RoleName=NAME, PolicyArn=AWS_POLICY + "AdministratorAccess")
    one, other = cloud.ids("probe")
    cloud.ec2.create_tags(Resources=[one], Tags=as_list({"team": "other"}))
    cloud.ec2.terminate_instances(InstanceIds=[other])
    cloud.forget_calls()
    ran = program.run("drift", spec, "--format", "json")
    assert ran.code == 2
    assert told(ran) == {
        ("role/worker", "different", "managed_policies"),
        ("fleet/worker", "different", "tags.team"),
        ("fleet/worker", "missing", "count"),
        ("role/gone", "unexpected", None),
    }
    (tag,) = [entry for entry in ran.data["drift"] if entry["field"] == "tags.team"]
    assert (tag["aws"], tag["spec"], tag["instances"]) == ("other", "data", [one])
    assert cloud.writes() == []
    text = program.run("drift", spec)
    assert text.code == 2
    for words in (
        "tags.team other → data",
        one,
        "- ! AdministratorAccess",
        "role/gone unexpected",
        "count 1 → 2",
    ):
        assert words in text.words


def test_is_no_advice_and_no_newer_image(program: Program, cloud: Cloud) -> None:
    older, newer = (local_aws.add_image(cloud.server, f"base-{name}", "self") for name in ("old", "new"))
    local_aws.set_parameter(cloud.server, "/team/image", older)
    pinned = having(PROBE, fleets__worker__image={"ssm": "/team/image"})
    rolling = having(PROBE, fleets__worker__image={"ssm": "/team/image", "update": "roll"})
    program.apply(rolling)
    local_aws.set_parameter(cloud.server, "/team/image", newer)
    assert program.plan(rolling).changes
    for spec in (rolling, pinned):
        ran = program.run("drift", program.write(spec))
        assert (ran.code, "image" in ran.out) == (0, False)


def test_is_also_what_apply_would_refuse(program: Program, cloud: Cloud) -> None:
    cloud.make_role(NAME)
    ran = program.run("drift", program.write(ROLES_ONLY), "--format", "json")
    assert ran.code == 2
    (found,) = [entry for entry in ran.data["drift"] if entry["address"] == "role/worker"]
    assert NAME in found["message"]


def test_what_was_not_read_is_told_as_not_compared(program: Program, cloud: Cloud) -> None:
    program.apply(PROBE)
    cloud.ec2.delete_tags(Resources=cloud.ids("probe")[:1], Tags=[{"Key": "provisioner:launch"}])
    ran = program.run("drift", program.write(PROBE), "--format", "json")
    assert ran.code == 0
    assert [entry["address"] for entry in ran.data["not_compared"]] == ["fleet/worker"]


def test_that_is_only_seen_deep(program: Program, cloud: Cloud) -> None:
    program.apply(PROBE)
    cloud.ec2.modify_instance_attribute(
        InstanceId=cloud.ids("probe")[0], DisableApiTermination={"Value": True}
    )
    spec = program.write(PROBE)
    assert program.run("drift", spec).code == 0
    assert told(program.run("drift", spec, "--deep", "--format", "json")) == {
        ("fleet/worker", "different", "termination_protection")
    }


def test_is_accepted_until_a_day(program: Program, cloud: Cloud) -> None:
    spec = program.write(ROLES_ONLY)
    program.apply(spec)
    cloud.iam.update_role(RoleName=NAME, Description="Plays")
    made = program.run(
        "drift", spec, "--accept", "role/worker description", "--reason", "x", "--until", str(LATER)
    )
    assert made.code == 0, made.said
    path = spec.parent / "accepted-drift.yaml"
    assert str(path) in made.out

    accepted = program.run("drift", spec)
    assert accepted.code == 0
    assert f"1 difference accepted: role/worker description until {LATER} (x)" in accepted.words

    path.write_text(path.read_text().replace(str(LATER), str(PAST)))
    expired = program.run("drift", spec, "--format", "json")
    assert expired.code == 2
    assert [(entry["place"], entry["until"]) for entry in expired.data["expired"]] == [
        (f"{path}:4:3", str(PAST))
    ]

    path.write_text(path.read_text().replace(str(PAST), str(LATER)))
    cloud.iam.update_role(RoleName=NAME, Description="Sleeps")
    other = program.run("drift", spec, "--format", "json")
    assert other.code == 2
    assert [entry["field"] for entry in other.data["superfluous"]] == ["description"]

    # What is accepted is no drift, and is put right all the same.
    assert program.plan(spec).told == {("role/worker", "update", "description")}
    assert program.apply(spec).code == 0


WRONG = {
    "no reason": ("--accept", "role/worker", "--until", str(LATER)),
    "no day": ("--accept", "role/worker", "--reason", "x"),
    "a day that is past": ("--accept", "role/worker", "--reason", "x", "--until", str(PAST)),
    "no date": ("--accept", "role/worker", "--reason", "x", "--until", "soon"),
    "an address and a field without quotes": ("--accept", "role/worker", "tags", "--reason", "x"),
    "a reason for nothing": ("--reason", "x"),
}


@pytest.mark.parametrize("options", WRONG.values(), ids=WRONG)
def test_a_wrong_command_line_sends_nothing(options: tuple[str, ...], program: Program, cloud: Cloud) -> None:
    ran = program.run("drift", program.write(ROLES_ONLY), *options)
    assert ran.code == 3
    assert ran.err.startswith("error: ")
    assert ("one pair of quotes: --accept 'ADDRESS FIELD'" in ran.err) is ("tags" in options)
    assert cloud.operations() == []


def test_a_wrong_file_sends_nothing_and_is_told_by_validate_too(program: Program, cloud: Cloud) -> None:
    spec = program.write(ROLES_ONLY)
    (spec.parent / "accepted-drift.yaml").write_text("- {address: role/worker, until: 2027-01-31}\n")
    for command in ("drift", "validate"):
        ran = program.run(command, spec)
        assert ran.code == 3
        assert "accepted-drift.yaml:1:3: [0].reason: is missing; it takes a sentence" in ran.err
    assert cloud.operations() == []


def test_an_aws_that_does_not_answer_is_a_failure_and_no_drift(program: Program, cloud: Cloud) -> None:
    cloud.break_with(local_aws.denied("DescribeInstances"))
    ran = program.run("drift", program.write(PROBE))
    assert (ran.code, ran.out) == (1, "")


def test_validate_takes_a_folder_of_specs_with_the_file_among_them(program: Program, tmp_path: Path) -> None:
    spec = program.write(lacking(ROLES_ONLY, "instance_profiles"))
    accepted = spec.parent / "accepted-drift.yaml"
    accepted.write_text("- {address: role/worker, reason: x, until: 2027-01-31}\n")
    ran = program.run("validate", spec, accepted)
    assert ran.code == 0
    assert f"{accepted}: valid; 1 accepted" in ran.out
