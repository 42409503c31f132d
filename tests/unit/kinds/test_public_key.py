"""What EC2 takes for a public key, and what is said of everything else; nothing of it is ever shown."""

from __future__ import annotations

import base64

import pytest

from provisioner.kinds.key_pair.public_key import NotAPublicKey, decoded, parse_public_key

ED25519 = "AAAAC3NzaC1lZDI1NTE5AAAAIJUbSMnzStCLmP8sBYExnDW33R8AhRajCmrBQpm5nsQO"
# As `ssh-keygen -l` tells it.
FINGERPRINT = "SHA256:n0gE4NZEUgB+MGb1vFteI3uqpRnw4TDy0nNaeIQNUJw"
KEY = f"ssh-ed25519 {ED25519}"


def field(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content


def blob(*fields: bytes) -> str:
    return base64.b64encode(b"".join(map(field, fields))).decode()


def rsa(bits: int, exponent: bytes = b"\x01\x00\x01") -> str:
    modulus = (1 << (bits - 1)) | 1
    return blob(b"ssh-rsa", exponent, modulus.to_bytes(bits // 8 + 1, "big"))


RFC4716 = f"""---- BEGIN SSH2 PUBLIC KEY ----
Comment: "256-bit ED25519, made by \\
somebody: me"
{ED25519[:40]}
{ED25519[40:]}
---- END SSH2 PUBLIC KEY ----
"""

TAKEN = {
    "a line of OpenSSH": KEY,
    "a comment": f"{KEY} me@laptop",
    "a comment of several words, not ASCII": f"{KEY} my key from Zürich",
    "line ends of Windows": f"{KEY} me\r\n",
    "empty lines and comments around it": f"\n# mine\n\n{KEY} me\n\n",
    "a byte order mark": f"\ufeff{KEY}",
    "a tab": f"ssh-ed25519\t{ED25519}\tme",
    "several spaces": f"  ssh-ed25519   {ED25519}  me ",
    "a comment that speaks of private keys": f"{KEY} the other half of my PRIVATE KEY",
    "RFC 4716, with a header that goes on": RFC4716,
    "RFC 4716 with line ends of Windows": RFC4716.replace("\n", "\r\n"),
}


@pytest.mark.parametrize("text", TAKEN.values(), ids=TAKEN)
def test_taken(text: str) -> None:
    assert str(parse_public_key(text)) == KEY


@pytest.mark.parametrize("bits", [1024, 2048, 4096])
def test_rsa_of_the_sizes_that_ec2_takes(bits: int) -> None:
    assert parse_public_key(f"ssh-rsa {rsa(bits)} me").type == "ssh-rsa"


def test_the_fingerprint_is_that_of_ssh_keygen() -> None:
    assert parse_public_key(KEY).fingerprint == FINGERPRINT


PRIVATE = "this is a private key, and was neither shown nor sent"
REFUSED = {
    "nothing": ("", "there is no public key in it"),
    "comments only": ("# mine\n", "there is no public key in it"),
    "some word": ("hello", "a public key begins with ssh-ed25519 or ssh-rsa, and this does not"),
    "an AWS secret": ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "a public key begins with"),
    "the key without its type": (ED25519, "a public key begins with"),
    "the type alone": ("ssh-ed25519", "after ssh-ed25519 the key itself is missing"),
    "cut off": (KEY[:-10], "the key is not whole"),
    "cut off at a whole group": (KEY[:-4], "the key is not whole"),
    "no Base64": (f"ssh-ed25519 {ED25519[:-3]}!!!", "the key is not whole"),
    "a placeholder": ("ssh-ed25519 AAAA… me", "the key is not whole"),
    "something after the key itself": (
        f"ssh-ed25519 {blob(b'ssh-ed25519', b'k' * 32, b'more')}",
        "the key is not whole",
    ),
    "another type than the key's": (
        f"ssh-rsa {ED25519}",
        "the line says ssh-rsa, and the key in it is another",
    ),
    "over several lines": (
        f"ssh-ed25519 {ED25519[:40]}\n{ED25519[40:]}",
        "the key goes over several lines",
    ),
    "several keys": (f"{KEY} me\n{KEY} you\n", "there are 2 public keys in it"),
    "options": (f'from="10.0.0.0/8",no-pty {KEY}', "something stands before the key"),
    "DSA": (f"ssh-dss {blob(b'ssh-dss', b'p', b'q')}", "this is a DSA key, which EC2 does not take"),
    "ECDSA": (f"ecdsa-sha2-nistp256 {blob(b'ecdsa-sha2-nistp256', b'n')}", "this is an ECDSA key"),
    "a security key": (f"sk-ssh-ed25519@openssh.com {blob(b'sk')}", "this is a key of a security key"),
    "a certificate": (f"ssh-ed25519-cert-v01@openssh.com {blob(b'cert')}", "this is a certificate"),
    "RSA of 512 bits": (f"ssh-rsa {rsa(512)}", "an RSA key of 512 bits, and EC2 takes 1024, 2048, 4096"),
    "RSA of 3072 bits": (f"ssh-rsa {rsa(3072)}", "an RSA key of 3072 bits"),
    "RSA of 16384 bits": (f"ssh-rsa {rsa(16384)}", "an RSA key of 16384 bits"),
    "RSA with an exponent that none has": (f"ssh-rsa {rsa(2048, bytes([2]))}", "the key is not whole"),
    "PEM": ("-----BEGIN PUBLIC KEY-----\nMIIBIjAN\n-----END PUBLIC KEY-----", "a public key in PEM"),
    "PEM of PKCS #1": ("-----BEGIN RSA PUBLIC KEY-----\nMIIBCgKC\n", "a public key in PEM"),
    "Base64 of DER": ("MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA", "a public key in DER"),
    "RFC 4716 without its end": (RFC4716.rpartition("----")[0][:-10], "the line that ends the key"),
    "two of RFC 4716": (RFC4716 * 2, "something comes after the key"),
    "a private key of OpenSSH": (
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n-----END OPENSSH PRIVATE KEY-----",
        PRIVATE,
    ),
    "its body alone": ("b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAAB", PRIVATE),
    "a private key in PEM": ("-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAx\n", PRIVATE),
    "its body alone in PKCS #1": ("MIIEowIBAAKCAQEAxyz", PRIVATE),
    "its body alone in PKCS #8": ("MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", PRIVATE),
    "ED25519 in PKCS #8": ("MC4CAQAwBQYDK2VwBCIEIAAAAAAAAAAA", PRIVATE),
    "an EC key in PEM": ("MHcCAQEEIAAAAAAAAAAAAAAAAAA", PRIVATE),
    "an encrypted one": ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIFHDBOBgkq\n", PRIVATE),
    "after a public key": (f"{KEY} me\n-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n", PRIVATE),
    "in one line": ("-----BEGIN OPENSSH PRIVATE KEY----- b3BlbnNzaC1r", PRIVATE),
    "of PuTTY": ("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nPublic-Lines: 2\n", PRIVATE),
    "of SSH.com": ("---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nP2/56wAAA\n", PRIVATE),
    "of PGP": ("-----BEGIN PGP PRIVATE KEY BLOCK-----\nlQOYBF\n", PRIVATE),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    text, message = REFUSED[case]
    with pytest.raises(NotAPublicKey) as raised:
        parse_public_key(text)
    problem = raised.value
    assert message in problem.message
    assert problem.hint
    said = f"{problem.message} {problem.hint}"
    shown = [word for word in text.split() if len(word) > 20 and word in said]
    assert shown == [], "nothing of it is shown"


FILES = {
    "UTF-8": (KEY.encode(), None),
    "with a byte order mark": (b"\xef\xbb\xbf" + KEY.encode(), None),
    "UTF-16, as PowerShell writes it": (f"{KEY}\r\n".encode("utf-16"), "this is UTF-16"),
    "DER": (bytes(range(128, 160)), "this is no text"),
    "a private key in UTF-16": ("-----BEGIN OPENSSH PRIVATE KEY-----\n".encode("utf-16"), PRIVATE),
    "a private key with odd bytes": (b"\xff-----BEGIN RSA PRIVATE KEY-----\n", PRIVATE),
}


@pytest.mark.parametrize("case", FILES)
def test_files(case: str) -> None:
    content, message = FILES[case]
    if message is None:
        assert str(parse_public_key(decoded(content))) == KEY
        return
    with pytest.raises(NotAPublicKey) as raised:
        decoded(content)
    assert message in raised.value.message
