"""A file for OpenSSH, to be included in `~/.ssh/config`: https://man.openbsd.org/ssh_config.

What it says of each member comes from AWS and from paths of files. What OpenSSH could take for anything else
than the value that it is, is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from provisioner.access.users import user_of

if TYPE_CHECKING:
    from provisioner.kinds.fleet.hosts import Host

MADE_BY = "# Made by `provisioner ssh-config`"
_HEADING = """\
{made_by} for {environment} in {region}: make it anew after each apply.
# To use it, write into ~/.ssh/config, before any Host: Include {path}
#
# Members are new, and so is the key that each shows. `accept-new` takes the key of a first connection without
# asking, and refuses another one later; `aws ec2 get-console-output` shows the true ones after a first boot.
# To be asked each time, write before that Include: StrictHostKeyChecking ask
# HostKeyAlias keeps the key by the id of the instance: addresses are used again, by other instances.
"""
_OPENSSH_TAKES_FOR_MORE = re.compile(r'["\\\x00-\x1f\x7f]|\$\{')


def ssh_config(
    hosts: Sequence[Host], environment: str, region: str, private: bool, path: str | None = None
) -> str:
    """The file for hosts, each by its alias and its id. `path`: where it will be."""
    shown = path if path and path.isprintable() else "THIS FILE"
    heading = _HEADING.format(made_by=MADE_BY, environment=environment, region=region, path=_quoted(shown))
    return "\n".join([heading, *("\n".join([*_lines(host, private), ""]) for host in hosts)])


def reached_at(host: Host, private: bool) -> str | None:
    """The address for SSH: the public one if there is one, unless the private one is asked for."""
    return host.address(private) or host.address(private=True)


def key_file_of(host: Host) -> str | None:
    """The file with its private key as OpenSSH takes it, if there is one that can be written."""
    if not host.key_file or _OPENSSH_TAKES_FOR_MORE.search(host.key_file):
        return None
    return _quoted(host.key_file.replace("%", "%%"))


def _lines(host: Host, private: bool) -> Iterator[str]:
    address, user, key_file = reached_at(host, private), user_of(host.image), key_file_of(host)
    names = [host.alias] if host.alias == host.id else [host.alias, host.id]
    if address is None:
        yield f"# {' '.join(names)} has no address"
        return
    yield f"Host {' '.join(names)}"
    yield f"    HostName {address}"
    yield f"    HostKeyAlias {host.id}"
    yield "    StrictHostKeyChecking accept-new"
    if user:
        yield f"    User {user}"
    else:
        yield "    # The user of its image is not known: ssh USER@HOST"
    if key_file:
        yield f"    IdentityFile {key_file}"
        yield "    IdentitiesOnly yes"


def _quoted(text: str) -> str:
    return f'"{text}"' if re.search(r"[\s#]", text) else text
