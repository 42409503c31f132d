"""Key pairs: what the spec says, what EC2 has, and what changes, also of the fleets that name them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from provisioner.errors import AwsError, ChangedMeanwhile, SpecError
from provisioner.kinds import CALL_RULES, KINDS
from provisioner.kinds.fleet.observed import ObservedFleet
from provisioner.kinds.fleet.parse import with_key_pair
from provisioner.kinds.fleet.settings.launch_tag import launch_record, read_record, write_record
from provisioner.kinds.fleet.spec import Fleet
from provisioner.kinds.key_pair.observed import ObservedKeyPair
from provisioner.kinds.key_pair.public_key import parse_public_key
from provisioner.kinds.key_pair.steps import DeleteKeyPair, ImportKeyPair
from provisioner.model import Address, Call, Observed, Plan
from provisioner.naming import ENVIRONMENT_TAG, KEEP_TAG, KEY_PAIR_TAG, LAUNCH_TAG
from provisioner.reconcile import beyond
from provisioner.spec import load
from tests.support.build import FLEET, calls, environment, member, observed_fleet, planned, told
from tests.support.cloud import as_list
from tests.support.scripted import Scripted

AT = Address("key_pair", "me")
MINE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJUbSMnzStCLmP8sBYExnDW33R8AhRajCmrBQpm5nsQO"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGEUcRRCBrs2xUfYY14XUUUb8f5F5vNyaiBkhcgRZJ/m"
OURS = {ENVIRONMENT_TAG: "env", KEY_PAIR_TAG: "me"}
ENTRY: dict[str, Any] = {"public_key": f"{MINE} me@laptop"}
BARE: dict[str, Any] = {"count": 2, "image": "ami-00000000000000001", "instance_type": "t3.micro"}


def found(**differing: Any) -> ObservedKeyPair:
    """The key pair as it is when nothing but `differing` was changed."""
    as_made: dict[str, Any] = {
        "name": "env-me",
        "id": "key-1",
        "tags": OURS,
        "public_key": parse_public_key(MINE),
    }
    return ObservedKeyPair(**as_made | differing)


def plan_of(entry: Mapping[str, Any] | None, there: ObservedKeyPair | None, **more: Any) -> Plan:
    desired = environment(**({"key_pairs": {"me": entry}} if entry else {}), **more)
    return planned(desired, {AT: there} if there else {})


CASES: dict[str, tuple[Mapping[str, Any] | None, ObservedKeyPair | None, list[str], list[str]]] = {
    "not there": (ENTRY, None, ["create key_pair/me public_key"], ["ImportKeyPair"]),
    "as it should be": (ENTRY, found(), [], []),
    "another key": (
        ENTRY,
        found(public_key=parse_public_key(OTHER)),
        ["replace key_pair/me public_key"],
        ["DeleteKeyPair", "ImportKeyPair"],
    ),
    "another key and other tags": (
        ENTRY,
        found(public_key=parse_public_key(OTHER), tags={**OURS, "a": "b"}),
        ["replace key_pair/me public_key tags.a"],
        ["DeleteKeyPair", "ImportKeyPair"],
    ),
    "a tag added by hand": (
        ENTRY,
        found(tags={**OURS, "a": "b"}),
        ["update key_pair/me tags.a"],
        ["DeleteTags"],
    ),
    "a tag that is missing": (
        {**ENTRY, "tags": {"a": "b"}},
        found(),
        ["update key_pair/me tags.a"],
        ["CreateTags"],
    ),
    "a tag that is to be ignored": (ENTRY, found(tags={**OURS, "aws:x": "b"}), [], []),
    "to be kept": (
        {**ENTRY, "keep": True},
        found(),
        [f"update key_pair/me tags.{KEEP_TAG}"],
        ["CreateTags"],
    ),
    "not to be kept any more": (
        {**ENTRY, "keep": False},
        found(tags={**OURS, KEEP_TAG: "yes"}),
        [f"update key_pair/me tags.{KEEP_TAG}"],
        ["DeleteTags"],
    ),
    "no longer in the spec": (None, found(), ["delete key_pair/me name"], ["DeleteKeyPair"]),
    "somebody else's, not in the spec": (None, found(tags={}), [], []),
    "with the environment's tag only": (None, found(tags={ENVIRONMENT_TAG: "env"}), [], []),
    "with the other tag only": (None, found(tags={KEY_PAIR_TAG: "me"}), [], []),
    "a key that EC2 does not show": (ENTRY, found(public_key=None), [], []),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_done(case: str) -> None:
    entry, there, lines, operations = CASES[case]
    plan = plan_of(entry, there)
    assert [told(change) for change in plan.changes] == lines
    assert [operation for change in plan.changes for operation in calls(change)] == operations
    assert plan.refusals == ()


REFUSED: dict[str, tuple[Mapping[str, Any] | None, ObservedKeyPair, str]] = {
    "somebody else's": (ENTRY, found(tags={}), "env-me exists already, and it is not this environment's"),
    "another environment's": (ENTRY, found(tags={ENVIRONMENT_TAG: "b"}), "and environment b has it"),
    "with the environment's tag only": (
        ENTRY,
        found(tags={ENVIRONMENT_TAG: "env"}),
        f"it carries {ENVIRONMENT_TAG}, but not {KEY_PAIR_TAG}",
    ),
    "with the other tag only": (
        ENTRY,
        found(tags={KEY_PAIR_TAG: "me"}),
        f"it carries {KEY_PAIR_TAG}, but not {ENVIRONMENT_TAG}",
    ),
    "kept, and another key": (
        ENTRY,
        found(public_key=parse_public_key(OTHER), tags={**OURS, KEEP_TAG: "yes"}),
        "would be deleted and imported anew, and is kept",
    ),
    "kept, and no longer in the spec": (
        None,
        found(tags={**OURS, KEEP_TAG: "yes"}),
        "key pair env-me would be deleted, and is kept",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case: str) -> None:
    entry, there, message = REFUSED[case]
    plan = plan_of(entry, there)
    (refusal,) = plan.refusals
    assert message in refusal.message
    assert plan.changes == ()


def test_a_key_that_ec2_does_not_show_is_told() -> None:
    (note,) = plan_of(ENTRY, found(public_key=None)).notes
    assert note.message == "EC2 does not show the public key of env-me, so it is not compared"


def test_a_change_of_the_key_says_what_it_does_not_do() -> None:
    (change,) = plan_of(ENTRY, found(public_key=parse_public_key(OTHER))).changes
    assert "EC2 puts a key on an instance at its first boot only" in change.reason


def test_a_replacement_that_nobody_approved_is_noticed() -> None:
    """A later round of a run would delete a key pair that the approved plan only made."""
    approved, later = plan_of(ENTRY, None), plan_of(ENTRY, found(public_key=parse_public_key(OTHER)))
    assert beyond(approved, later) == "key_pair/me would be deleted"
    assert beyond(later, later) is None
    another = plan_of(ENTRY, found(id="key-2", public_key=parse_public_key(OTHER)))
    assert "made again under its name" in str(beyond(later, another))


class TestAFleetThatNamesOne:
    def desired(self, key: str = MINE, **fleet: Any) -> Any:
        return environment(
            key_pairs={"me": {"public_key": key}}, fleets={"web": {**BARE, "key_name": "me", **fleet}}
        )

    def fleet(self, environment_: Any) -> Fleet:
        return with_key_pair(environment_.of(Fleet)[FLEET], environment_)

    def members(self, environment_: Any, **differing: Any) -> ObservedFleet:
        fleet = self.fleet(environment_)
        named: dict[str, Any] = {"key_name": "env-me", **differing}
        observed = observed_fleet([member(number, fleet, **named) for number in (1, 2)])
        return replace(observed, uses=frozenset({AT}))

    def test_launches_with_its_name_in_aws_and_remembers_the_key(self) -> None:
        fleet = self.fleet(self.desired())
        assert (fleet.key_name, fleet.uses) == ("env-me", frozenset({AT}))
        assert launch_record(fleet)["key"] == parse_public_key(MINE).mark

    def test_remembers_it_however_much_else_there_is_to_remember(self) -> None:
        said: dict[str, Any] = {
            "image": {"ssm": "/an/image"},
            "user_data": "#!/bin/sh\n",
            "stop_protection": False,
            "shutdown_behavior": "terminate",
            "volumes": [{"device": "/dev/sdf", "size_gb": 10}],
            "expires": "2027-01-01T00:00:00Z",
            "ready": "cloud_init",
        }
        root = {"size_gb": 16384, "encrypted": True, "kms_key_id": "alias/disks", "type": "gp3"}
        most = {**root, "iops": 16000, "throughput": 1000}
        for volume in ({"size_gb": 20}, root, most):
            record = launch_record(self.fleet(self.desired(**said, root_volume=volume)))
            assert record["key"] == parse_public_key(MINE).mark
            assert len(write_record({**record, "type": "u7inh-32tb.480xlarge"})) <= 256

    def test_is_done_after_it(self) -> None:
        key_pair, fleet = planned(self.desired(), {FLEET: observed_fleet([])}).changes
        assert (told(key_pair), fleet.address) == ("create key_pair/me public_key", FLEET)
        assert AT in fleet.needs

    def test_has_nothing_to_do_while_the_key_is_the_same(self) -> None:
        desired = self.desired()
        assert planned(desired, {AT: found(), FLEET: self.members(desired)}).changes == ()

    def test_replaces_members_with_the_key_before(self) -> None:
        before = self.members(self.desired(OTHER))
        plan = planned(self.desired(), {AT: found(public_key=parse_public_key(OTHER)), FLEET: before})
        assert [told(change) for change in plan.changes] == [
            "replace key_pair/me public_key",
            "replace fleet/web key_name i-02,i-01",
        ]
        (field,) = plan.changes[1].fields
        assert (str(field.before)[:15], str(field.after)[:15]) == ("env-me (SHA256:", "env-me (SHA256:")
        assert field.before != field.after

    def test_leaves_them_if_it_is_told_to(self) -> None:
        before = self.members(self.desired(OTHER))
        desired = self.desired(ignore_changes=["key_name"])
        plan = planned(desired, {AT: found(public_key=parse_public_key(OTHER)), FLEET: before})
        assert [told(change) for change in plan.changes] == ["replace key_pair/me public_key"]

    def test_takes_members_without_that_memory_as_they_are(self) -> None:
        """Those that were launched before the key pair was one of the spec."""
        desired = self.desired()
        observed = self.members(desired)
        without = tuple(
            replace(old, tags={**(old.tags or {}), LAUNCH_TAG: without_key(old)}) for old in observed.members
        )
        assert planned(desired, {AT: found(), FLEET: replace(observed, members=without)}).changes == ()

    def test_takes_what_no_launch_writes_for_nothing(self) -> None:
        desired = self.desired()
        observed = self.members(desired)
        odd = tuple(
            replace(old, tags={**(old.tags or {}), LAUNCH_TAG: f"{without_key(old)} key=other"})
            for old in observed.members
        )
        plan = planned(desired, {AT: found(), FLEET: replace(observed, members=odd)})
        assert plan.changes == ()
        assert "'key=other' in the tag provisioner:launch is not provisioner's" in plan.notes[0].message

    def test_lets_go_of_it_before_it_is_deleted(self) -> None:
        desired = self.desired()
        observed: dict[Address, Observed] = {AT: found(), FLEET: self.members(desired)}
        plan = planned(environment(fleets={"web": BARE}), observed)
        assert [told(change) for change in plan.changes] == [
            "replace fleet/web key_name i-02,i-01",
            "delete key_pair/me name",
        ]
        assert plan.changes[1].needs == {FLEET}

    def test_names_one_of_the_account_where_the_spec_has_none(self) -> None:
        desired = environment(key_pairs={"me": ENTRY}, fleets={"web": {**BARE, "key_name": "you"}})
        fleet = self.fleet(desired)
        assert (fleet.key_name, fleet.key_pair, launch_record(fleet).get("key")) == ("you", None, None)


def without_key(old: Any) -> str:
    return write_record({word: text for word, text in read_record(old).items() if word != "key"})


class TestImporting:
    STEP = ImportKeyPair("env-me", MINE, OURS)
    DUPLICATE = AwsError("ec2", "ImportKeyPair", "InvalidKeyPair.Duplicate", "exists", 400)

    def shown(self, **differing: Any) -> dict[str, Any]:
        raw = {
            "KeyName": "env-me",
            "KeyPairId": "key-1",
            "PublicKey": f"{MINE} env-me",
            "Tags": OWN,
        }
        return {"KeyPairs": [raw | differing]}

    def test_goes_on_where_only_the_answer_was_lost(self) -> None:
        context = Scripted(self.DUPLICATE, self.shown())
        context.run(self.STEP)
        assert context.operations == ["ImportKeyPair", "DescribeKeyPairs"]

    @pytest.mark.parametrize(
        "shown", [{"Tags": []}, {"Tags": as_list({ENVIRONMENT_TAG: "env"})}, {"PublicKey": OTHER}]
    )
    def test_takes_nothing_over(self, shown: Any) -> None:
        context = Scripted(self.DUPLICATE, self.shown(**shown))
        with pytest.raises(AwsError, match="exists"):
            context.run(self.STEP)

    def test_waits_for_the_one_before_to_be_forgotten(self) -> None:
        before = self.shown(PublicKey=OTHER)
        context = Scripted(self.DUPLICATE, before, {})
        context.run(replace(self.STEP, instead_of="key-1"))
        assert context.operations == ["ImportKeyPair", "DescribeKeyPairs", "ImportKeyPair"]


OWN = as_list(OURS)


@pytest.mark.parametrize(
    ("text", "is_sent_again"),
    [
        ("The key pair 'env-me' does not exist", True),
        ("The key pair 'env-m' does not exist", False),
        ("The key pair 'env-me-too' does not exist", False),
    ],
)
def test_a_launch_waits_for_what_was_imported_just_now(text: str, is_sent_again: bool) -> None:
    error = AwsError("ec2", "RunInstances", "InvalidKeyPair.NotFound", text, 400)
    assert bool(CALL_RULES.retry_rule_for(error, {"env-me"})) is is_sent_again
    answer = {"KeyPairId": "key-1"}
    assert CALL_RULES.made["ImportKeyPair"]({"KeyName": "env-me"}, answer) == ["env-me", "key-1"]


class TestDeleting:
    STEP = DeleteKeyPair("env-me", "key-1", "env")

    def shown(self, *tags: dict[str, str]) -> dict[str, Any]:
        return {"KeyPairs": [{"KeyName": "env-me", "KeyPairId": "key-1", "Tags": list(tags)}]}

    def test_is_by_id(self) -> None:
        context = Scripted(self.shown(*OWN), {})
        context.run(self.STEP)
        assert context.sent[-1] == Call("ec2", "DeleteKeyPair", {"KeyPairId": "key-1"})

    def test_of_what_has_gone_is_done(self) -> None:
        context = Scripted({"KeyPairs": []})
        context.run(self.STEP)
        assert context.operations == ["DescribeKeyPairs"]

    @pytest.mark.parametrize("tags", [(), OWN[:1], OWN[1:], as_list({KEEP_TAG: "yes", **OURS})])
    def test_leaves_what_is_not_ours_or_kept_by_now(self, tags: Any) -> None:
        context = Scripted(self.shown(*tags))
        with pytest.raises(ChangedMeanwhile):
            context.run(self.STEP)


class TestWhereItIsFrom:
    @pytest.fixture
    def home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setenv("HOME", str(tmp_path))
        (tmp_path / ".ssh").mkdir()
        (tmp_path / "specs").mkdir()
        return tmp_path

    def read(self, home: Path, entry: str) -> Any:
        spec = home / "specs" / "spec.yaml"
        spec.write_text(f"environment: env\nregion: us-east-1\nkey_pairs:\n  me: {{{entry}}}\n")
        return load(str(spec), KINDS).resources[AT]

    def problem(self, home: Path, entry: str) -> str:
        with pytest.raises(SpecError) as raised:
            self.read(home, entry)
        (problem,) = raised.value.problems
        assert (problem.line, problem.column > 1) == (4, True)
        return f"{problem.message}; {problem.hint}"

    def test_a_file_beside_the_spec(self, home: Path) -> None:
        (home / "specs" / "me.pub").write_text(f"{MINE} me\r\n")
        assert str(self.read(home, "file: me.pub").public_key) == MINE

    def test_a_file_in_the_ssh_folder(self, home: Path) -> None:
        (home / ".ssh" / "id_ed25519.pub").write_text(MINE)
        assert str(self.read(home, "ssh: id_ed25519.pub").public_key) == MINE

    def test_a_file_that_is_missing_there_tells_the_others(self, home: Path) -> None:
        (home / ".ssh" / "id_ed25519.pub").write_text(MINE)
        (home / ".ssh" / "id_ed25519").write_text("secret")
        said = self.problem(home, "ssh: id_rsa.pub")
        assert said == "id_rsa.pub: there is no file ~/.ssh/id_rsa.pub; there is id_ed25519.pub"

    def test_without_any_there_it_says_how_to_make_one(self, home: Path) -> None:
        assert "`ssh-keygen -t ed25519` makes" in self.problem(home, "ssh: id_rsa.pub")

    @pytest.mark.parametrize("name", ["id_rsa", "../id_rsa.pub", "/etc/key.pub"])
    def test_only_names_of_public_halves_are_taken(self, home: Path, name: str) -> None:
        assert "expected the name of a .pub file in ~/.ssh" in self.problem(home, f"ssh: {name}")

    @pytest.mark.parametrize("where", ["file", "ssh"])
    def test_a_private_key_is_refused_and_not_shown(self, home: Path, where: str) -> None:
        body = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU"
        for folder in (".ssh", "specs"):
            (home / folder / "me.pub").write_text(f"-----BEGIN OPENSSH PRIVATE KEY-----\n{body}\n")
        said = self.problem(home, f"{where}: me.pub")
        assert "this is a private key, and was neither shown nor sent" in said
        assert body not in said

    @pytest.mark.parametrize("field", ["public_key", "file"])
    @pytest.mark.parametrize("end", ["\\n", " "], ids=["in lines", "in one line"])
    def test_nor_is_one_that_was_pasted(self, home: Path, field: str, end: str) -> None:
        body = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU"
        said = self.problem(home, f'{field}: "-----BEGIN OPENSSH PRIVATE KEY-----{end}{body}{end}"')
        assert "this is a private key, and was neither shown nor sent" in said
        assert body not in said

    def test_a_folder_is_no_file(self, home: Path) -> None:
        (home / ".ssh" / "a.pub").mkdir()
        assert "~/.ssh/a.pub is not a regular file" in self.problem(home, "ssh: a.pub")

    def test_one_way_at_a_time(self, home: Path) -> None:
        said = self.problem(home, "ssh: a.pub, file: b.pub")
        assert "needs exactly one of public_key, file and ssh, found file and ssh" in said
