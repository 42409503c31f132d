"""What Ansible takes from a script for its inventory.

https://docs.ansible.com/ansible/latest/dev_guide/developing_inventory.html#inventory-scripts
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provisioner.access.ssh_config import reached_at
from provisioner.access.users import WINDOWS, user_of

if TYPE_CHECKING:
    from provisioner.kinds.fleet.hosts import Host

# Groups that Ansible has by itself.
_RESERVED = ("all", "ungrouped")
# What Ansible takes for a template, also in what others have written into a tag.
_TEMPLATE = re.compile(r"\{\{|\{%|\{#")


def inventory(hosts: Sequence[Host], environment: str, private: bool) -> dict[str, Any]:
    """All hosts that have an address: a group a fleet, one of all of these, and the variables of each."""
    reachable = [host for host in hosts if reached_at(host, private)]
    groups: dict[str, list[str]] = {}
    names = _group_names({host.fleet for host in reachable})
    for host in reachable:
        groups.setdefault(names[host.fleet], []).append(host.alias)
    whole = _group_name(environment)
    whole = f"environment_{whole}" if whole in groups else whole
    return {
        "_meta": {"hostvars": {host.alias: variables(host, private) for host in reachable}},
        whole: {"children": sorted(groups)},
        **{name: {"hosts": members} for name, members in sorted(groups.items())},
    }


def variables_of(hosts: Iterable[Host], name: str, private: bool) -> dict[str, Any]:
    """What is known of one host, by its alias or id; nothing of one that there is not."""
    found = (host for host in hosts if name in (host.alias, host.id) and reached_at(host, private))
    return next((variables(host, private) for host in found), {})


def variables(host: Host, private: bool) -> dict[str, Any]:
    """The variables of a host. Its own have a prefix, as Ansible has words such as `tags` for itself."""
    user = user_of(host.image)
    key_file = host.key_file if host.key_file and not _TEMPLATE.search(host.key_file) else None
    said = {
        "ansible_host": reached_at(host, private),
        "ansible_user": user,
        "ansible_ssh_private_key_file": str(Path(key_file).expanduser()) if key_file else None,
        # https://docs.ansible.com/ansible/latest/os_guide/windows_winrm.html
        "ansible_connection": "winrm" if user == WINDOWS else None,
        "ec2_instance_id": host.id,
        "ec2_instance_type": host.type,
        "ec2_availability_zone": host.zone,
        "ec2_image_id": host.image_id,
        "ec2_public_ip": host.public_ip,
        "ec2_private_ip": host.private_ip,
        "provisioner_environment": host.environment,
        "provisioner_fleet": _plain(host.fleet),
        "ec2_tags": _tags(host.tags),
    }
    return {name: value for name, value in said.items() if value is not None}


def _tags(tags: Mapping[str, str]) -> dict[str, Any]:
    return {key: _plain(value) for key, value in sorted(tags.items()) if not _TEMPLATE.search(key)}


def _plain(text: str) -> Any:
    """A text, so marked that Ansible does not run what others have written into it."""
    return {"__ansible_unsafe": text} if _TEMPLATE.search(text) else text


def _group_names(fleets: Iterable[str]) -> dict[str, str]:
    """The name of each fleet's group, no two alike."""
    names: dict[str, str] = {}
    for key in sorted(fleets):
        name = _group_name(key)
        while name in names.values():
            name += "_"
        names[key] = name
    return names


def _group_name(word: str) -> str:
    """A word as Ansible takes it for a group: letters, digits and underscores, and no digit first."""
    name = re.sub(r"[^A-Za-z0-9_]", "_", word)
    return f"_{name}" if name[:1].isdigit() or name in _RESERVED else name
