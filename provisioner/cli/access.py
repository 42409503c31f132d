"""`provisioner ssh-config`, `provisioner inventory` and `provisioner hosts`: ways in to running members."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import click

from provisioner.cli.common import FAILED, SpecFile, connect_to, load_spec, say, say_data, tell_line
from provisioner.cli.help import Command
from provisioner.cli.options import connection_options, spec_argument
from provisioner.cli.writing import names_folder, replace_file
from provisioner.errors import UsageError

if TYPE_CHECKING:
    from provisioner.aws.connect import Options
    from provisioner.kinds.fleet.hosts import Host
    from provisioner.model import Environment

FLEET = click.option("--fleet", "only", metavar="FLEET", help="The members of this fleet only.")
PRIVATE = click.option("--private", is_flag=True, help="Private addresses, for whoever is in the network.")
# For its owner only, as OpenSSH wants its files.
MODE = 0o600


@click.command("ssh-config", cls=Command)
@spec_argument
@FLEET
@PRIVATE
@click.option("--out", metavar="FILE", help="Write it to a file, which it may replace.")
@connection_options
def ssh_config(spec: SpecFile, only: str | None, private: bool, out: str | None, options: Options) -> None:
    """Print a file for OpenSSH: each member that runs by a name that stays, with address, user and key."""
    from provisioner.access import ssh_config as made

    if out is not None:
        _check_target(out, made.MADE_BY)
    environment = load_spec(spec, needs_contents=False)
    hosts = _hosts(environment, options, only, with_images=True)
    for host in hosts:
        if host.key_file and not made.key_file_of(host):
            tell_line(f"{host.key_file}: OpenSSH does not take such a name, so it is left out", "note")
            break
    path = str(Path(out).absolute()) if out else None
    text = made.ssh_config(hosts, environment.name, environment.region, private, path)
    if out:
        try:
            replace_file(Path(out), text.encode(), MODE)
        except OSError as error:
            raise UsageError(f"--out {out}: {error.strerror or error}", "give another file") from None
        say(f"{len(hosts)} members written to {out}; in ~/.ssh/config: Include {path}", err=True)
        return
    _print(text)


@click.command(cls=Command)
@spec_argument
@click.option("--list", "listing", is_flag=True, help="All groups and hosts, as Ansible asks for them.")
@click.option("--host", "name", metavar="NAME", help="The variables of one host.")
@FLEET
@PRIVATE
@connection_options
def inventory(
    spec: SpecFile, listing: bool, name: str | None, only: str | None, private: bool, options: Options
) -> None:
    """Print the members that run as JSON, as Ansible takes it from a script: docs/access.md says how."""
    from provisioner.access import inventory as made

    if listing and name is not None:
        raise UsageError("--list and --host do not go together", "Ansible asks for one of them at a time")
    environment = load_spec(spec, needs_contents=False)
    hosts = _hosts(environment, options, only, with_images=True)
    if name is None:
        say_data(made.inventory(hosts, environment.name, private))
    else:
        say_data(made.variables_of(hosts, name, private))


@click.command(cls=Command)
@spec_argument
@FLEET
@PRIVATE
@connection_options
def hosts(spec: SpecFile, only: str | None, private: bool, options: Options) -> None:
    """Print the address of each member that runs, one a line. Exits with 1 if one has none."""
    without: list[str] = []
    for host in _hosts(load_spec(spec, needs_contents=False), options, only):
        address = host.address(private)
        if address:
            say(address)
        else:
            without.append(host.id)
    if without:
        which, other = ("private", "") if private else ("public", "; --private prints the private ones")
        tell_line(f"no {which} address: {', '.join(without)}{other}", "note")
        raise click.exceptions.Exit(FAILED)


def _hosts(
    environment: Environment, options: Options, only: str | None, with_images: bool = False
) -> tuple[Host, ...]:
    """The members that run; what is worth telling besides goes to stderr."""
    from provisioner.kinds import find_hosts

    found = find_hosts(connect_to(environment, options), environment, only, with_images)
    for note in found.notes:
        tell_line(note, "note")
    if not found.hosts:
        tell_line("no member runs", "note")
    return found.hosts


def _check_target(out: str, made_by: str) -> None:
    """Raises UsageError where no file may be written: over what is none of ours, such as ~/.ssh/config."""
    if names_folder(out):
        raise UsageError(f"--out {out}: is not the name of a file", "give the name of a file")
    target = Path(out)
    if not os.path.isdir(target.parent):  # noqa: PTH112  Path.is_dir raises for names that are too long
        raise UsageError(f"--out {out}: there is no folder {target.parent}", "make it first")
    try:
        if not stat.S_ISREG(target.lstat().st_mode):
            raise UsageError(f"--out {out}: is not a regular file", "give the name of a file")
        with target.open("rb") as file:
            is_ours = file.read(len(made_by)) == made_by.encode()
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise UsageError(f"--out {out}: {error}", "give another file") from None
    if not is_ours:
        raise UsageError(
            f"--out {out}: there is a file that `ssh-config` has not made",
            "give another file, and name that in ~/.ssh/config: Include FILE",
        )


def _print(text: str) -> None:
    from provisioner.cli import output

    output.out().lines(text.rstrip("\n"))
