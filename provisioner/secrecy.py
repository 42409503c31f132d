"""What nobody gets to see: credentials, tokens, passwords in addresses, user data.

Two nets. What is known to be secret is hidden wherever it occurs, in each way that libraries write it; and
what has the form of a credential is hidden although nobody knows it. Only what comes from the machine or from
AWS is ever learnt: were a spec able to name secrets, it could hide lines of its own plan.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
import threading
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote, quote_plus, unquote

HIDDEN = "***"

# Shorter ones would hide honest words. The keys that AWS gives have 16 characters and more.
_SHORTEST = 8

_SECRET_VARIABLES = re.compile(
    r"AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|SECURITY_TOKEN|CONTAINER_AUTHORIZATION_TOKEN|BEARER_TOKEN_\w+)",
    re.IGNORECASE,
)
_ADDRESS_VARIABLES = re.compile(
    r"\w*_PROXY|AWS_ENDPOINT_URL\w*|AWS_CONTAINER_CREDENTIALS_FULL_URI", re.IGNORECASE
)

_NAMES = (
    r"aws_secret_access_key|secret_?access_?key|(?:aws_)?(?:session|security)_?token|x-amz-security-token|"
    r"x-amz-signature|x-amz-credential|(?:access|refresh|id)_?token|client_?secret|web_?identity_?token"
)

# Each takes no more than one word, so that nothing can be hidden behind a value that only looks like one. A
# backslash is taken with what it escapes, and never from a quote: in JSON, a text would end there.
_ESCAPED = r"\\[^\s'\"]"
# The secret key that the local AWS tells people to use, and what JSON has without quotes.
_NONE = r"(?!(?:local|true|false|null)(?![^\s,;&'\"}\]]))"
_FORMS = (
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html
    (re.compile(r"(?i)\b(Credential|Signature)=(?:" + _ESCAPED + r"|[^\s,;&'\"\\])+"), rf"\1={HIDDEN}"),
    (re.compile(r"(?i)\b(Basic|Bearer|Negotiate)(\s+)[\w+/=.~-]{8,}"), rf"\1\2{HIDDEN}"),
    # A number in JSON, which is not JSON any more with a mere `***` in its place.
    (
        re.compile(rf"(?i)\b({_NAMES})(\\*['\"])(\s*:\s*)-?\d[\d.e+-]{{2,}}(?![^\s,}}\]])"),
        rf"\1\2\3\2{HIDDEN}\2",
    ),
    (
        re.compile(
            rf"(?i)\b({_NAMES})(\\*['\"]?\s*[:=]\s*b?\\*['\"]?){_NONE}"
            rf"(?:{_ESCAPED}|[^\s,;&'\"}}\\]){{4,}}"
        ),
        rf"\1\2{HIDDEN}",
    ),
    # Of its scheme the last letter is enough: to look for the first one takes quadratic time.
    (re.compile(r"(?i)([a-z0-9+.-]://)[^\s/'\"<>?#]*@"), rf"\1{HIDDEN}@"),
    # A JSON Web Token: https://www.rfc-editor.org/rfc/rfc7519. It is looked for once in each word with what
    # follows a first part, and not from each of its hyphens to its end.
    (
        re.compile(r"(?<![\w-])(?=[\w-]++\.[\w-]{4,}\.)([\w-]*?)\beyJ[\w-]{8,}\.[\w-]{4,}\.[\w-]*"),
        rf"\1{HIDDEN}",
    ),
)

_LISTED = re.compile(rf"(?i)\b(?:{_NAMES})\"\s*:\s*\[")

# Of what signs one request only, so many are known at a time: more than are ever sent side by side.
_MAX_PASSING = 100


class _Hidden(NamedTuple):
    """What is hidden, the longest first, and the length of each as a negative number: these ascend, so that
    what is too long to be in a text is passed over at once."""

    ways: tuple[str, ...] = ()
    lengths: tuple[int, ...] = ()


# Threads read these while others learn, one at a time; so each is only ever replaced as a whole. A signal
# handler that shows something may interrupt the learning.
_learning = threading.RLock()
_known: tuple[str, ...] = ()
_passing: tuple[str | bytes, ...] = ()
# None: worked out when something is shown next. Far more is signed than is shown.
_hidden: _Hidden | None = None


def without_secrets(text: str) -> str:
    """A text with `***` in place of everything that is secret in it."""
    return without_credentials(without_known(text))


def without_known(text: str) -> str:
    """A text without what is known to be secret. Enough only where forms were looked for before."""
    hidden = _hidden or _work_out()
    # Asked of each word that is printed, and most are shorter than any secret.
    for way in hidden.ways[bisect_left(hidden.lengths, -len(text)) :]:
        if way in text:
            text = text.replace(way, HIDDEN)
    return text


def without_credentials(text: str) -> str:
    """A text without what has the form of a credential: the same on every machine."""
    if _may_have_form(text.lower()):
        for form, instead in _FORMS:
            text = form.sub(instead, text)
    return text


def _may_have_form(lower: str) -> bool:
    """Whether a text in small letters has what one of the forms cannot be without. Asked of all that is
    printed, so it is written out."""
    return (
        "://" in lower
        or "eyj" in lower
        or "signature" in lower
        or "credential" in lower
        or "basic" in lower
        or "bearer" in lower
        or "negotiate" in lower
        or "token" in lower
        or "secret" in lower
    )


def without_credentials_at(path: str, value: Any) -> Any:
    """A value of the field or tag at a path without what, beside that name, has the form of a credential.

    So that `tags.access_token` with its value apart is hidden as `access_token=...` in one text is.
    """
    if not isinstance(value, str):
        return value
    name = without_credentials(path) + "="
    told = without_credentials(f"{path}={value}")
    return told.removeprefix(name) if told.startswith(name) else HIDDEN


def without_listed_credentials(data: Any, name: str = "") -> Any:
    """JSON data without what stands in a list beside a name of a credential, as one value there is hidden.

    No form of a text finds these: it would have to take more than one word. `name`: that of the list.
    """
    if isinstance(data, Mapping):
        return {
            key: without_listed_credentials(inner, key) if isinstance(inner, Mapping | list) else inner
            for key, inner in data.items()
        }
    if isinstance(data, list):
        return [without_listed_credentials(item, name) for item in data]
    if data is None or isinstance(data, bool):
        return data
    text = str(data)
    # What has that form by itself is hidden word by word, wherever it is shown.
    return data if without_credentials_at(name, text) == without_credentials(text) else HIDDEN


def lists_credentials(json_text: str) -> bool:
    """Whether JSON has a list beside a name of a credential."""
    return _may_have_form(json_text.lower()) and _LISTED.search(json_text) is not None


def looks_secret(text: str) -> bool:
    """Whether something in a text has the form of a credential."""
    return without_credentials(text) != text


def hide(text: str, secrets: Iterable[str | bytes]) -> str:
    """A text without some more, told by name, in each way that libraries write them."""
    for way in _longest_first(secrets):
        text = text.replace(way, HIDDEN)
    return text


def learn_secrets(*secrets: str | bytes | None) -> None:
    """From now on these are hidden; None and what is too short to tell from a word are passed over."""
    global _known, _hidden
    new = set(_longest_first(secret for secret in secrets if secret))
    if not new.issubset(_known):
        with _learning:
            _known, _hidden = tuple(new.union(_known)), None


def learn_passing_secret(secret: str | bytes) -> None:
    """From now on this is hidden, until a hundred others have passed: the signature of one request."""
    global _passing, _hidden
    with _learning:
        _passing, _hidden = (*_passing[1 - _MAX_PASSING :], secret), None


def _work_out() -> _Hidden:
    """What is hidden now."""
    global _hidden
    with _learning:
        written = {*_known, *itertools.chain(*map(_ways_to_write_passing, _passing))}
        ways = sorted(written, key=len, reverse=True)
        _hidden = hidden = _Hidden(tuple(ways), tuple(-len(way) for way in ways))
    return hidden


def learn_from_environment(variables: Mapping[str, str]) -> None:
    """Learn the credentials that variables hold, and the passwords in addresses of proxies and endpoints."""
    for name, value in variables.items():
        if _SECRET_VARIABLES.fullmatch(name):
            learn_secrets(value)
        elif _ADDRESS_VARIABLES.fullmatch(name):
            learn_password(value)


def learn_password(address: str | None) -> None:
    """Learn the password in an address, if it has one. https://www.rfc-editor.org/rfc/rfc3986#section-3.2.1"""
    user, at, _ = (address or "").rpartition("@")
    password = user.rpartition("://")[2].partition(":")[2]
    if at and password:
        # One with a slash in it is cut there by whoever reads the address, and told in parts.
        parts = re.split(r"[/?#]", password)
        name = user.rpartition("://")[2].partition(":")[0]
        learn_secrets(password, unquote(password), *parts, *(f"{name}:{part}" for part in parts))


def _longest_first(secrets: Iterable[str | bytes]) -> tuple[str, ...]:
    written = {way for secret in secrets for way in _ways_to_write(secret)}
    return tuple(sorted(written, key=len, reverse=True))


@lru_cache(_MAX_PASSING)
def _ways_to_write_passing(secret: str | bytes) -> set[str]:
    return _ways_to_write(secret)


def _ways_to_write(secret: str | bytes) -> set[str]:
    """A secret as it is, as errors quote it, in addresses and in Base64; also each of its lines."""
    raw = secret if isinstance(secret, bytes) else secret.encode(errors="surrogateescape")
    text = raw.decode(errors="replace")
    ways = {text, quote(text), quote(text, safe=""), quote_plus(text)}
    ways |= {
        repr(text)[1:-1],
        repr(raw)[2:-1],
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
    }
    encoded = base64.b64encode(raw).decode()
    ways |= {encoded, quote(encoded, safe=""), base64.urlsafe_b64encode(raw).decode()}
    ways |= {line.strip() for way in (text, repr(text)[1:-1]) for line in re.split(r"\n|\r|\\n|\\r", way)}
    return {way for way in ways if len(way) >= _SHORTEST}
