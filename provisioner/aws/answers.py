"""What may come back from an endpoint: so much, in time, whole, and in the form of AWS's answers.

At the other end may be a proxy, the login page of a network, or somebody who means harm.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import botocore.exceptions as botocore_errors
from botocore.utils import parse_timestamp

from provisioner.aws.deadline import has_given_up, say_begun
from provisioner.errors import LocalAwsError

# A page of 1000 instances with 50 tags each has some 10 MB.
MAX_BYTES = 32 * 1024 * 1024
MAX_JSON_BYTES = 4 * 1024 * 1024
# What is read takes some 600 bytes for each element, however short that is, so 300 for each of its tags.
MAX_TAGS = 1_500_000
# An attribute takes as much. AWS's answers have one or two, in the first element.
MAX_ATTRIBUTE_BYTES = 10_000
CHUNK_BYTES = 256 * 1024
# Says which life of the local AWS an answer is from; see local_aws/server.py.
GENERATION_HEADER = "x-provisioner-local"

_ROOT = re.compile(rb"\s*(?:<\?xml[^>]{0,200}\?>\s*)?<([\w.:-]{1,200})[\s>/]")
_WITH_ATTRIBUTES = re.compile(rb"""<[^!?/\s<>][^\s<>/]*+\s(?:[^<>"']++|"[^"]*+"|'[^']*+')*+""")
# AWS's answers have no document type; those that have one are HTML, or define entities without end.
_FOREIGN = re.compile(rb"<!doctype|<!entity|<html[\s>]", re.IGNORECASE)

_EC2_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z", re.ASCII)

# A header has whole seconds, and an answer takes its time.
JITTER = timedelta(seconds=5)


def seconds_ahead(answer: Mapping[str, Any], now: datetime) -> timedelta:
    """How far ahead of `now` the clock is of whoever answered; nothing where that may be the way it took."""
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        ahead = parsedate_to_datetime(date) - now
    except (TypeError, ValueError):
        return timedelta(0)
    return ahead if abs(ahead) > JITTER else timedelta(0)


def parse_time(value: Any) -> datetime:
    """A time in an answer. EC2's are all of one form, which Python reads itself; botocore reads any other.

    Of thousands of members botocore's way takes a fifth of a plan's time.
    """
    if isinstance(value, str) and _EC2_TIME.fullmatch(value):
        with suppress(ValueError):
            return datetime.fromisoformat(value)
    read: datetime = parse_timestamp(value)
    return read


class NotFromAws(Exception):
    """Something answered, and it was not AWS."""


class ProxyRefused(Exception):
    """A proxy on the way wants a login, or does not let through."""


class CutOff(Exception):
    """Not all of an answer has arrived."""


class TooLarge(Exception):
    """An answer without an end."""


class BoundedSession:
    """boto's HTTP session, with an end to what it reads: so many bytes, and as long as somebody waits.

    `tells`: whether its answers are what is waited for, so that it says when one has begun.
    """

    def __init__(self, session: Any, tells: bool = True) -> None:
        self._session, self._tells = session, tells

    def send(self, request: Any) -> Any:
        """The answer to a request, read whole. Raises what boto raises, and TooLarge."""
        if has_given_up():
            raise botocore_errors.HTTPClientError(error="given up before it was sent")
        # The body is read here, and not by boto, which reads all that comes.
        request.stream_output = True
        response = self._session.send(request)
        if self._tells:
            say_begun()
        response._content = _read(response)
        return response

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


def _read(response: Any) -> bytes:
    announced = response.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > MAX_BYTES:
        response.raw.close()
        raise TooLarge(f"the answer has {int(announced):,} bytes")
    chunks, size = [], 0
    try:
        for chunk in response.raw.stream(CHUNK_BYTES):
            chunks.append(chunk)
            size += len(chunk)
            if size > MAX_BYTES or has_given_up():
                break
        else:
            return b"".join(chunks)
    except Exception as error:  # as boto does: whatever urllib3 or a socket raises is an error of the network
        raise botocore_errors.HTTPClientError(error=error) from error
    response.raw.close()
    if size > MAX_BYTES:
        raise TooLarge(f"the answer has more than {MAX_BYTES:,} bytes")
    raise botocore_errors.HTTPClientError(error="given up while it was read")


class AnswerCheck:
    """Looks at each answer of one connection before boto reads it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._generation: str | None = None
        self._thread = threading.local()

    @property
    def is_reading(self) -> bool:
        """Whether what this thread did last was to begin to read an answer."""
        return getattr(self._thread, "is_reading", False)

    @property
    def is_of_local_aws(self) -> bool:
        """Whether it was the local AWS that has answered."""
        return self._generation is not None

    def begin(self) -> None:
        """A call is about to be sent from this thread."""
        self._thread.is_reading = False

    def __call__(self, response_dict: dict[str, Any], operation_model: Any, **_: Any) -> None:
        """Raises LocalAwsError, NotFromAws, ProxyRefused, TooLarge and CutOff. boto reads half of an answer
        as if it were all, and takes JSON that it cannot read for an answer without content."""
        self._check_generation(response_dict["headers"])
        status, body = response_dict["status_code"], response_dict["body"]
        announced = response_dict["headers"].get("content-length", "")
        is_plain = announced.isdecimal() and "content-encoding" not in response_dict["headers"]
        if is_plain and len(body) < int(announced):
            raise CutOff("the reply was cut off")
        if status == 407:
            raise ProxyRefused("the proxy asks for a login (HTTP 407)")
        is_json = operation_model.service_model.resolved_protocol == "json"
        foreign = _what_is_foreign(status, body, is_json)
        if foreign and status >= 500:
            # What a gateway says when the servers behind it are not there; boto makes an error of the status.
            response_dict["body"] = b""
        elif foreign:
            raise NotFromAws(f"{foreign} (HTTP {status})")
        if len(body) > MAX_JSON_BYTES if is_json else _takes_too_much(body):
            raise TooLarge(f"the answer has {len(body):,} bytes")
        self._thread.is_reading = True

    def _check_generation(self, headers: Mapping[str, str]) -> None:
        generation = headers.get(GENERATION_HEADER)
        if generation is None:
            return
        with self._lock:
            before, self._generation = self._generation or generation, generation
        if before != generation:
            raise LocalAwsError(
                "the local AWS was emptied or started anew while this was running",
                "what was there is gone: run the same again",
            )


def _what_is_foreign(status: int, body: bytes, is_json: bool) -> str | None:
    """What an answer is instead of one of AWS's, in words; None: it may be AWS's."""
    if 300 <= status < 400:
        return "a redirection"
    if not body.strip():
        return None if is_json and status < 300 else "an empty answer"
    if is_json:
        return None if body.lstrip()[:1] == b"{" else "something else than JSON"
    if b"\0" in body[:64]:
        return "something else than XML"
    if found := _FOREIGN.search(body):
        return "a document with definitions" if b"entity" in found[0].lower() else "a web page"
    root = _ROOT.match(body)
    if root is None:
        return "something else than XML"
    return None if root[1].endswith(b"Response") else f"an XML document <{root[1].decode(errors='replace')}>"


def _takes_too_much(xml: bytes) -> bool:
    """Whether to read it would take much more memory than it has bytes."""
    if xml.count(b"<") > MAX_TAGS:
        return True
    size = 0
    for match in _WITH_ATTRIBUTES.finditer(xml):
        size += len(match[0])
        if size > MAX_ATTRIBUTE_BYTES:
            return True
    return False
