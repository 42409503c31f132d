"""The file for OpenSSH, as text and as OpenSSH itself reads it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from provisioner.access.ssh_config import ssh_config
from provisioner.kinds.fleet.hosts import Host
from tests.unit.access.hosts import host

SSH = shutil.which("ssh")
with_ssh = pytest.mark.skipif(SSH is None, reason="there is no `ssh` on the PATH")


def made(*hosts: Host, private: bool = False, path: str | None = None) -> str:
    return ssh_config(hosts, "crunch", "us-east-1", private, path)


def block(text: str) -> list[str]:
    """The lines below the heading."""
    return text.partition("\n\n")[2].strip().splitlines()


def test_a_member_by_its_alias_and_its_id() -> None:
    assert block(made(host())) == [
        "Host crunch-worker-07 i-00000000000000007",
        "    HostName 203.0.113.7",
        "    HostKeyAlias i-00000000000000007",
        "    StrictHostKeyChecking accept-new",
        "    User ec2-user",
        "    IdentityFile ~/.ssh/id_ed25519",
        "    IdentitiesOnly yes",
    ]


CASES: dict[str, tuple[dict[str, Any], bool, str, bool]] = {
    "without a number": ({"alias": "i-00000000000000007"}, False, "Host i-00000000000000007", True),
    "by its private address": ({}, True, "    HostName 10.0.0.7", True),
    "without a public address": ({"public_ip": None}, False, "    HostName 10.0.0.7", True),
    "by IPv6 only": (
        {"public_ip": None, "private_ip": None, "ipv6": "2001:db8::7"},
        False,
        "2001:db8::7",
        True,
    ),
    "without any address": ({"public_ip": None, "private_ip": None}, False, "# crunch-worker-07", True),
    "without a known user": ({"image": {}}, False, "    User", False),
    "without a file of its key": ({"key_file": None}, False, "Identit", False),
    "a file with spaces": ({"key_file": "/my keys/me"}, False, '    IdentityFile "/my keys/me"', True),
    "a file with a percent sign": ({"key_file": "/50%/me"}, False, "    IdentityFile /50%%/me", True),
    "a file with a line break": ({"key_file": "/a\n    ProxyCommand x"}, False, "ProxyCommand", False),
    "a file with a quote": ({"key_file": '/a" b'}, False, "Identit", False),
    "a file with a variable": ({"key_file": "/${HOME}/me"}, False, "Identit", False),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_written(case: str) -> None:
    differing, private, fragment, is_there = CASES[case]
    assert (fragment in "\n".join(block(made(host(**differing), private=private)))) is is_there


def test_the_heading_says_how_it_is_used_and_what_is_taken_without_asking() -> None:
    heading = made(path="/home/me/my files/crunch.conf")
    assert heading.startswith("# Made by `provisioner ssh-config` for crunch in us-east-1")
    assert 'Include "/home/me/my files/crunch.conf"' in heading
    assert "`accept-new` takes the key of a first connection without" in heading
    assert all(line.startswith("#") for line in heading.splitlines() if line)


@pytest.mark.parametrize("path", ["/a\nHost *\n", "/a\x1b[2J"])
def test_nothing_of_a_path_becomes_a_line(path: str) -> None:
    assert all(line.startswith("#") for line in made(path=path).splitlines() if line)


def read_by_ssh(config: Path, name: str) -> dict[str, str]:
    """What OpenSSH would do for a name."""
    assert SSH
    ran = subprocess.run(
        [SSH, "-G", "-F", str(config), name], capture_output=True, text=True, check=True, timeout=30
    )
    return dict(line.split(" ", 1) for line in ran.stdout.splitlines() if " " in line)


@with_ssh
@pytest.mark.parametrize("included", [False, True], ids=["by itself", "included"])
@pytest.mark.parametrize("name", ["crunch-worker-07", "i-00000000000000007"])
def test_openssh_reads_it(name: str, included: bool, tmp_path: Path) -> None:
    file = tmp_path / "crunch.conf"
    file.write_text(made(host(7, key_file="/my keys/50%/me"), host(8, image={}, key_file=None)))
    config = tmp_path / "config"
    config.write_text(f'Include "{file}"\nHost other\n  User nobody\n')
    read = read_by_ssh(config if included else file, name)
    assert {key: read[key] for key in ("hostname", "user", "hostkeyalias", "identitiesonly")} == {
        "hostname": "203.0.113.7",
        "user": "ec2-user",
        "hostkeyalias": "i-00000000000000007",
        "identitiesonly": "yes",
    }
    assert read["stricthostkeychecking"] == "accept-new"
    assert read["identityfile"].replace("%%", "%") == "/my keys/50%/me"


@with_ssh
def test_what_comes_before_the_include_wins(tmp_path: Path) -> None:
    file, config = tmp_path / "crunch.conf", tmp_path / "config"
    file.write_text(made(host()))
    config.write_text(f"StrictHostKeyChecking ask\nInclude {file}\n")
    assert read_by_ssh(config, "crunch-worker-07")["stricthostkeychecking"] == "ask"
    assert read_by_ssh(config, "somewhere-else")["hostname"] == "somewhere-else"
