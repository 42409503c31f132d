"""A key pair as a spec asks for it: its public half, which EC2 imports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provisioner.kinds.base import Entry
from provisioner.kinds.keep import keep_tags
from provisioner.kinds.key_pair.public_key import (
    NotAPublicKey,
    PublicKey,
    check_no_private_key,
    decoded,
    parse_public_key,
)
from provisioner.kinds.key_pair.ssh_folder import read_public_half
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Address
from provisioner.naming import KEY_PAIR_TAG, default_name, ownership_tags

KIND = "key_pair"
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ImportKeyPair.html
MAX_NAME = 255
# What an entry has whose file cannot be read: nobody uses it, or only who needs no contents.
UNKNOWN = PublicKey("", "")


@dataclass(frozen=True)
class KeyPair:
    """A key pair. `file` and `ssh` say where the spec has the public half from; None: from elsewhere."""

    name: str
    public_key: PublicKey
    tags: Mapping[str, str]
    keep: bool | None = None
    file: str | None = None
    ssh: str | None = None

    @property
    def uses(self) -> frozenset[Address]:
        return frozenset()


def parse_key_pair(key: str, raw: Mapping[str, Any], entry: Entry) -> KeyPair:
    """The entry as a KeyPair; what a schema cannot say is reported to `entry`."""
    name = raw.get("name", default_name(entry.environment, key))
    if len(name) > MAX_NAME:
        entry.problem((), f"the key pair would be called {name}", f"EC2 takes at most {MAX_NAME} characters")
    return KeyPair(
        name=name,
        public_key=_public_key(raw, entry) or UNKNOWN,
        tags={
            **entry.tags,
            **raw.get("tags", {}),
            **ownership_tags(entry.environment),
            KEY_PAIR_TAG: key,
            **keep_tags(raw.get("keep")),
        },
        keep=raw.get("keep"),
        file=entry.beside(("file",), raw["file"]) if "file" in raw else None,
        ssh=raw.get("ssh"),
    )


def _public_key(raw: Mapping[str, Any], entry: Entry) -> PublicKey | None:
    """The public half, wherever the entry has it; None: it has none, which is then reported.

    Where contents are not needed, a file may have none, too.
    """
    field = next(name for name in ("public_key", "file", "ssh") if name in raw)
    where = ""
    try:
        # Also where the name of a file belongs, which would be told.
        check_no_private_key(raw[field])
        if field == "public_key":
            return parse_public_key(raw[field])
        where = f"{raw[field]}: "
        content = read_public_half(raw[field]) if field == "ssh" else entry.read_file((field,), raw[field])
        return None if content is None else parse_public_key(decoded(content))
    except NotAPublicKey as problem:
        if where and not entry.needs_contents:
            return None
        entry.problem((field,), f"{where}{problem.message}", problem.hint)
        return None
