"""boto's errors as ours: what kind each is, and what to do about it."""

from __future__ import annotations

import errno
import os
import re
import socket
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

import botocore.exceptions as botocore_errors
from botocore.parsers import ResponseParserError

from provisioner.aws.answers import CutOff, NotFromAws, ProxyRefused, TooLarge
from provisioner.denial import action_of
from provisioner.errors import AwsError
from provisioner.kinds import CALL_RULES
from provisioner.retry import (
    CANNOT_SEND,
    CERTIFICATE_ERROR,
    DENIED_CODES,
    HOST_NOT_FOUND,
    INVALID_ANSWER,
    NETWORK_ERROR,
    NO_CREDENTIALS,
    PROXY_ERROR,
    TOO_LARGE,
)
from provisioner.secrecy import hide, without_secrets

LOGIN_HINT = (
    "give access keys in the environment, a profile with --profile, or `aws sso login`; "
    "--local needs no account at all"
)
_PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
_CA_VARIABLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_NOT_AWS_HINT = (
    "what answers there is not AWS: look for a proxy or the login page of a network on the way, and check "
    "--endpoint-url and AWS_ENDPOINT_URL"
)
_MFA_HINT = (
    "run the same again and type a new code; `duration_seconds` of the profile says how long a session is"
)
_KEY_HINT = "AWS does not know this access key: check AWS_ACCESS_KEY_ID or --profile"

_OUTSIDE_HINT = (
    "check the AWS configuration and credentials (`aws sts get-caller-identity`), and that what answers "
    "is AWS"
)

_HINTS = {
    NO_CREDENTIALS: LOGIN_HINT,
    "RequestExpired": "the credentials have expired, or this machine's clock is wrong",
    "RequestTimeTooSkewed": "this machine's clock is wrong",
    "InvalidClientTokenId": _KEY_HINT,
    "UnrecognizedClientException": _KEY_HINT,
    "SignatureDoesNotMatch": "the secret access key does not belong to the access key",
    "AuthFailure": "AWS does not take these credentials here: check the keys, and that the region is on",
    "OptInRequired": "this account has not opted in to the region or the service",
    "InvalidRegion": "check `region:`",
    NETWORK_ERROR: "check the network, the region's name and --endpoint-url",
    INVALID_ANSWER: _NOT_AWS_HINT,
    TOO_LARGE: _NOT_AWS_HINT,
}

# In characters, of what an endpoint says: AWS's longest have some KiB, with what was refused encoded.
_MOST_READ, _MOST_TOLD = 1024 * 1024, 32 * 1024
_EXPIRED_CODES = frozenset({"ExpiredToken", "ExpiredTokenException"})


def refused_in(service: str, operation: str, answer: Mapping[str, Any]) -> AwsError | None:
    """The error for the first thing that an answer says was not done, if there is one.

    Operations on many things at once answer for each, and not with an error:
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceCreditSpecification.html
    """
    for name, rows in answer.items():
        for row in rows if name.startswith("Unsuccessful") and isinstance(rows, list) else ():
            error = row.get("Error", {})
            which = row.get("InstanceId") or row.get("ResourceId") or "one of them"
            text = f"{which}: {_text(error) or 'not done'}"
            return AwsError(service, operation, error.get("Code", "Unsuccessful"), text, 400)
    return None


def answered(
    service: str,
    operation: str,
    error: botocore_errors.ClientError,
    login_command: str = "aws sso login",
    secrets: tuple[str | bytes, ...] = (),
) -> AwsError:
    """What AWS answered with an error. `login_command`: how somebody logs in anew here; `secrets`: what its
    text may not have in it."""
    detail = error.response.get("Error", {})
    metadata: dict[str, Any] = dict(error.response.get("ResponseMetadata", {}))
    code = str(detail.get("Code", "Unknown"))
    by_text = CALL_RULES.hints.get((operation, code))
    text = _text(detail, secrets)
    hint = by_text(text) if by_text else _HINTS.get(code)
    if code in _EXPIRED_CODES:
        hint = f"the credentials have expired: log in again (`{login_command}`) or fetch new ones"
    if code in DENIED_CODES:
        action = _denied_action(text) or action_of(service, operation)
        hint = f"these credentials need the permission {action}; `provisioner permissions SPEC` prints all"
    return AwsError(
        service,
        operation,
        code,
        text,
        int(metadata.get("HTTPStatusCode", 0)),
        metadata.get("RequestId"),
        hint,
    )


def _text(error: Mapping[str, Any], secrets: tuple[str | bytes, ...] = ()) -> str:
    """What an error says, as much of it as anybody reads."""
    text = hide(str(error.get("Message", ""))[:_MOST_READ], secrets)
    # Cut last: half of a secret does not look like one.
    return text if len(text) <= _MOST_TOLD else f"{without_secrets(text)[:_MOST_TOLD]}…"


def _denied_action(text: str) -> str | None:
    """The action that was refused, which can be another than was called: a launch passes a role.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
    """
    found = re.search(r"not authorized to perform: ([a-z0-9-]+:[A-Za-z0-9]+)", text)
    return found[1] if found else None


def too_late(service: str, operation: str, endpoint: str, seconds: float) -> AwsError:
    """Nothing, or not all, was answered in time."""
    text = f"{endpoint} has not answered within {seconds:.0f} s"
    return AwsError(service, operation, NETWORK_ERROR, text, hint=_HINTS[NETWORK_ERROR])


def unreadable(service: str, operation: str, error: Exception) -> AwsError:
    """The answer looked like one of AWS's, and boto could not read it."""
    text = f"the answer cannot be understood ({type(error).__name__})"
    return AwsError(service, operation, INVALID_ANSWER, text, hint=_NOT_AWS_HINT)


def unreachable(
    service: str,
    operation: str,
    error: Exception,
    endpoint: str | None = None,
    secrets: tuple[str | bytes, ...] = (),
) -> AwsError:
    """What never became an answer. `endpoint`: what --endpoint-url says, if it was given; `secrets`:
    what its text may not have in it."""
    code, text, hint = _classify(error, endpoint)
    text = _without_passwords(hide(text, secrets))
    return AwsError(service, operation, code, text, hint=hint or _HINTS.get(code, _OUTSIDE_HINT))


def told(error: Exception) -> str:
    """What an exception says; that of the system says little without its name."""
    known = isinstance(error, botocore_errors.BotoCoreError | ResponseParserError)
    return str(error) if known else f"{type(error).__name__}: {error}"


def _classify(error: Exception, endpoint: str | None) -> tuple[str, str, str | None]:
    """Code, text, and the hint where it is not the usual one."""
    cause = getattr(error, "kwargs", {}).get("error", error)
    match error:
        case ResponseParserError():
            return INVALID_ANSWER, "the answer cannot be read", None
        case NotFromAws():
            return INVALID_ANSWER, f"{error} in place of an answer of AWS's", None
        case ProxyRefused() | botocore_errors.ProxyConnectionError():
            return PROXY_ERROR, str(error), _proxy_hint()
        case TooLarge():
            return TOO_LARGE, str(error), None
        case botocore_errors.SSLError():
            return _classify_tls(str(error), cause)
        case botocore_errors.EndpointConnectionError() if _is_unresolved(cause):
            return HOST_NOT_FOUND, _unresolved(error), _host_hint(endpoint)
        case botocore_errors.HTTPClientError() if type(cause).__name__.startswith("Proxy"):
            return PROXY_ERROR, str(error), _proxy_hint()
        case botocore_errors.HTTPClientError() if not _is_of_the_network(cause):
            return (
                CANNOT_SEND,
                _unsendable(cause),
                "check --endpoint-url, AWS_ENDPOINT_URL and the credentials",
            )
        case botocore_errors.HTTPClientError() | botocore_errors.ConnectionError() | CutOff():
            return NETWORK_ERROR, str(error), None
        case botocore_errors.RefreshWithMFAUnsupportedError():
            return NO_CREDENTIALS, "the session that the code (MFA) has opened is over", _MFA_HINT
        case (
            botocore_errors.NoCredentialsError()
            | botocore_errors.PartialCredentialsError()
            | botocore_errors.CredentialRetrievalError()
            | botocore_errors.TokenRetrievalError()
            | botocore_errors.SSOError()
            | botocore_errors.ConfigNotFound()
        ):
            return NO_CREDENTIALS, str(error), None
    return type(error).__name__, told(error), None


def _is_of_the_network(cause: object) -> bool:
    """Anything else was in what should be sent: an address or a header that cannot be."""
    if isinstance(cause, str | botocore_errors.BotoCoreError):
        return True
    names = {parent.__module__.partition(".")[0] for parent in type(cause).__mro__}
    is_location = any(parent.__name__.startswith("Location") for parent in type(cause).__mro__)
    return not is_location and (isinstance(cause, OSError | HTTPException) or "urllib3" in names)


def _unsendable(cause: object) -> str:
    # The text of an error about a header has the header in it, which may be a secret.
    is_header = "header" in str(cause).lower()
    return "a header that cannot be sent" if is_header else f"{type(cause).__name__}: {cause}"


def _is_unresolved(cause: object) -> bool:
    return isinstance(cause, socket.gaierror) or type(cause).__name__ == "NameResolutionError"


def _unresolved(error: botocore_errors.EndpointConnectionError) -> str:
    host = urlsplit(str(error.kwargs.get("endpoint_url", ""))).hostname
    return f"the name {host} does not resolve"


def _host_hint(endpoint: str | None) -> str:
    if endpoint:
        return "check --endpoint-url"
    if any(name.startswith("AWS_ENDPOINT_URL") for name in os.environ):
        return "check AWS_ENDPOINT_URL"
    return "check `region:`, the network and its name server"


def _proxy_hint() -> str:
    named = next((name for name in _PROXY_VARIABLES if os.environ.get(name)), "HTTPS_PROXY")
    return f"check {named}; NO_PROXY names the hosts that are reached without the proxy"


_TRANSIENT_TLS = re.compile(r"EOF|reset|timed out|closed", re.IGNORECASE)
_NO_BUNDLE = re.compile(r"No such file|Permission denied|Is a directory|NO_CERTIFICATE|PEM lib|\[X509\]")


def _classify_tls(text: str, cause: object) -> tuple[str, str, str | None]:
    inner = next((arg for arg in getattr(cause, "args", ()) if isinstance(arg, OSError)), None)
    no_file = inner is not None and inner.errno in (errno.ENOENT, errno.EACCES, errno.EISDIR)
    if no_file or _NO_BUNDLE.search(text):
        named = next((name for name in _CA_VARIABLES if os.environ.get(name)), None)
        path = f" {os.environ[named]}" if named else ""
        why = getattr(inner, "strerror", None) or "no certificate in it"
        hint = f"correct {named or 'AWS_CA_BUNDLE, or `ca_bundle` of the profile'}"
        return CERTIFICATE_ERROR, f"the CA bundle{path} cannot be used: {why}", hint
    if "WRONG_VERSION_NUMBER" in text or "HTTP_REQUEST" in text:
        return CERTIFICATE_ERROR, text, "the server there does not speak TLS: is it http:// and not https://?"
    if "CERTIFICATE" not in text.upper() and _TRANSIENT_TLS.search(text):
        return NETWORK_ERROR, text, None
    hint = (
        "if a proxy here looks into encrypted traffic, name its CA bundle in AWS_CA_BUNDLE; otherwise "
        "this is not the server that it claims to be"
    )
    return CERTIFICATE_ERROR, text, hint


def _without_passwords(text: str) -> str:
    text = re.sub(r"//[^/@\s]*@", "//", text)
    # An address without its http:// is cited as it is in the AWS configuration.
    return re.sub(r"[^\s/@:'\"]+:[^\s@'\"]+@", "", text)
