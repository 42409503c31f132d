"""The public half of a key pair as people have it in files, and what of that EC2 imports.

RSA of 1024, 2048 or 4096 bits and ED25519, in the format of OpenSSH or of RFC 4716:
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ImportKeyPair.html
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/create-key-pairs.html#how-to-generate-your-own-key-and-import-it-to-aws
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator

from provisioner.lazy_dataclass import dataclass

RSA, ED25519 = "ssh-rsa", "ssh-ed25519"
RSA_BITS = (1024, 2048, 4096)
_ED25519_BYTES = 32

MAKE_ONE = "`ssh-keygen -t ed25519` makes a key pair that EC2 takes"
_PRIVATE = (
    re.compile(r"(?:BEGIN|END) (?:[A-Z0-9]+ )*PRIVATE KEY|SSH PRIVATE KEY FILE FORMAT"),
    re.compile(r"PuTTY-User-Key-File|Private-Lines:"),
    re.compile(r"AGE-SECRET-KEY-", re.IGNORECASE),
    # The body of a private key of OpenSSH, PKCS #1, PKCS #8 or SEC 1, also without the lines around it.
    re.compile(r"(?m)^\s*b3BlbnNzaC1rZXktdjE"),
    re.compile(r"(?m)^\s*MII[A-Za-z0-9+/]{3}IBA(?:AK|DAN)"),
    re.compile(r"(?m)^\s*(?:MC4CAQAwBQYDK2Vw|MIG[A-Za-z0-9+/]AgEAM|M[A-Za-z0-9+/]{2}CAQEE)"),
)
_OTHERS = {
    "ssh-dss": "a DSA key",
    "ecdsa-sha2-": "an ECDSA key",
    "sk-": "a key of a security key",
    "ssh-ed448": "an Ed448 key",
    "ssh-xmss": "an XMSS key",
    "pgp-sign-": "a PGP key",
}
_OWN_LINE = re.compile(r"\r\n|\n|\r")
_RFC4716 = re.compile(r"-{4} ?BEGIN SSH2 PUBLIC KEY ?-{4}")
_RFC4716_END = re.compile(r"-{4} ?END SSH2 PUBLIC KEY ?-{4}")


class NotAPublicKey(Exception):
    """Why a text is no public key that EC2 takes: `message` without anything of the text, and a hint."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True)
class PublicKey:
    """A public key: its type as OpenSSH calls it, and the key itself in Base64; without a comment."""

    type: str
    blob: str

    def __str__(self) -> str:
        return f"{self.type} {self.blob}"

    @property
    def fingerprint(self) -> str:
        """The fingerprint that `ssh-keygen -l` shows."""
        digest = base64.b64encode(hashlib.sha256(base64.b64decode(self.blob)).digest()).decode()
        return f"SHA256:{digest.rstrip('=')}"

    @property
    def mark(self) -> str:
        """The beginning of the fingerprint, which a launch tag has room for."""
        return self.fingerprint.removeprefix("SHA256:")[:8]


def decoded(content: bytes) -> str:
    """The text of a file that holds a public key. Raises NotAPublicKey, also where it is a private key."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = content.decode("utf-16", "replace")
        check_no_private_key(text)
        raise NotAPublicKey("this is UTF-16, as PowerShell writes it", "save it as UTF-8 or ASCII")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        check_no_private_key(content.decode("latin-1"))
        raise NotAPublicKey("this is no text", _convert("DER")) from None
    return text


def parse_public_key(text: str) -> PublicKey:
    """The public key in a text: one line of OpenSSH, or one block of RFC 4716.

    Comments, empty lines and the line ends of Windows do not matter. Raises NotAPublicKey, which says what is
    wrong and shows nothing of the text.
    """
    check_no_private_key(text)
    lines = [line.strip() for line in _OWN_LINE.split(text.lstrip("\ufeff"))]
    lines = [line for line in lines if line and not line.startswith("#")]
    if not lines:
        raise NotAPublicKey("there is no public key in it", MAKE_ONE)
    if _RFC4716.fullmatch(lines[0]):
        return _checked(None, _of_rfc4716(lines))
    if lines[0].startswith("-----BEGIN") and "PUBLIC KEY" in lines[0]:
        raise NotAPublicKey("this is a public key in PEM", _convert("PKCS8"))
    if lines[0].startswith(("MII", "MCow", "MFkw")):
        raise NotAPublicKey("this is a public key in DER", _convert("PKCS8"))
    if len(lines) > 1:
        keys = sum(_type_at(line) is not None for line in lines)
        if keys > 1:
            raise NotAPublicKey(
                f"there are {keys} public keys in it, and a key pair is one", "keep one of them"
            )
        raise NotAPublicKey(
            "the key goes over several lines",
            "write it in one line, as `ssh-keygen` does; in YAML, in quotes",
        )
    return _of_openssh(lines[0])


def check_no_private_key(text: str) -> None:
    """Raises NotAPublicKey for what is, or may be part of, a private key."""
    if any(pattern.search(text.replace("\0", "")) for pattern in _PRIVATE):
        raise NotAPublicKey(
            "this is a private key, and was neither shown nor sent",
            "it stays with you: give its public half, the file with .pub, or what `ssh-keygen -y -f FILE` "
            "prints. If others may read this file, they have the key: make a new one",
        )


def _of_openssh(line: str) -> PublicKey:
    type_, _, rest = line.partition(" ") if " " in line else line.partition("\t")
    what = _type_at(line)
    if what is None:
        if re.search(rf"(?:^|[\s,\"])(?:{RSA}|{ED25519}) +AAAA", line):
            raise NotAPublicKey(
                "something stands before the key, as options do in authorized_keys",
                f"begin with {ED25519} or {RSA}",
            )
        raise NotAPublicKey(
            f"a public key begins with {ED25519} or {RSA}, and this does not",
            "write what is in the .pub file",
        )
    if "-cert-v" in type_:
        raise NotAPublicKey("this is a certificate", "give the public key that it certifies")
    if type_ not in (RSA, ED25519):
        raise NotAPublicKey(f"this is {what}, which EC2 does not take", MAKE_ONE)
    words = rest.split()
    if not words:
        raise NotAPublicKey(
            f"after {type_} the key itself is missing", "write the whole line of the .pub file"
        )
    return _checked(type_, words[0])


def _type_at(line: str) -> str | None:
    """What sort of key a line begins with, in words; None: with none."""
    word = line.split(None, 1)[0]
    if word in (RSA, ED25519) or word.startswith((f"{RSA}-cert-", f"{ED25519}-cert-")):
        return "a key"
    return next((what for name, what in _OTHERS.items() if word.startswith(name)), None)


def _of_rfc4716(lines: list[str]) -> str:
    """The Base64 between the markers, without headers, which a backslash continues on the next line."""
    ends = [number for number, line in enumerate(lines) if _RFC4716_END.fullmatch(line)]
    if not ends:
        raise NotAPublicKey("the line that ends the key is missing", "write the whole file")
    if ends[0] != len(lines) - 1:
        raise NotAPublicKey("something comes after the key", "keep one key, and nothing else")
    return "".join(_without_headers(lines[1 : ends[0]]))


def _without_headers(lines: list[str]) -> Iterator[str]:
    in_header = False
    for line in lines:
        is_header = in_header or ":" in line
        if not is_header:
            yield line
        in_header = is_header and line.endswith("\\")


def _checked(type_: str | None, encoded: str) -> PublicKey:
    """The key, if it is whole: https://www.rfc-editor.org/rfc/rfc4253#section-6.6, rfc8709#section-4."""
    broken = NotAPublicKey("the key is not whole", "copy the whole line of the .pub file again")
    try:
        blob = base64.b64decode(encoded, validate=True)
        name, *parts = _fields(blob)
    except (binascii.Error, ValueError):
        raise broken from None
    inside = name.decode("latin-1")
    if type_ is not None and inside != type_:
        raise NotAPublicKey(f"the line says {type_}, and the key in it is another", broken.hint)
    if inside == ED25519:
        if [len(part) for part in parts] != [_ED25519_BYTES]:
            raise broken
    elif inside == RSA:
        if len(parts) != 2:
            raise broken
        exponent, modulus = (int.from_bytes(part, "big") for part in parts)
        bits = modulus.bit_length()
        if bits not in RSA_BITS:
            raise NotAPublicKey(
                f"this is an RSA key of {bits} bits, and EC2 takes {', '.join(map(str, RSA_BITS))}",
                MAKE_ONE,
            )
        if exponent < 3 or not (exponent % 2 and modulus % 2):
            raise broken
    else:
        what = next(
            (what for word, what in _OTHERS.items() if inside.startswith(word)), "another sort of key"
        )
        raise NotAPublicKey(f"this is {what}, which EC2 does not take", MAKE_ONE)
    return PublicKey(inside, base64.b64encode(blob).decode())


def _fields(blob: bytes) -> Iterator[bytes]:
    """The fields of a key as SSH writes it, each after its length. Raises ValueError."""
    if not blob:
        raise ValueError
    while blob:
        length = int.from_bytes(blob[:4], "big")
        field, blob = blob[4 : 4 + length], blob[4 + length :]
        if not length or len(field) != length:
            raise ValueError
        yield field


def _convert(format_: str) -> str:
    return f"`ssh-keygen -i -m {format_} -f FILE` prints it as OpenSSH has it; DER has to be made PEM before"
