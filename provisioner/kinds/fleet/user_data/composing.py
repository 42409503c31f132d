"""Parts of ours and the user's own user data as one, and the user's own taken out of it again.

What is sent is a MIME message whose last part is the user's, which cloud-init treats as if it were alone:

- text is a part of type text/x-not-multipart, which is what cloud-init makes of text itself. Where it is not
  plain ASCII, it is in base64;
- a MIME message is a part as it stands, with its own headers and parts;
- what is packed by gzip stays as it is, between two packed pieces with the rest of the message: unpacking
  several pieces gives what was in them, one after the other (RFC 1952, 2.2). What would have to be encoded
  goes in unpacked and encoded, and the packed original behind the end of the message, where nobody reads it.

A header says which of these it is, so that the user's own can be taken out to the byte.
"""

from __future__ import annotations

import base64
import gzip
import re
import zlib
from collections.abc import Mapping
from itertools import count

from provisioner.kinds.fleet.user_data.forms import is_mime, is_plain, unpacked

# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-add-user-data.html
MAX_USER_DATA = 16 * 1024

_HEADER = re.compile(
    rb"MIME-Version: 1\.0\n"
    rb"X-Provisioner: parts around user data; form=(?P<form>[a-z]+); bytes=(?P<bytes>[0-9]+)\n"
    rb'Content-Type: multipart/mixed; boundary="(?P<boundary>[a-z0-9.]+)"\n\n'
)
# The name that cloud-init itself gives the file of a text that is alone.
_OF_TEXT = b'Content-Type: text/x-not-multipart\nContent-Disposition: attachment; filename="part-001"\n'
_BASE64 = b"Content-Transfer-Encoding: base64\n"


def compose(user_data: bytes, parts: Mapping[str, bytes]) -> bytes:
    """The user data to send: `parts`, boot hooks by the name of their file, before the user's own.

    Without parts it is the user's own, as it is. It may be larger than EC2 takes.
    """
    if not parts and _HEADER.match(unpacked(user_data) or user_data) is None:
        return user_data
    content = unpacked(user_data)
    is_packed = content is not None
    content = user_data if content is None else content
    boundary = _boundary(content, *parts.values())
    delimiter = b"\n--" + boundary
    is_as_it_stands = is_mime(content) or is_plain(content)
    form = _form(user_data, content, is_as_it_stands)
    head = (
        b"MIME-Version: 1.0\n"
        b"X-Provisioner: parts around user data; form=%s; bytes=%d\n"
        b'Content-Type: multipart/mixed; boundary="%s"\n' % (form, len(user_data), boundary)
    )
    for name, script in parts.items():
        disposition = b'Content-Disposition: attachment; filename="%s"\n' % name.encode()
        head += delimiter + b"\nContent-Type: text/cloud-boothook\n" + disposition + b"\n" + script
    if user_data:
        head += delimiter + b"\n" + _headers(content, is_as_it_stands)
    tail = delimiter + b"--\n"
    if is_packed and is_as_it_stands:
        return _packed(head) + user_data + _packed(tail)
    body = content if is_as_it_stands else base64.encodebytes(content).rstrip()
    whole = head + body + tail + (base64.encodebytes(user_data) if is_packed else b"")
    return _packed(whole) if is_packed or len(whole) > MAX_USER_DATA else whole


def user_data_in(sent: bytes) -> bytes:
    """The user's own of what was sent, to the byte; all of it where it was not composed here."""
    whole = unpacked(sent)
    whole = sent if whole is None else whole
    header = _HEADER.match(whole)
    if header is None:
        return sent
    size, delimiter = int(header["bytes"]), b"\n--" + header["boundary"]
    body, _, behind = whole.rpartition(delimiter + b"--\n")
    last = body.rpartition(delimiter + b"\n")[2]
    match header["form"]:
        case b"none":
            return b""
        case b"packed":
            user_data = _between_packed(sent, size)
        case b"original":
            user_data = _decoded(behind)
        case b"base":
            user_data = _decoded(last.removeprefix(_headers(b"\0", False)))
        case b"mime":
            user_data = last
        case _:
            user_data = last.removeprefix(_OF_TEXT + b"\n")
    # Somebody else has changed it.
    return user_data if len(user_data) == size else sent


def _form(user_data: bytes, content: bytes, is_as_it_stands: bool) -> bytes:
    if not user_data:
        return b"none"
    if user_data is not content:
        return b"packed" if is_as_it_stands else b"original"
    if not is_as_it_stands:
        return b"base"
    return b"mime" if is_mime(content) else b"text"


def _headers(content: bytes, is_as_it_stands: bool) -> bytes:
    """The headers of the user's part, with the line that ends them; a MIME message has its own."""
    if is_mime(content):
        return b""
    return _OF_TEXT + (b"" if is_as_it_stands else _BASE64) + b"\n"


def _boundary(*contents: bytes) -> bytes:
    """A boundary that is in none of these."""
    names = (b"provisioner.part.%d" % number for number in count(1))
    return next(name for name in names if not any(name in content for content in contents))


def _packed(content: bytes) -> bytes:
    # Without a time of day: the same launch sent again has to be the same.
    return gzip.compress(content, 9, mtime=0)


def _between_packed(sent: bytes, size: int) -> bytes:
    """What is between the first packed piece and what follows it."""
    first = zlib.decompressobj(wbits=31)
    first.decompress(sent)
    return first.unused_data[:size]


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text)
    except ValueError:
        return b""
