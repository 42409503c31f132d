"""Who only looks, moves an end or destroys needs no file of a spec: the bill can be stopped from anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.errors import SpecError
from provisioner.kinds import KINDS
from provisioner.spec import load

WHOLE = """\
environment: test
region: us-east-1
roles: {worker: {inline_policies: {write: {file: write.json}}}}
key_pairs: {me: {ssh: me.pub}, ci: {file: ci.pub}}
fleets:
  web: {count: 1, image: ami-0123456789abcdef0, instance_type: t3.micro, ready: cloud_init,
        user_data: {file: setup.sh}, key_name: me}
"""
BROKEN = {
    "nothing": None,
    "no text": b"\xff\xfe\x00",
    "no key, no JSON": b"what is this",
    "null": b"null",
    "more than EC2 takes": b"x" * 40_000,
    "more than is read": b"x" * (1024 * 1024 + 1),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "home/.ssh").mkdir(parents=True)
    (tmp_path / "specs").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


def written(folder: Path, text: str = WHOLE) -> str:
    spec = folder / "specs/spec.yaml"
    spec.write_text(text)
    return str(spec)


@pytest.mark.parametrize("what", BROKEN)
def test_what_files_hold_matters_to_who_sends_it_only(what: str, folder: Path) -> None:
    content = BROKEN[what]
    if content is not None:
        for name in ("specs/write.json", "specs/ci.pub", "specs/setup.sh", "home/.ssh/me.pub"):
            (folder / name).write_bytes(content)
    spec = written(folder)
    with pytest.raises(SpecError):
        load(spec, KINDS)
    addresses = [str(address) for address in load(spec, KINDS, needs_contents=False).resources]
    assert addresses == ["role/worker", "key_pair/me", "key_pair/ci", "fleet/web"]


@pytest.mark.parametrize(
    ("right", "wrong", "field"),
    [
        ("count: 1", "count: many", "fleets.web.count"),
        ("region: us-east-1", "region: us-esat-1", "region"),
        ("{file: setup.sh}", "{file: setup.sh, mode: 7}", "fleets.web.user_data"),
        ("{ssh: me.pub}", "{ssh: ../me.pub}", "key_pairs.me"),
        ("{ssh: me.pub}", '{public_key: "ssh-dss AAAA"}', "key_pairs.me"),
        ("key_name: me", "key_name: me, user_date: 1", "fleets.web"),
    ],
)
def test_all_else_is_checked(right: str, wrong: str, field: str, folder: Path) -> None:
    spec = written(folder, WHOLE.replace(right, wrong))
    with pytest.raises(SpecError) as error:
        load(spec, KINDS, needs_contents=False)
    assert all(problem.field.startswith(field) for problem in error.value.problems)
