"""Key pairs: imported, described and deleted, by name or by id.

EC2 API Reference, ImportKeyPair, DescribeKeyPairs, DeleteKeyPair, KeyPairInfo (of an imported RSA key the
fingerprint is the MD5 of the key in DER, of an ED25519 key the SHA-256 as OpenSSH shows it); EC2 User Guide,
"Create a key pair for your Amazon EC2 instance" (formats: OpenSSH, RFC 4716, RSA also as Base64 of DER; RSA
of 1024, 2048 or 4096 bits; https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/create-key-pairs.html). Words
of the error: terraform-aws-modules/terraform-aws-key-pair#16. moto refuses by another code, takes RSA of any
size, knows no ids and no wildcards, gives ED25519 keys another fingerprint, and deletes by name only.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)
from moto.ec2.models.key_pairs import KeyPair
from moto.ec2.utils import public_key_parse

from local_aws.call import AwsError, Call
from local_aws.corrections import lag
from local_aws.corrections.filters import KEY_PAIR_PATHS, view_filter
from local_aws.corrections.registry import check, handler
from local_aws.corrections.tags import check_tags
from local_aws.world import Region, World

MAX_NAME = 255
RSA_BITS = (1024, 2048, 4096)
# What is kept of key pairs within the lag.
LAGGING = "key pairs"


@check("ec2:ImportKeyPair", "ec2:CreateKeyPair", "ec2:DeleteKeyPair", "ec2:CreateTags", "ec2:DeleteTags")
def keep_key_pairs(world: World, call: Call) -> None:
    """What describes go on to show within the lag."""
    region = world.region(call.region)
    lag.keep_past(world, region, LAGGING, lambda: _views(region))


@check("ec2:CreateTags", "ec2:DeleteTags")
def tagged_are_known(world: World, call: Call) -> None:
    """Key pairs that get or lose tags are known by now."""
    region, ids = world.region(call.region), call.params.get("Resources") or []
    for key_pair in region.backend.key_pairs.values():
        if key_pair.id in ids:
            check_known(world, region, key_pair.key_name)


def check_known(world: World, region: Region, name: str) -> None:
    """Raises InvalidKeyPair.NotFound for a key pair that is not there, or not known everywhere yet."""
    there = region.backend.key_pairs.get(name)
    if there is None or there.id not in {view["KeyPairId"] for view in _seen(world, region)}:
        raise _no_such_key_pair(name)


@check("ec2:ImportKeyPair", "ec2:CreateKeyPair")
def new_key_pair(world: World, call: Call) -> None:
    """A name of ASCII without spaces around it that is free, and tags for a key pair within the limits."""
    name = call.params.get("KeyName") or ""
    if not name:
        raise AwsError("MissingParameter", "The request must contain the parameter KeyName")
    if len(name) > MAX_NAME or not name.isascii() or name != name.strip():
        text = f"Value ({name}) for parameter KeyName is invalid. Must be 1 to 255 ASCII characters."
        raise AwsError("InvalidParameterValue", text)
    for spec in call.params.get("TagSpecifications") or []:
        if spec.get("ResourceType") != "key-pair":
            text = f"'{spec.get('ResourceType')}' is not a valid taggable resource type for this operation."
            raise AwsError("InvalidParameterValue", text)
        check_tags(spec.get("Tags") or [])
    if name in world.region(call.region).backend.key_pairs:
        raise AwsError("InvalidKeyPair.Duplicate", f"The keypair '{name}' already exists.")


@handler("ec2:ImportKeyPair")
def import_key_pair(world: World, call: Call) -> dict[str, Any]:
    """Keeps the key in the format of OpenSSH; a comment is lost, and the name stands in its place."""
    backend, name = world.region(call.region).backend, call.params["KeyName"]
    public_key = _parsed(call.params.get("PublicKeyMaterial"))
    tags = {
        tag["Key"]: tag.get("Value") or ""
        for spec in call.params.get("TagSpecifications") or []
        for tag in spec.get("Tags") or []
    }
    is_rsa = isinstance(public_key, RSAPublicKey)
    openssh = public_key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    backend.key_pairs[name] = KeyPair(
        name,
        "rsa" if is_rsa else "ed25519",
        fingerprint=_md5(public_key) if is_rsa else _sha256(openssh),
        material=b"",
        material_public=openssh,
        tags=tags,
        ec2_backend=backend,
    )
    view = _view(backend.key_pairs[name], with_key=False)
    return {name: view[name] for name in ("KeyFingerprint", "KeyName", "KeyPairId", "Tags")}


@handler("ec2:DescribeKeyPairs")
def describe(world: World, call: Call) -> dict[str, Any]:
    """Those that are named, by name or id, and that pass the filters; the keys themselves if asked for."""
    params = call.params
    there = _seen(world, world.region(call.region))
    for names, attribute in ((params.get("KeyNames"), "KeyName"), (params.get("KeyPairIds"), "KeyPairId")):
        known = {view[attribute] for view in there}
        for name in names or []:
            if name not in known:
                raise _no_such_key_pair(name)
        there = [view for view in there if not names or view[attribute] in names]
    passes = view_filter(params.get("Filters") or [], KEY_PAIR_PATHS)
    with_key = str(params.get("IncludePublicKey") or "").lower() == "true"
    shown = [view if with_key else {**view, "PublicKey": None} for view in there]
    return {"KeyPairs": [view for view in shown if passes(view)]}


@handler("ec2:DeleteKeyPair")
def delete(world: World, call: Call) -> dict[str, Any]:
    """By name or by id; what is not there is no error."""
    key_pairs, params = world.region(call.region).backend.key_pairs, call.params
    if not params.get("KeyName") and not params.get("KeyPairId"):
        raise AwsError("MissingParameter", "The request must contain the parameter KeyName or KeyPairId")
    for found in list(key_pairs.values()):
        if params.get("KeyName") in (None, found.key_name) and params.get("KeyPairId") in (None, found.id):
            del key_pairs[found.key_name]
            return {"Return": True, "KeyPairId": found.id}
    return {"Return": True}


def _parsed(material: str | bytes | None) -> RSAPublicKey | Ed25519PublicKey:
    """The key that was sent. Raises InvalidKey.Format for what EC2 does not take."""
    raw = material.encode() if isinstance(material, str) else material or b""
    try:
        public_key = _of_any_format(raw)
    except (ValueError, UnsupportedAlgorithm, IndexError, UnicodeError, binascii.Error):
        public_key = None
    if isinstance(public_key, RSAPublicKey) and public_key.key_size not in RSA_BITS:
        public_key = None
    if not isinstance(public_key, RSAPublicKey | Ed25519PublicKey):
        raise AwsError("InvalidKey.Format", "Key is not in valid OpenSSH public key format")
    return public_key


def _of_any_format(raw: bytes) -> Any:
    try:
        return public_key_parse(raw)
    except (ValueError, UnsupportedAlgorithm):
        return load_der_public_key(base64.b64decode(raw, validate=True))


def _md5(public_key: Any) -> str:
    der = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    # As AWS has it, and no secret.
    digest = hashlib.md5(der, usedforsecurity=False).hexdigest()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))


def _sha256(openssh: bytes) -> str:
    return base64.b64encode(hashlib.sha256(base64.b64decode(openssh.split()[1])).digest()).decode()


def _seen(world: World, region: Region) -> list[dict[str, Any]]:
    return lag.seen(world, region, LAGGING, lambda: _views(region))


def _views(region: Region) -> list[dict[str, Any]]:
    return [_view(key_pair, with_key=True) for key_pair in region.backend.key_pairs.values()]


def _no_such_key_pair(name: str) -> AwsError:
    return AwsError("InvalidKeyPair.NotFound", f"The key pair '{name}' does not exist")


def _view(key_pair: Any, with_key: bool) -> dict[str, Any]:
    tags = key_pair.get_tags()
    shown = " ".join([*key_pair.public_key.split()[:2], key_pair.key_name]) if with_key else None
    return {
        "KeyPairId": key_pair.id,
        "KeyName": key_pair.key_name,
        "KeyType": key_pair.key_type,
        "KeyFingerprint": key_pair.key_fingerprint,
        "PublicKey": shown,
        "CreateTime": key_pair.create_time,
        "Tags": [{"Key": tag["key"], "Value": tag["value"]} for tag in tags] or None,
    }
