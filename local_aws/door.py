"""Who is let in: programs on this machine, and no web page.

A browser sends what any page asks for to 127.0.0.1 as well. The page cannot read the answers, but the calls
would be carried out (cross-site request forgery); and a page whose name resolves to 127.0.0.1 a moment later
could read them too (DNS rebinding). Neither can choose the headers `Host`, `Origin` and `Sec-Fetch-Site`:
https://fetch.spec.whatwg.org/#forbidden-request-header, https://www.w3.org/TR/fetch-metadata/.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

from local_aws.client import LOOPBACK, TOKEN_HEADER

MAX_BODY_BYTES = 16 * 1024 * 1024
_FROM_BROWSERS = ("HTTP_ORIGIN", "HTTP_SEC_FETCH_SITE", "HTTP_SEC_FETCH_MODE")


def refusal(environ: Mapping[str, Any], port: int) -> str | None:
    """Why a request is not let in, or None: it may pass."""
    hosts = (f"{LOOPBACK}:{port}", f"localhost:{port}")
    if environ.get("HTTP_HOST", "").lower() not in hosts:
        return f"the local AWS answers to the Host {hosts[0]} or {hosts[1]} only"
    if any(name in environ for name in _FROM_BROWSERS):
        return "the local AWS does not answer web pages"
    # An absolute address in the request line takes the place of the Host, which was looked at above.
    if not environ.get("REQUEST_URI", "").startswith("/"):
        return "the local AWS is no proxy"
    return None


def knows_token(environ: Mapping[str, Any], token: str) -> bool:
    """Whether the request comes from somebody who can read the state folder."""
    name = f"HTTP_{TOKEN_HEADER.upper().replace('-', '_')}"
    return hmac.compare_digest(str(environ.get(name, "")).encode(), token.encode())


def read_body(environ: Mapping[str, Any]) -> bytes:
    """The body of a request. Raises ValueError for one that is too long, or does not say how long it is."""
    stream = environ["wsgi.input"]
    if environ.get("wsgi.input_terminated"):
        body: bytes = stream.read(MAX_BODY_BYTES + 1)
        length = len(body)
    else:
        announced = str(environ.get("CONTENT_LENGTH") or 0)
        if not (announced.isascii() and announced.isdecimal()):
            raise ValueError("Content-Length is no number")
        length = int(announced) if len(announced) < 12 else MAX_BODY_BYTES + 1
        body = stream.read(length) if length <= MAX_BODY_BYTES else b""
    if length > MAX_BODY_BYTES:
        raise ValueError(f"the request is longer than {MAX_BODY_BYTES:,} bytes")
    return body
