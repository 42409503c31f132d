"""The forms of user data that cloud-init takes, as far as ours has to know them to go beside the user's.

https://docs.cloud-init.io/en/latest/explanation/format.html, and `convert_string` in its user_data.py.
"""

from __future__ import annotations

import re
import zlib

_GZIP = b"\x1f\x8b"
# Where cloud-init looks for what makes it take text for a MIME message.
_MIME, _MIME_WITHIN = b"mime-version:", 4096
# What of text goes through a MIME part unencoded, byte by byte.
_PLAIN = re.compile(rb"[\t\n -~]*")
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html: what EC2Launch runs on Windows.
_OF_WINDOWS = re.compile(rb"<\s*(powershell|script|runAsLocalSystem|persist|detach)\s*>", re.IGNORECASE)
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2launch-v2-task-definitions.html
_OF_EC2LAUNCH = re.compile(rb"^version\s*:\s*['\"]?1\.\d+['\"]?\s*$.*^tasks\s*:", re.MULTILINE | re.DOTALL)
# What other programs than cloud-init read: https://coreos.github.io/ignition/specs/ and
# https://bottlerocket.dev/en/os/latest/#/api/settings/
_OF_IGNITION = re.compile(rb"\s*\{.*\"ignition\"\s*:", re.DOTALL)
_OF_BOTTLEROCKET = re.compile(rb"^\[\s*settings[.\]]", re.MULTILINE)
# What cloud-init tells its forms by: INCLUSION_TYPES_MAP in its handlers/__init__.py.
_KNOWN = (
    b"#!",
    b"#cloud-config",
    b"#cloud-boothook",
    b"#include",
    b"#part-handler",
    b"## template: jinja",
)
# What a packed text may be unpacked: 16 KB of zeros are some 16 MB.
_MAX_UNPACKED = 32 * 1024 * 1024


def unpacked(user_data: bytes) -> bytes | None:
    """What is packed by gzip, of one or several members; None: it is not packed, or is broken."""
    if not user_data.startswith(_GZIP):
        return None
    content, rest = b"", user_data
    while rest.startswith(_GZIP):
        member = zlib.decompressobj(wbits=31)
        try:
            content += member.decompress(rest, _MAX_UNPACKED)
        except zlib.error:
            return None
        if not member.eof:
            return None
        # Files may be filled up with zeros.
        rest = member.unused_data.lstrip(b"\0")
    return None if rest else content


def is_mime(content: bytes) -> bool:
    """Whether cloud-init takes it, unpacked, for a MIME message."""
    return _MIME in content[:_MIME_WITHIN].lower()


def is_plain(content: bytes) -> bool:
    """Whether a MIME part takes it as it is: of other text, cloud-init makes something else."""
    return _PLAIN.fullmatch(content) is not None


def is_recognised(user_data: bytes) -> bool:
    """Whether cloud-init knows what to do with it; the rest it ignores, with a warning in its log."""
    content = unpacked(user_data) or user_data
    return not content or is_mime(content) or content.lstrip().lower().startswith(_KNOWN)


def why_not_beside(user_data: bytes) -> str | None:
    """Why nothing of ours can go beside this user data, as the rest of a sentence on it; None: it can.

    Only cloud-init runs parts. What is not for cloud-init would not run any more, were it one of several.
    """
    content = unpacked(user_data)
    content = user_data if content is None else content
    if is_mime(content):
        try:
            content.decode()
        except UnicodeDecodeError as error:
            return f"is a MIME message that is not UTF-8 at byte {error.start}, which cloud-init cannot read"
        return None
    if is_recognised(content):
        return None
    if _OF_WINDOWS.search(content) or _OF_EC2LAUNCH.search(content):
        return "is for Windows, where there is no cloud-init"
    if _OF_IGNITION.match(content):
        return "is for Ignition, and not for cloud-init"
    if _OF_BOTTLEROCKET.search(content):
        return "is for Bottlerocket, where there is no cloud-init"
    return None
