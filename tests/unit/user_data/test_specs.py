"""What a spec says of readiness, and of user data beside parts of ours: how it is read and refused."""

from __future__ import annotations

import gzip
import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from provisioner.errors import SpecError
from provisioner.kinds import KINDS
from provisioner.kinds.fleet.spec import Fleet
from provisioner.spec.loader import load


def load_fleet(folder: Path, **fields: Any) -> Fleet:
    plain = {"count": 1, "image": "ami-00000000000000001", "instance_type": "t3.micro"}
    spec = {"environment": "e", "region": "us-east-1", "fleets": {"web": plain | fields}}
    (folder / "spec.yaml").write_text(yaml.safe_dump(spec))
    (fleet,) = load(str(folder / "spec.yaml"), KINDS).of(Fleet).values()
    return fleet


def refusal(folder: Path, **fields: Any) -> str:
    with pytest.raises(SpecError) as raised:
        load_fleet(folder, **fields)
    (problem,) = raised.value.problems
    return f"{problem.field}: {problem.message}; {problem.hint}"


@pytest.mark.parametrize(
    ("ready", "healthy", "in_updates"),
    [
        (None, None, "running"),
        (None, "status_ok", "status_ok"),
        ("running", "running", "running"),
        ("running", "status_ok", "status_ok"),
        ("status_ok", None, "status_ok"),
        ("status_ok", "status_ok", "status_ok"),
        ("cloud_init", None, "cloud_init"),
        ("status_ok", "running", None),
        ("cloud_init", "running", None),
        ("cloud_init", "status_ok", None),
    ],
)
def test_updates_ask_no_less_of_members_than_the_fleet(
    tmp_path: Path, ready: str | None, healthy: str | None, in_updates: str | None
) -> None:
    fields: dict[str, Any] = {"ready": ready} if ready else {}
    fields |= {"update": {"healthy": healthy}} if healthy else {}
    if in_updates:
        fleet = load_fleet(tmp_path, **fields)
        assert (fleet.ready, fleet.update.healthy) == (ready or "running", in_updates)
    else:
        assert refusal(tmp_path, **fields) == (
            f"fleets.web.update.healthy: {healthy} asks less of a member than the fleet's `ready: {ready}`; "
            f"take it out: {ready} is its default then"
        )


def noise(size: int) -> bytes:
    """User data that nothing makes smaller, packed already."""
    letters = bytes(random.Random(1).choices(range(33, 127), k=2 * size))
    few = b""
    for count in range(size, 2 * size, 20):
        more = gzip.compress(b"#!/bin/sh\n#" + letters[:count], mtime=0)
        if len(more) > size:
            break
        few = more
    return few


@pytest.mark.parametrize(
    "fields", [{"ready": "cloud_init"}, {"expires": "8h"}, {"ready": "cloud_init", "expires": "8h"}]
)
def test_user_data_that_leaves_too_little_room_is_told_how_much_there_is(
    tmp_path: Path, fields: dict[str, Any]
) -> None:
    (tmp_path / "data").write_bytes(content := noise(16384))
    assert load_fleet(tmp_path, user_data={"file": "data"}).user_data == content
    told = refusal(tmp_path, user_data={"file": "data"}, **fields)
    assert told.startswith(f"fleets.web.user_data: {len(content)} bytes of user data, and ")
    left = int(told.partition("so ")[2].partition(" ")[0])
    assert 13000 < left < 16000
    (tmp_path / "data").write_bytes(noise(left))
    assert load_fleet(tmp_path, user_data={"file": "data"}, **fields).ready


def test_text_of_16_kb_has_room_for_both(tmp_path: Path) -> None:
    text = "#!/bin/sh\n" + "echo hello\n" * 1488
    assert 16300 < len(text) <= 16384
    assert load_fleet(tmp_path, user_data=text, ready="cloud_init", expires="8h").user_data == text.encode()


@pytest.mark.parametrize(
    ("user_data", "why"),
    [
        ("<powershell>\nGet-Date\n</powershell>", "is for Windows, where there is no cloud-init"),
        ('{"ignition": {"version": "3.4.0"}}', "is for Ignition, and not for cloud-init"),
    ],
)
def test_user_data_that_is_not_for_cloud_init_is_refused(tmp_path: Path, user_data: str, why: str) -> None:
    assert load_fleet(tmp_path, user_data=user_data, ready="status_ok").ready == "status_ok"
    assert refusal(tmp_path, user_data=user_data, ready="cloud_init") == (
        f"fleets.web.user_data: the user data {why}, and `ready: cloud_init` needs cloud-init; "
        "take `ready: cloud_init` out, or use other user data"
    )
    both = refusal(tmp_path, user_data=user_data, ready="cloud_init", expires="8h")
    assert "`expires` and `ready: cloud_init` need cloud-init; take" in both
