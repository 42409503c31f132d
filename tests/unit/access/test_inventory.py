"""The inventory, as data and as Ansible itself reads it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from provisioner.access.inventory import inventory, variables, variables_of
from tests.unit.access.hosts import host

ANSIBLE = shutil.which("ansible-inventory", path=str(Path(sys.executable).parent)) or shutil.which(
    "ansible-inventory"
)
with_ansible = pytest.mark.skipif(
    ANSIBLE is None, reason="there is no `ansible-inventory`; `make setup` brings it"
)
EVIL = "{{ lookup('pipe', 'touch pwned') }}"


def test_groups_by_fleet_and_what_is_known_of_each_host() -> None:
    hosts = [host(7), host(8), host(9, fleet="data-base", alias="i-00000000000000009")]
    data = inventory(hosts, "crunch", private=False)
    assert {key: data[key] for key in data if key != "_meta"} == {
        "crunch": {"children": ["data_base", "worker"]},
        "data_base": {"hosts": ["i-00000000000000009"]},
        "worker": {"hosts": ["crunch-worker-07", "crunch-worker-08"]},
    }
    assert list(data["_meta"]["hostvars"]) == ["crunch-worker-07", "crunch-worker-08", "i-00000000000000009"]
    known = data["_meta"]["hostvars"]["crunch-worker-07"]
    assert known["ansible_ssh_private_key_file"].endswith("/.ssh/id_ed25519")
    assert "~" not in known["ansible_ssh_private_key_file"]
    assert {name: known[name] for name in known if name != "ansible_ssh_private_key_file"} == {
        "ansible_host": "203.0.113.7",
        "ansible_user": "ec2-user",
        "ec2_instance_id": "i-00000000000000007",
        "ec2_instance_type": "t3.micro",
        "ec2_availability_zone": "us-east-1a",
        "ec2_image_id": "ami-00000000000000001",
        "ec2_public_ip": "203.0.113.7",
        "ec2_private_ip": "10.0.0.7",
        "provisioner_environment": "crunch",
        "provisioner_fleet": "worker",
        "ec2_tags": {"Name": "worker-07"},
    }


NAMES: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {
    "an environment that is called as a fleet": (
        "worker",
        ("worker",),
        {"environment_worker": ["worker"], "worker": 1},
    ),
    "fleets that differ in what Ansible does not take": (
        "crunch",
        ("a-b", "a.b"),
        {"a_b": 1, "a_b_": 1, "crunch": ["a_b", "a_b_"]},
    ),
    "a digit first": ("4u", ("2x",), {"_2x": 1, "_4u": ["_2x"]}),
    "a group of Ansible's own": ("crunch", ("all",), {"_all": 1, "crunch": ["_all"]}),
    "no hosts": ("crunch", (), {"crunch": []}),
}


@pytest.mark.parametrize("case", NAMES)
def test_names_of_groups(case: str) -> None:
    environment, fleets, groups = NAMES[case]
    hosts = [host(number, fleet=fleet) for number, fleet in enumerate(fleets, 1)]
    data = inventory(hosts, environment, private=False)
    told = {
        name: group.get("children", len(group.get("hosts", ())))
        for name, group in data.items()
        if name != "_meta"
    }
    assert told == groups


VARIABLES: dict[str, tuple[dict[str, Any], bool, str, Any]] = {
    "by its private address": ({}, True, "ansible_host", "10.0.0.7"),
    "without a public address": ({"public_ip": None}, False, "ansible_host", "10.0.0.7"),
    "without a known user": ({"image": {}}, False, "ansible_user", None),
    "without a file of its key": ({"key_file": None}, False, "ansible_ssh_private_key_file", None),
    "a template for a file": ({"key_file": "/{{ x }}"}, False, "ansible_ssh_private_key_file", None),
    "Windows": ({"image": {"Platform": "windows"}}, False, "ansible_connection", "winrm"),
    "a template in a tag": (
        {"tags": {"a": EVIL}},
        False,
        "ec2_tags",
        {"a": {"__ansible_unsafe": EVIL}},
    ),
    "a template for a tag": ({"tags": {EVIL: "a"}}, False, "ec2_tags", {}),
}


@pytest.mark.parametrize("case", VARIABLES)
def test_variables(case: str) -> None:
    differing, private, name, value = VARIABLES[case]
    assert variables(host(**differing), private).get(name) == value


def test_of_one_host_by_alias_or_id_and_nothing_of_none() -> None:
    hosts = [host(7), host(8)]
    assert variables_of(hosts, "crunch-worker-08", False)["ansible_host"] == "203.0.113.8"
    assert variables_of(hosts, "i-00000000000000008", False)["ansible_host"] == "203.0.113.8"
    assert variables_of(hosts, "crunch-worker-09", False) == {}


def test_a_host_without_an_address_is_in_no_group() -> None:
    data = inventory([host(public_ip=None, private_ip=None)], "crunch", private=False)
    assert data == {"_meta": {"hostvars": {}}, "crunch": {"children": []}}


@with_ansible
@pytest.mark.long
def test_ansible_reads_it_without_a_warning_and_runs_nothing_that_is_in_a_tag(tmp_path: Path) -> None:
    hosts = [host(7, tags={"note": EVIL}), host(8, fleet="data-base", key_file="/my keys/me")]
    (tmp_path / "inventory.json").write_text(json.dumps(inventory(hosts, "crunch", private=False)))
    script = tmp_path / "inventory"
    script.write_text('#!/bin/sh\ncat "$(dirname "$0")/inventory.json"\n')
    script.chmod(0o755)

    def ansible(*words: str, command: str = str(ANSIBLE)) -> str:
        ran = subprocess.run(
            [command, "-i", str(script), *words],
            cwd=tmp_path,
            env={
                "HOME": str(tmp_path),
                "PATH": f"{Path(str(ANSIBLE)).parent}:/usr/bin:/bin",
                "LC_ALL": "C.UTF-8",
            },
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        assert "WARNING" not in ran.stderr
        return ran.stdout

    read = json.loads(ansible("--list"))
    assert read["crunch"]["children"] == ["data_base", "worker"]
    assert read["worker"]["hosts"] == ["crunch-worker-07"]
    known = json.loads(ansible("--host", "crunch-worker-07"))
    assert (known["ansible_host"], known["ansible_user"]) == ("203.0.113.7", "ec2-user")

    debug = ["worker", "-c", "local", "-m", "debug", "-a", "var=ec2_tags.note"]
    assert "lookup(" in ansible(*debug, command=str(Path(str(ANSIBLE)).with_name("ansible")))
    assert not (tmp_path / "pwned").exists()
