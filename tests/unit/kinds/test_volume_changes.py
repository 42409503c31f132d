"""What a spec asks of volumes, what members have, and whether they are modified, replaced or told of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from provisioner.errors import AwsError, ProvisionerError, WaitError
from provisioner.execution import run_step
from provisioner.kinds import CALL_RULES
from provisioner.kinds.fleet.diff.live_changes import words_after
from provisioner.kinds.fleet.settings.differences import differing
from provisioner.kinds.fleet.settings.launch_tag import launch_record, read_record, write_record
from provisioner.kinds.fleet.settings.setting import How, change_steps
from provisioner.kinds.fleet.settings.volume_drift import drift_in_words, may_differ
from provisioner.kinds.fleet.settings.volume_modifications import MAX_WAIT_S, AwaitModified, ModifyVolume
from provisioner.kinds.fleet.spec import Fleet
from provisioner.kinds.instances import Device, Instance
from provisioner.kinds.volumes import ObservedVolume
from provisioner.model import Call, Environment, Wait
from provisioner.naming import ENVIRONMENT_TAG, FLEET_TAG, LAUNCH_TAG, READY_TAG
from tests.support.build import FLEET, environment, fleet_of, member, observed_fleet, planned

ROOT, DATA = "/dev/xvda", "/dev/sdf"
OURS = {ENVIRONMENT_TAG: "env", FLEET_TAG: "web"}
KEY = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000001"


def spec(**fleet: Any) -> Environment:
    plain = {"count": 1, "image": "ami-00000000000000001", "instance_type": "t3.micro"}
    return environment(fleets={"web": plain | fleet})


def volume(device: str, **differing: Any) -> ObservedVolume:
    as_made: dict[str, Any] = {
        "id": "vol-root" if device == ROOT else f"vol-{device[-1]}",
        "zone": "us-east-1a",
        "state": "in-use",
        "size_gb": 8,
        "type": "gp3",
        "iops": 3000,
        "throughput": 125,
        "encrypted": False,
        "kms_key": None,
        "instance": "i-01",
        "device": device,
        "goes": True,
        "tags": OURS,
    }
    return ObservedVolume(**as_made | differing)


def launched(as_spec: Environment, now: Environment, there: Mapping[str, Mapping[str, Any]]) -> Instance:
    """A member launched by one spec, with these volumes by now, as another spec sees it."""
    record = write_record(launch_record(fleet_of(as_spec)))
    devices = {
        at: Device(found.id, True, found)
        for at, differing in {ROOT: {}, **there}.items()
        for found in [volume(at, **differing)]
    }
    return member(1, fleet_of(now), root_device=ROOT, devices=devices, tags={LAUNCH_TAG: record})


@dataclass(frozen=True)
class Case:
    """`modified` are parameters of ModifyVolume by volume; `recorded`: nothing need be read afterwards."""

    first: dict[str, Any]
    then: dict[str, Any]
    there: dict[str, dict[str, Any]] = field(default_factory=dict)
    modified: dict[str, dict[str, Any]] = field(default_factory=dict)
    replaced: tuple[str, ...] = ()
    told: str = ""
    recorded: bool = True


def root(**fields: Any) -> dict[str, Any]:
    return {"root_volume": fields}


def data(*volumes: dict[str, Any]) -> dict[str, Any]:
    return {"volumes": [{"device": DATA, **fields} for fields in volumes]}


CASES: dict[str, Case] = {
    "nothing is said of volumes": Case({}, {}),
    "a root volume is to be larger": Case(root(size_gb=8), root(size_gb=20), {}, {"vol-root": {"Size": 20}}),
    "a root volume that the spec left to the image is to be larger": Case(
        {}, root(size_gb=20), {}, {"vol-root": {"Size": 20}}
    ),
    "all that EBS modifies": Case(
        root(size_gb=8),
        root(size_gb=20, type="gp3", iops=4000, throughput=250),
        {},
        {"vol-root": {"Size": 20, "Iops": 4000, "Throughput": 250}},
    ),
    "another type brings its own performance, so what the spec says of it is sent too": Case(
        root(size_gb=100, type="io2", iops=3000),
        root(size_gb=100, type="gp3", iops=3000, throughput=125),
        {ROOT: {"size_gb": 100, "type": "io2", "throughput": None}},
        {"vol-root": {"VolumeType": "gp3", "Iops": 3000, "Throughput": 125}},
    ),
    "what the spec says no more is left as it is": Case(
        root(size_gb=8, iops=4000), root(size_gb=8), {ROOT: {"iops": 4000}}
    ),
    "performance that somebody has lowered": Case(
        root(size_gb=8, iops=4000), root(size_gb=8, iops=4000), {}, {"vol-root": {"Iops": 4000}}
    ),
    "a root volume that somebody has grown": Case(
        root(size_gb=20),
        root(size_gb=20),
        {ROOT: {"size_gb": 40}},
        told="root_volume.size_gb is 40, and the spec says 20, on 1 member (i-01): no volume can be made",
    ),
    "a root volume that somebody has grown, and the spec says so": Case(
        root(size_gb=20), root(size_gb=40), {ROOT: {"size_gb": 40}}
    ),
    "a root volume that somebody has grown beyond what the spec asks for now": Case(
        root(size_gb=20),
        root(size_gb=30, type="gp2"),
        {ROOT: {"size_gb": 40}},
        {"vol-root": {"VolumeType": "gp2"}},
        told="root_volume.size_gb is 40, and the spec says 30",
        recorded=False,
    ),
    "a root volume that the image made larger than the spec asks for now": Case(
        {}, root(size_gb=6), told="root_volume.size_gb is 8, and the spec says 6", recorded=False
    ),
    "a root volume is to be smaller than the spec said": Case(
        root(size_gb=20), root(size_gb=10), {ROOT: {"size_gb": 20}}, replaced=("root_volume",)
    ),
    "a root volume is to be encrypted": Case(
        root(size_gb=8), root(size_gb=20, encrypted=True), {}, {"vol-root": {"Size": 20}}, ("root_volume",)
    ),
    "a root volume is to have another key": Case(
        root(size_gb=8, encrypted=True),
        root(size_gb=8, encrypted=True, kms_key_id=KEY),
        {ROOT: {"encrypted": True, "kms_key": KEY.replace("1", "2")}},
        replaced=("root_volume",),
    ),
    "a root volume has the key that the spec names now": Case(
        root(size_gb=8, encrypted=True),
        root(size_gb=8, encrypted=True, kms_key_id=KEY),
        {ROOT: {"encrypted": True, "kms_key": KEY}},
    ),
    "a root volume that is not encrypted any more, by hand": Case(
        root(size_gb=8, encrypted=True),
        root(size_gb=8, encrypted=True),
        told="root_volume.encrypted is false, and the spec says true, on 1 member (i-01): changed by hand",
    ),
    "a volume is to be larger": Case(
        data({"size_gb": 8}), data({"size_gb": 9}), {DATA: {}}, {"vol-f": {"Size": 9}}
    ),
    "one of two volumes is to be larger": Case(
        data({"size_gb": 8}, {"device": "/dev/sdg", "size_gb": 8}),
        data({"size_gb": 8}, {"device": "/dev/sdg", "size_gb": 9}),
        {DATA: {}, "/dev/sdg": {}},
        {"vol-g": {"Size": 9}},
    ),
    "a volume with a key by its alias is to be larger": Case(
        data({"size_gb": 8, "encrypted": True, "kms_key_id": "alias/disks"}),
        data({"size_gb": 9, "encrypted": True, "kms_key_id": "alias/disks"}),
        {DATA: {"encrypted": True, "kms_key": KEY}},
        {"vol-f": {"Size": 9}},
    ),
    "a volume is to have another key by its alias": Case(
        data({"size_gb": 8, "encrypted": True, "kms_key_id": "alias/disks"}),
        data({"size_gb": 8, "encrypted": True, "kms_key_id": "alias/others"}),
        {DATA: {"encrypted": True, "kms_key": KEY}},
        replaced=("volumes",),
    ),
    "a volume is to be larger that the account has encrypted by default": Case(
        data({"size_gb": 8, "encrypted": False}),
        data({"size_gb": 9, "encrypted": False}),
        {DATA: {"encrypted": True}},
        {"vol-f": {"Size": 9}},
        told="volumes./dev/sdf.encrypted is true, and the spec says false",
        recorded=False,
    ),
    "a volume is to be larger, and somebody has taken off another one": Case(
        data({"size_gb": 8}, {"device": "/dev/sdg", "size_gb": 8}),
        data({"size_gb": 8}, {"device": "/dev/sdg", "size_gb": 9}),
        {"/dev/sdg": {}},
        {"vol-g": {"Size": 9}},
        told="volumes./dev/sdf is not attached on 1 member (i-01): changed by hand, and left alone",
        recorded=False,
    ),
    "a volume is to be larger beside one of the image": Case(
        data({"size_gb": 8}), data({"size_gb": 9}), {DATA: {}, "/dev/xvdb": {}}, {"vol-f": {"Size": 9}}
    ),
    "a volume that somebody has grown": Case(
        data({"size_gb": 8}),
        data({"size_gb": 8}),
        {DATA: {"size_gb": 9}},
        told="volumes./dev/sdf.size_gb is 9, and the spec says 8",
    ),
    "a volume is to be encrypted": Case(
        data({"size_gb": 8}), data({"size_gb": 8, "encrypted": True}), {DATA: {}}, replaced=("volumes",)
    ),
    "a further volume": Case(
        data({"size_gb": 8}),
        data({"size_gb": 8}, {"device": "/dev/sdg", "size_gb": 8}),
        {DATA: {}},
        replaced=("volumes",),
    ),
    "a volume that somebody has taken off": Case(
        data({"size_gb": 8}),
        data({"size_gb": 8}),
        told="volumes./dev/sdf is not attached on 1 member (i-01): changed by hand, and left alone",
    ),
    "a volume of somebody else in place of ours": Case(
        data({"size_gb": 8}),
        data({"size_gb": 9}),
        {DATA: {"tags": {}}},
        told="volumes./dev/sdf is vol-f on 1 member (i-01): it does not have the tags of this fleet",
        recorded=False,
    ),
    "a volume that the spec lists no more": Case(
        data({"size_gb": 8}, {"device": "/dev/sdg", "size_gb": 8}),
        data({"size_gb": 9}),
        {DATA: {}, "/dev/sdg": {}},
        {"vol-f": {"Size": 9}},
        told="volume /dev/sdg is not in `volumes:`",
        recorded=False,
    ),
    "the size of a root volume is left to others": Case(
        root(size_gb=8), {**root(size_gb=20), "ignore_changes": ["root_volume.size_gb"]}
    ),
    "the rest of it is not": Case(
        root(size_gb=8),
        {**root(size_gb=20, iops=4000), "ignore_changes": ["root_volume.size_gb"]},
        {ROOT: {"size_gb": 40}},
        {"vol-root": {"Iops": 4000}},
    ),
    "all of a root volume is left to others": Case(
        root(size_gb=20),
        {**root(size_gb=10, encrypted=True, iops=4000), "ignore_changes": ["root_volume"]},
        {ROOT: {"size_gb": 20}},
    ),
    "sizes of volumes are left to others": Case(
        data({"size_gb": 8}),
        {**data({"size_gb": 9, "iops": 4000}), "ignore_changes": ["volumes.size_gb"]},
        {DATA: {}},
        {"vol-f": {"Iops": 4000}},
        recorded=False,
    ),
    "one volume is left to others": Case(
        data({"size_gb": 8}, {"device": "/dev/sdg", "size_gb": 8}),
        {
            **data({"size_gb": 9}, {"device": "/dev/sdg", "size_gb": 9}),
            "ignore_changes": ["volumes./dev/sdg"],
        },
        {DATA: {}},
        {"vol-f": {"Size": 9}},
        recorded=False,
    ),
    "all volumes are left to others": Case(
        data({"size_gb": 8}), {**data({"size_gb": 9, "encrypted": True}), "ignore_changes": ["volumes"]}
    ),
}


def modifications(fleet: Fleet, its: Instance) -> dict[str, dict[str, Any]]:
    """What is sent, by volume."""
    steps = change_steps(differing(fleet, [its], How.LIVE).get(its.id, ()), [its], fleet, {})
    return {
        modification.volume: dict(modification.params)
        for step in steps
        if isinstance(step, AwaitModified)
        for modification in step.modified
    }


@pytest.mark.parametrize("name", CASES)
def test_a_volume_that_differs_is_modified_or_the_member_replaced_or_it_is_told(name: str) -> None:
    case = CASES[name]
    now = spec(**case.then)
    fleet, its = fleet_of(now), launched(spec(**case.first), now, case.there)
    assert modifications(fleet, its) == case.modified
    assert (
        tuple(setting.path for setting in differing(fleet, [its], How.REPLACE).get(its.id, ()))
        == case.replaced
    )
    live = differing(fleet, [its], How.LIVE).get(its.id, ())
    assert bool(live) is bool(case.modified)
    sent = {"Size": "size_gb", "VolumeType": "type", "Iops": "iops", "Throughput": "throughput"}
    changed = {sent[param] for params in case.modified.values() for param in params}
    assert {setting.path.split(".")[-1] for setting in live} <= changed
    said = " ".join(drift_in_words(fleet, [its]))
    assert case.told in said
    assert bool(said) is bool(case.told)
    if case.replaced:
        return
    record = {**read_record(its), **words_after(live, fleet, its)}
    after = member(1, fleet, tags={LAUNCH_TAG: write_record(record)}) if live else its
    is_known = case.recorded and (live or case.first == case.then)
    assert not is_known or not may_differ(fleet, after)


def test_what_a_launch_tag_has_no_room_for_is_read_from_the_root_volume() -> None:
    """The tag is written after the volume was modified, and EC2 takes 256 characters."""
    long = {
        "image": {"ssm": "/an/image", "update": "pin"},
        "user_data": "#!/bin/sh\n",
        "volumes": [{"device": DATA, "size_gb": 8}],
        "shutdown_behavior": "terminate",
        "stop_protection": False,
        "ready": "cloud_init",
    }
    disk = {"size_gb": 1000, "type": "gp3", "encrypted": True, "kms_key_id": "alias/disks"}
    before, now = spec(**long, **root(**disk)), spec(**long, **root(**disk, iops=16000, throughput=1000))

    def its(tag: str | None = None, **differing: Any) -> Instance:
        """The member whose root volume differs so, with another launch tag than it was launched with."""
        made = launched(before, now, {ROOT: {"size_gb": 1000, "encrypted": True, **differing}, DATA: {}})
        tags = {**(made.tags or {}), READY_TAG: "yes"}
        return replace(made, tags={**tags, LAUNCH_TAG: tag} if tag else tags)

    (change,) = planned(now, {FLEET: observed_fleet([its()])}).changes
    (tag,) = [
        tag["Value"]
        for step in change.steps
        if isinstance(step, Call) and step.operation == "CreateTags"
        for tag in step.params["Tags"]
    ]
    assert len(tag) <= 256
    after = its(tag, iops=16000, throughput=1000)
    (shown,) = [step.condition for step in change.steps if isinstance(step, Wait) and step.condition]
    assert shown.holds(after)
    assert may_differ(fleet_of(now), after)
    assert planned(now, {FLEET: observed_fleet([after])}).changes == ()
    assert [field.path for field in change.fields] == ["root_volume.iops", "root_volume.throughput"]


@pytest.mark.parametrize("digest", ["6ffdddaa91d5", "5f05611274de"])
def test_a_launch_tag_of_an_earlier_version_says_the_same_of_volumes(digest: str) -> None:
    now = spec(**data({"size_gb": 8, "encrypted": True, "delete_on_termination": False}))
    assert not may_differ(fleet_of(now), member(1, fleet_of(now), tags={LAUNCH_TAG: f"volumes={digest}"}))


def test_a_replacement_shows_what_volumes_are_and_what_they_are_to_be() -> None:
    now = spec(**data({"size_gb": 8, "encrypted": True}))
    its = launched(spec(**data({"size_gb": 8})), now, {DATA: {}})
    (change,) = planned(now, {FLEET: observed_fleet([its])}).changes
    (field,) = change.fields
    assert (field.path, change.action) == ("volumes", "replace")
    assert field.before == "/dev/sdf encrypted false, iops 3000, size_gb 8, throughput 125, type gp3"
    assert field.after == "/dev/sdf encrypted true, size_gb 8, type gp3"


def test_whose_a_volume_is_does_not_hang_on_the_tags_of_its_member() -> None:
    now = spec(**data({"size_gb": 9}))
    its = launched(spec(**data({"size_gb": 8})), now, {DATA: {}})
    others = {key: value for key, value in (its.tags or {}).items() if key != FLEET_TAG}
    assert modifications(fleet_of(now), replace(its, tags=others)) == {"vol-f": {"Size": 9}}
    elsewhere = launched(spec(**data({"size_gb": 8})), now, {DATA: {"tags": OURS | {FLEET_TAG: "other"}}})
    assert modifications(fleet_of(now), elsewhere) == {}


@pytest.mark.parametrize("name", CASES)
def test_of_volumes_that_were_not_read_nothing_is_said(name: str) -> None:
    case = CASES[name]
    now = spec(**case.then)
    its = launched(spec(**case.first), now, case.there)
    unread = {at: device._replace(details=None) for at, device in (its.devices or {}).items()}
    its = member(1, fleet_of(now), root_device=ROOT, devices=unread, tags={LAUNCH_TAG: its.tag(LAUNCH_TAG)})
    assert not modifications(fleet_of(now), its)
    assert not [*drift_in_words(fleet_of(now), [its])]
    assert not differing(fleet_of(now), [its], How.REPLACE)
    assert not differing(fleet_of(now), [its], How.LIVE)


class Ebs:
    """Answers ModifyVolume with an error, if any, and each look with the next states of `vol-1`, `vol-2`."""

    def __init__(self, refusal: str = "", *looks: Mapping[str, str], size: int = 20) -> None:
        self.refusal = refusal
        self.looks = list(looks)
        self.size = size
        self.sent: list[str] = []
        self.paused = 0.0

    def send(self, call: Call) -> dict[str, Any]:
        self.sent.append(call.operation)
        if call.operation == "ModifyVolume":
            if self.refusal:
                raise AwsError("ec2", "ModifyVolume", self.refusal, "no", 400)
            return {}
        look = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        (asked,) = call.params["Filters"]
        states = [{"VolumeId": volume_id, "ModificationState": state} for volume_id, state in look.items()]
        return {
            "VolumesModifications": [
                {**modification, "TargetSize": self.size}
                for modification in states
                if modification["VolumeId"] in asked["Values"]
            ]
        }

    def pause(self, seconds: float) -> None:
        self.paused += seconds

    def tell(self, phase: str) -> None:
        pass


ONE, TWO = ModifyVolume("vol-1", {"Size": 20}), ModifyVolume("vol-2", {"Size": 20})


@pytest.mark.parametrize("code", ["IncorrectModificationState", "VolumeModificationRateExceeded"])
@pytest.mark.parametrize("state", ["modifying", "optimizing", "completed"])
def test_a_modification_that_was_begun_before_is_taken_for_this_one(code: str, state: str) -> None:
    ebs = Ebs(code, {"vol-1": state})
    run_step(ONE, ebs)  # type: ignore[arg-type]
    assert ebs.sent == ["ModifyVolume", "DescribeVolumesModifications"]


@pytest.mark.parametrize(
    ("code", "look", "size"),
    [
        ("IncorrectModificationState", {"vol-1": "optimizing"}, 19),
        ("VolumeModificationRateExceeded", {"vol-1": "failed"}, 20),
        ("VolumeModificationRateExceeded", {}, 20),
    ],
)
def test_another_modification_that_was_begun_before_is_told(
    code: str, look: dict[str, str], size: int
) -> None:
    with pytest.raises(AwsError) as raised:
        run_step(ONE, Ebs(code, look, size=size))  # type: ignore[arg-type]
    assert raised.value.code == code
    assert "four within 24 hours" in CALL_RULES.hints["ModifyVolume", code]("")


def test_any_other_refusal_is_told_as_it_is() -> None:
    ebs = Ebs("UnauthorizedOperation", {})
    with pytest.raises(AwsError):
        run_step(ONE, ebs)  # type: ignore[arg-type]
    assert ebs.sent == ["ModifyVolume"]


def test_volumes_are_waited_for_together_until_they_are_optimizing() -> None:
    first, second = {"vol-1": "modifying", "vol-2": "optimizing"}, {"vol-1": "completed"}
    ebs = Ebs("", first, second)
    run_step(AwaitModified((ONE, TWO)), ebs)  # type: ignore[arg-type]
    assert ebs.sent == ["DescribeVolumesModifications"] * 2
    assert ebs.paused > 0


def test_a_modification_that_is_not_shown_yet_is_not_taken_for_done() -> None:
    """EC2 shows the one before for a moment."""
    with pytest.raises(WaitError):
        run_step(AwaitModified((ONE,)), Ebs("", {"vol-1": "completed"}, size=10))  # type: ignore[arg-type]


def test_a_modification_that_fails_is_told() -> None:
    with pytest.raises(ProvisionerError, match="modification of vol-2 failed"):
        run_step(AwaitModified((ONE, TWO)), Ebs("", {"vol-1": "completed", "vol-2": "failed"}))  # type: ignore[arg-type]


def test_waiting_has_an_end() -> None:
    ebs = Ebs("", {"vol-1": "modifying"})
    with pytest.raises(WaitError, match="vol-1 not modified after 10 minutes"):
        run_step(AwaitModified((ONE,)), ebs)  # type: ignore[arg-type]
    assert MAX_WAIT_S <= ebs.paused < MAX_WAIT_S + 10
