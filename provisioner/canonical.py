"""Values as JSON has them, written the same on every machine: what digests are made of."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Set
from datetime import date
from enum import Enum
from functools import lru_cache
from typing import Any

from provisioner.model import Address, Call, UserData
from provisioner.secrecy import looks_secret

# Parameters that are never shown: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html
HIDDEN = ("UserData",)
# Parameters that are sets, as AWS takes them.
SETS = ("Tags", "TagKeys", "Resources")
# Each guess at a secret in a digest takes so many rounds. Measured: 35 ms.
ROUNDS = 100_000


def jsonable(value: Any) -> Any:
    """A value of a spec or of AWS as JSON has it: sets become sorted lists, dates and addresses text.

    Raises TypeError for what has no JSON form, rather than inventing one.
    """
    match value:
        case Enum():
            return jsonable(value.value)
        case None | bool() | int() | float() | str():
            return value
        case Address():
            return str(value)
        case UserData():
            # What it says is only for who asks to see it.
            return {"name": value.name, "bytes": value.size, "sha256": value.digest}
        case date():
            return value.isoformat()
        case Mapping():
            return {str(key): jsonable(inner) for key, inner in value.items()}
        case Set():
            return sorted((jsonable(inner) for inner in value), key=canonical_text)
        case list() | tuple():
            return [jsonable(inner) for inner in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: jsonable(getattr(value, field.name)) for field in dataclasses.fields(value)}
    raise TypeError(f"{type(value).__name__} has no JSON form")


def canonical_text(data: Any) -> str:
    """JSON data as text: equal data gives equal text, in ASCII, whatever order its keys came in."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"))


def digest(data: Any) -> str:
    """SHA-256 of JSON data, in hexadecimal."""
    return hashlib.sha256(canonical_text(data).encode()).hexdigest()


def parameters_digest(calls: Iterable[Call], salt: str) -> str:
    """A digest of the parameters of calls, from which nobody can guess the secrets in them quickly.

    `salt` is public; it keeps the same secret in two places from giving the same digest.
    """
    return digest([_without_secrets(call.params, salt) for call in calls])


def _without_secrets(value: Any, salt: str, is_hidden: bool = False) -> Any:
    match value:
        case Mapping():
            return {
                str(key): _in_any_order(key, _without_secrets(inner, salt, is_hidden or key in HIDDEN))
                for key, inner in value.items()
            }
        case list() | tuple():
            return [_without_secrets(inner, salt, is_hidden) for inner in value]
        case bytes():
            return {"sealed": _sealed(value, salt)}
        case str() if is_hidden or looks_secret(value):
            return {"sealed": _sealed(value.encode(), salt)}
    return jsonable(value)


def _in_any_order(name: str, value: Any) -> Any:
    """A parameter whose items may come in any order, in one of them."""
    return sorted(value, key=canonical_text) if name in SETS and isinstance(value, list) else value


@lru_cache(maxsize=256)
def _sealed(secret: bytes, salt: str) -> str:
    """What stands for a secret: the same for the same one, and dear to guess at.

    It is hashed first, as PBKDF2 takes a long text and its hash for the same password.
    https://www.rfc-editor.org/rfc/rfc8018#section-5.2
    """
    password = hashlib.sha256(secret).digest()
    return hashlib.pbkdf2_hmac("sha256", password, f"provisioner/{salt}".encode(), ROUNDS).hex()
