"""The members that run, as what somebody logs in to: their addresses, names and keys. At most two calls."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from provisioner.denial import in_short
from provisioner.errors import AwsError, UsageError
from provisioner.kinds.base import Reader
from provisioner.kinds.fleet.observed import FOREIGN, find_fleets
from provisioner.kinds.fleet.placement import index_of
from provisioner.kinds.fleet.settings.values import KEY
from provisioner.kinds.fleet.spec import Fleet
from provisioner.kinds.instances import MAX_FILTER_VALUES, Instance
from provisioner.kinds.key_pair.spec import UNKNOWN, KeyPair
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Address, Environment
from provisioner.retry import is_withheld

_INDEX = re.compile(r"\{index[^{}]*\}")
# What EC2 makes, and the keys that a spec can have: all else is somebody's who writes tags, or no EC2.
_ID = re.compile(r"i-[0-9a-f]{8,17}")
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_PUBLIC_HALF = ".pub"


@dataclass(frozen=True)
class Host:
    """A member that runs. `alias` is its number in the fleet where members are numbered, else its id.

    `image` is what EC2 describes of its image; empty where it does not. `key_file` is where the private half
    of its key should be, beside the public half that the spec names; None: the spec names no file.
    """

    alias: str
    id: str
    fleet: str
    environment: str
    type: str
    zone: str
    image_id: str
    public_ip: str | None = None
    private_ip: str | None = None
    ipv6: str | None = None
    key_file: str | None = None
    image: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    def address(self, private: bool) -> str | None:
        """Where it is reached from outside, or from within its network."""
        return (self.private_ip or self.ipv6) if private else self.public_ip


class Hosts(NamedTuple):
    """The members that run, in a fixed order; what is worth telling besides is in `notes`."""

    hosts: tuple[Host, ...]
    notes: tuple[str, ...]


def find_hosts(
    reader: Reader, environment: Environment, fleet: str | None = None, with_images: bool = False
) -> Hosts:
    """The members of an environment, or of one fleet, that run. `with_images`: one call more, for all images.

    Raises AwsError, and UsageError for a fleet that there is not, and for an account that is not the spec's.
    """
    written = {address.key: entry for address, entry in environment.of(Fleet).items()}
    found = find_fleets(reader, environment.name, written, reader.now())
    members = {key: observed.members for key, observed in found.items() if key != FOREIGN}
    _check_account(environment, [member for those in members.values() for member in those])
    if fleet is not None and fleet not in {*written, *members}:
        known = ", ".join(sorted({*written, *members})) or "none"
        raise UsageError(f"{environment.source} has no fleet {fleet}", f"its fleets: {known}")
    chosen = {key: those for key, those in sorted(members.items()) if fleet in (None, key)}
    running = {key: [one for one in those if one.state == "running"] for key, those in chosen.items()}
    key_pairs = {key_pair.name: key_pair for key_pair in environment.of(KeyPair).values()}
    notes = [*_not_running(chosen), *_with_another_key(running, key_pairs)]
    images: dict[str, Mapping[str, Any]] = {}
    if with_images:
        ids = sorted({member.image for those in running.values() for member in those if member.image})
        images, denied = _images(reader, ids)
        notes += denied
    folder = Path(environment.source).absolute().parent
    hosts = (
        host
        for key, those in running.items()
        for host in _hosts(key, those, written.get(key), environment.name, images, key_pairs, folder)
    )
    return Hosts(tuple(hosts), tuple(notes))


def _check_account(environment: Environment, members: Iterable[Instance]) -> None:
    """Raises UsageError where members are another account's than the spec is for, as EC2 describes them."""
    for member in members:
        for interface in member.described.get("NetworkInterfaces", ()):
            owner = interface.get("OwnerId")
            if environment.account_id and owner and owner != environment.account_id:
                raise UsageError(
                    f"{environment.source}: the spec is for account {environment.account_id}, and these "
                    f"credentials belong to {owner}",
                    "use the credentials of that account (--profile), or correct `account_id`",
                )


def _not_running(chosen: Mapping[str, Sequence[Instance]]) -> Iterator[str]:
    for key, members in chosen.items():
        left_out = [member for member in members if member.state != "running"]
        if left_out:
            are = "do not run and are" if len(left_out) > 1 else "does not run and is"
            yield f"{Address('fleet', key)}: {len(left_out)} of {len(members)} members {are} left out"


def _images(reader: Reader, ids: Sequence[str]) -> tuple[dict[str, Mapping[str, Any]], list[str]]:
    """Images by id, in one call; those that are gone are left out, and so are all where nobody may ask.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImages.html
    """
    if not ids:
        return {}, []
    filters = [{"Name": "image-id", "Values": list(ids[:MAX_FILTER_VALUES])}]
    try:
        answer = reader.call("ec2", "DescribeImages", Filters=filters, IncludeDeprecated=True)
    except AwsError as error:
        if not is_withheld(error):
            raise
        return {}, [f"images were not read, so users are not known: {in_short(error)}"]
    return {image["ImageId"]: image for image in answer["Images"]}, []


def _with_another_key(
    running: Mapping[str, Sequence[Instance]], key_pairs: Mapping[str, KeyPair]
) -> Iterator[str]:
    """Members that were launched before a key pair got the key that the spec has now."""
    for key, members in running.items():
        others = [member.id for member in members if not _has_the_key(member, key_pairs)]
        if others:
            yield (
                f"{Address('fleet', key)}: {', '.join(others)} launched with another key than the spec has "
                "now; that one lets in until they are replaced"
            )


def _has_the_key(member: Instance, key_pairs: Mapping[str, KeyPair]) -> bool:
    """Whether a member has the key of the spec, as far as its launch tag says.

    True of others' key pairs, and where the spec's own key is in a file that is not here.
    """
    key_pair = key_pairs.get(member.key_name or "")
    if key_pair is None or key_pair.public_key == UNKNOWN:
        return True
    return KEY.of(member) in (None, key_pair.public_key.mark)


def _key_file(member: Instance, key_pairs: Mapping[str, KeyPair], folder: Path) -> str | None:
    """Where the private half of a member's key is, if the spec names the public one by its file."""
    key_pair = key_pairs.get(member.key_name or "")
    named = (key_pair.ssh or key_pair.file or "") if key_pair else ""
    if key_pair is None or not named.endswith(_PUBLIC_HALF) or not _has_the_key(member, key_pairs):
        return None
    return str(PurePath("~/.ssh" if key_pair.ssh else folder, named).with_suffix(""))


def _hosts(
    key: str,
    members: Iterable[Instance],
    fleet: Fleet | None,
    environment: str,
    images: Mapping[str, Mapping[str, Any]],
    key_pairs: Mapping[str, KeyPair],
    folder: Path,
) -> Iterator[Host]:
    ordered = sorted(members, key=lambda member: (index_of(member) or 0, member.launched, member.id))
    taken: set[str] = set()
    for member in ordered:
        if not _ID.fullmatch(member.id):
            continue
        alias = _alias(environment, key, fleet, member)
        alias = member.id if alias in taken else alias
        taken.add(alias)
        yield Host(
            alias=alias,
            id=member.id,
            fleet=key,
            environment=environment,
            type=member.type,
            zone=member.zone,
            image_id=member.image,
            public_ip=_address(member.public_ip),
            private_ip=_address(member.private_ip),
            ipv6=_address(member.described.get("Ipv6Address")),
            key_file=_key_file(member, key_pairs, folder),
            image=images.get(member.image, {}),
            tags=member.tags or {},
        )


def _alias(environment: str, key: str, fleet: Fleet | None, member: Instance) -> str:
    """`crunch-worker-07`, with as many digits as the fleet's `name` gives its numbers; else the id."""
    number = index_of(member)
    form = _INDEX.search(fleet.name) if fleet else None
    if number is None or not form or not _KEY.fullmatch(key):
        return member.id
    return f"{environment}-{key}-{form[0].format(index=number)}"


def _address(text: Any) -> str | None:
    """An address, if it is one."""
    try:
        return str(ipaddress.ip_address(text)) if text else None
    except ValueError:
        return None
