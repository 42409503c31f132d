"""The three ways in, as commands, on the local AWS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.cloud import Cloud
from tests.support.fixtures import Run
from tests.support.program import Program
from tests.support.setting_cases import BARE
from tests.support.specs import having

Write = Callable[[Any], Path]
SPEC = having(BARE, fleets__worker__count=3, fleets__worker__name="worker-{index:02d}")


def test_two_calls_each_and_the_same_members_in_all(
    program: Program, cloud: Cloud, run: Run, write: Write
) -> None:
    assert program.apply(SPEC).code == 0
    spec = write(SPEC)
    members = cloud.live("probe")
    public = {member["PublicIpAddress"] for member in members}
    for words, calls in (
        (["ssh-config", spec], ["DescribeInstances", "DescribeImages"]),
        (["inventory", spec, "--list"], ["DescribeInstances", "DescribeImages"]),
        (["hosts", spec], ["DescribeInstances"]),
    ):
        cloud.forget_calls()
        ran = run(*words)
        assert (ran.code, ran.err) == (0, "")
        assert cloud.operations() == calls
        assert all(address in ran.out for address in public)
    assert set(run("hosts", spec, "--private").out.split()) == {
        member["PrivateIpAddress"] for member in members
    }
    one = run("inventory", spec, "--host", "probe-worker-02").data
    assert (one["ansible_user"], one["ec2_tags"]["Name"]) == ("ec2-user", "worker-02")


def test_the_file_replaces_its_own_kind_only(
    program: Program, run: Run, write: Write, tmp_path: Path
) -> None:
    assert program.apply(SPEC).code == 0
    file, other = tmp_path / "probe.conf", tmp_path / "config"
    other.write_text("Host *\n")
    for _ in range(2):
        ran = run("ssh-config", write(SPEC), "--out", file)
        assert (ran.code, ran.out) == (0, "")
        assert f"Include {file}" in ran.err
    assert "Host probe-worker-01 i-" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    refused = run("ssh-config", write(SPEC), "--out", other)
    assert (refused.code, other.read_text()) == (3, "Host *\n")
    assert "there is a file that `ssh-config` has not made" in refused.err
    for name in ("", f"{file}/"):
        unclear = run("ssh-config", write(SPEC), "--out", name)
        assert (unclear.code, "is not the name of a file" in unclear.err) == (3, True), unclear.said


def test_members_without_a_public_address_are_told(
    program: Program, cloud: Cloud, run: Run, write: Write
) -> None:
    spec = having(SPEC, fleets__worker__associate_public_ip=False, fleets__worker__count=1)
    assert program.apply(spec).code == 0
    (member,) = cloud.ids("probe")
    ran = run("hosts", write(spec))
    assert (ran.code, ran.out) == (1, "")
    assert f"no public address: {member}; --private prints the private ones" in ran.err


def test_wrong_words(run: Run, write: Write) -> None:
    spec = write(SPEC)
    for words, said in (
        (["hosts", spec, "--fleet", "wroker"], "has no fleet wroker"),
        (["inventory", spec, "--list", "--host", "x"], "--list and --host do not go together"),
    ):
        ran = run(*words)
        assert (ran.code, ran.out) == (3, "")
        assert said in ran.err
    empty = run("hosts", spec)
    assert (empty.code, empty.out, "no member runs" in empty.err) == (0, "", True)
