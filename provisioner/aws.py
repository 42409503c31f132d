"""AWS: session, clients, the read-only guard, retries and errors in plain words.

The only module that imports boto3, botocore and tenacity.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import boto3
import botocore.exceptions as botocore_errors
import botocore.session
from botocore import xform_name
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.parsers import ResponseParserError

from provisioner.errors import AwsError, Interrupted, ProvisionerError
from provisioner.model import Identity
from provisioner.pace import READING, Pace
from provisioner.retry import NETWORK_ERROR, patience_for
from provisioner.secrecy import hide, learn_secrets

MOST_AT_ONCE = 16
NOT_SENT = "interrupted before it was done; apply again to finish it"
# IAM's buckets are small, unpublished and cannot be raised.
MOST_AT_ONCE_IN_IAM = 4


@dataclass(frozen=True)
class Target:
    """Which AWS to talk to, and as whom."""

    region: str
    profile: str | None = None
    endpoint_url: str | None = None
    is_local: bool = False


@dataclass(frozen=True)
class Sent:
    """One call that was made: how long it took, and the error code or None."""

    service: str
    operation: str
    seconds: float
    code: str | None


class Aws:
    """Calls to AWS. Reads only, until `for_writing` is asked for.

    Threads may share it. Every call is retried for what `provisioner.retry` names and nothing else;
    boto's own retries are off, because they ask again where capacity is short.
    """

    def __init__(self, target: Target, on_call: Callable[[Sent], None] = lambda _: None) -> None:
        self._on_call = on_call
        self._stop = threading.Event()
        self._may_write = False
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}
        self._made: set[str] = set()
        self._answers: list[tuple[str, dict[str, Any]]] = []
        self._iam_slots = threading.Semaphore(MOST_AT_ONCE_IN_IAM)
        self._pace = Pace()
        self.target = target
        self._config = Config(
            region_name=target.region,
            retries={"total_max_attempts": 1, "mode": "standard"},
            max_pool_connections=MOST_AT_ONCE,
            user_agent_extra="provisioner",
        )
        try:
            self._session = (
                _local_session() if target.is_local else boto3.Session(profile_name=target.profile)
            )
        except botocore_errors.ProfileNotFound as error:
            raise ProvisionerError(
                str(error), "see `aws configure list-profiles` for the profiles there are"
            ) from error
        except Exception as error:
            raise ProvisionerError(
                f"the AWS configuration cannot be read: {told(error)}",
                "check ~/.aws/config and ~/.aws/credentials, or the files that AWS_CONFIG_FILE and "
                "AWS_SHARED_CREDENTIALS_FILE name",
            ) from error

    def for_writing(self) -> Aws:
        """The same connections, with every operation allowed."""
        writer = object.__new__(Aws)
        writer.__dict__.update(self.__dict__)
        writer._may_write = True
        return writer

    def heed(self, stop: threading.Event) -> None:
        """From now on nothing is sent again once `stop` is set; its last answer is what counts."""
        self._stop = stop

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """Send one call, again where that is right, and return its answer.

        Raises AwsError, and PermissionError for a write through a reading connection.
        """
        if not self._may_write and not operation.startswith(READING):
            raise PermissionError(f"{service} {operation} would write; this connection only reads")
        client = self._client(service)
        method = getattr(client, xform_name(operation))

        failed: list[AwsError] = []
        # Patience begins when a call is sent for the first time, and not while it waits for its turn.
        sent: list[float] = []

        def attempt() -> dict[str, Any]:
            # What waits for its turn is not on its way: a turn comes before the pace.
            with self._iam_slots if service == "iam" else nullcontext():
                self._wait(self._pace.seconds_until(service, operation, params))
                if self._stop.is_set() and not operation.startswith(READING):
                    raise failed[-1] if failed else Interrupted(NOT_SENT)
                sent.append(time.monotonic())
                try:
                    return self._attempt(service, operation, method, params)
                except AwsError as error:
                    failed.append(error)
                    raise

        try:
            answer = attempt()
        except AwsError as error:
            if not self._is_worth_a_retry(error, 0.0):
                raise
            answer = self._send_again(error, attempt, sent)
        self._remember(operation, params, answer)
        return answer

    def _send_again(
        self, error: AwsError, attempt: Callable[[], dict[str, Any]], sent: list[float]
    ) -> dict[str, Any]:
        """What comes of a call that has failed once, at the first of the times `sent`. Raises AwsError."""
        # Most runs need none of this, and to import it takes a twentieth of a plan's time.
        from tenacity import RetryCallState, Retrying, wait_random_exponential

        first = [error]

        def again() -> dict[str, Any]:
            if first:
                raise first.pop()
            return attempt()

        def should_retry(state: RetryCallState) -> bool:
            failed = state.outcome.exception() if state.outcome else None
            return isinstance(failed, AwsError) and self._is_worth_a_retry(failed, time.monotonic() - sent[0])

        answer: dict[str, Any] = Retrying(
            retry=should_retry,
            wait=wait_random_exponential(multiplier=0.5, max=8, min=0.1),
            stop=lambda _: self._stop.is_set(),
            sleep=self._wait,
            reraise=True,
        )(again)
        return answer

    def answers(self, operation: str) -> list[dict[str, Any]]:
        """All answers so far to one operation that writes, oldest first."""
        return [answer for name, answer in list(self._answers) if name == operation]

    def pages(self, service: str, operation: str, key: str, **params: Any) -> Iterator[Any]:
        """All items that the pages of an operation hold under `key`, 1000 a page. Raises AwsError."""
        size, sent, received = (
            ("MaxItems", "Marker", "Marker") if service == "iam" else ("MaxResults", "NextToken", "NextToken")
        )
        params = params | {size: 1000}
        while True:
            answer = self.call(service, operation, **params)
            yield from answer.get(key, ())
            if not answer.get(received):
                return
            params = params | {sent: answer[received]}

    def together(self, *reads: Callable[[], Any]) -> list[Any]:
        """The results of functions without arguments, run side by side, in their order."""
        if len(reads) <= 1:
            return [read() for read in reads]
        with ThreadPoolExecutor(max_workers=min(len(reads), MOST_AT_ONCE)) as pool:
            futures = [pool.submit(read) for read in reads]
            try:
                return [future.result() for future in futures]
            except KeyboardInterrupt:
                # The pool waits for all of them; nobody wants to wait for what they would try again.
                self._stop.set()
                raise

    def identity(self) -> Identity:
        """Whose AWS it is. Raises AwsError."""
        return Identity.of_arn(self.call("sts", "GetCallerIdentity")["Arn"])

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            self._stop.wait(seconds)

    def _client(self, service: str) -> Any:
        # Making clients from one session in several threads races (boto3 guide, "Multithreading").
        with self._lock:
            if service not in self._clients:
                try:
                    client = self._session.client(  # type: ignore[call-overload]
                        service, endpoint_url=self.target.endpoint_url, config=self._config
                    )
                except Exception as error:
                    # A configuration that cannot be read comes as whatever the reading of it raises.
                    raise _unreachable(service, "(connecting)", error) from error
                client.meta.events.register("before-parse", _check_that_it_is_whole)
                client.meta.events.register("before-send", _learn_what_is_sent)
                _learn_credentials(self._session)
                self._clients[service] = client
            return self._clients[service]

    def _attempt(
        self, service: str, operation: str, method: Callable[..., dict[str, Any]], params: dict[str, Any]
    ) -> dict[str, Any]:
        started = time.monotonic()
        code: str | None = None
        try:
            return method(**params)
        except botocore_errors.ClientError as error:
            translated = _answered(service, operation, error)
            code = translated.code
            raise translated from error
        except Exception as error:
            # botocore lets out whatever a missing token file, a broken credential process or an answer that
            # is not AWS's makes its parts raise.
            translated = _unreachable(service, operation, error, _user_data_in(params))
            code = translated.code
            raise translated from error
        finally:
            self._on_call(Sent(service, operation, time.monotonic() - started, code))

    def _is_worth_a_retry(self, error: AwsError, seconds: float) -> bool:
        with self._lock:
            made = frozenset(self._made)
        patience = patience_for(error, made)
        return patience is not None and seconds < patience.seconds

    def _remember(self, operation: str, params: dict[str, Any], answer: dict[str, Any]) -> None:
        if not operation.startswith(READING):
            self._answers.append((operation, answer))
        with self._lock:
            if operation == "CreateRole":
                self._made.add(params["RoleName"])
            elif operation == "CreateInstanceProfile":
                self._made.add(params["InstanceProfileName"])
            elif operation in ("DeleteRole", "DeleteInstanceProfile"):
                self._made.discard(params.get("RoleName") or params["InstanceProfileName"])
            elif operation == "RunInstances":
                self._made.update(instance["InstanceId"] for instance in answer["Instances"])


def _local_session() -> boto3.Session:
    """A session that nothing of the user's own configuration reaches, neither a profile nor a key."""
    unread = {"profile": (None, None, None, None), "config_file": (None, None, os.devnull, None)}
    core = botocore.session.Session(session_vars=unread)
    return boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", botocore_session=core)


def _learn_what_is_sent(request: Any, **_: Any) -> None:
    """Learn the credentials in a request that is about to be sent, wherever they came from."""
    for name in ("Authorization", "X-Amz-Security-Token"):
        learn_secrets(request.headers.get(name))


def _learn_credentials(session: boto3.Session) -> None:
    """Learn keys that are simply there. To ask any others for theirs would fetch them anew."""
    found = session.get_credentials()
    if type(found) is Credentials:
        learn_secrets(found.secret_key, found.token)


def _user_data_in(params: Mapping[str, Any]) -> tuple[str | bytes, ...]:
    """The user data of a call, which errors about its parameters show."""
    found = params.get("UserData")
    given = found.get("Value") if isinstance(found, dict) else found
    return () if given is None else (given,)


def told(error: Exception) -> str:
    """What an exception says; that of the system says little without its name."""
    known = isinstance(error, (botocore_errors.BotoCoreError, ResponseParserError))
    return str(error) if known else f"{type(error).__name__}: {error}"


def _check_that_it_is_whole(response_dict: Mapping[str, Any], **_: Any) -> None:
    """Raises ResponseParserError for a reply that was cut off. boto reads half of one as if it were all, and
    takes JSON that it cannot read for an answer without content."""
    headers = response_dict["headers"]
    announced = headers.get("content-length", "")
    is_plain = announced.isdecimal() and "content-encoding" not in headers
    if is_plain and len(response_dict["body"]) < int(announced):
        raise ResponseParserError("the reply was cut off")


_LOGIN_HINT = (
    "give access keys in the environment, a profile with --profile, or `aws sso login`; "
    "--local needs no account at all"
)

_OUTSIDE_HINT = (
    "check the AWS configuration and credentials (`aws sts get-caller-identity`), and that what answers "
    "is AWS"
)

_HINTS = {
    "NoCredentials": _LOGIN_HINT,
    "ExpiredToken": "the credentials have expired: log in again (`aws sso login`) or fetch new ones",
    "ExpiredTokenException": "the credentials have expired: log in again (`aws sso login`) or fetch new ones",
    "RequestExpired": "the credentials have expired, or this machine's clock is wrong",
    "InvalidClientTokenId": "AWS does not know this access key: check AWS_ACCESS_KEY_ID or --profile",
    "UnrecognizedClientException": "AWS does not know this access key: check AWS_ACCESS_KEY_ID or --profile",
    "SignatureDoesNotMatch": "the secret access key does not belong to the access key",
    "AuthFailure": "AWS does not take these credentials here: check the keys, and that the region is on",
    "OptInRequired": "this account has not opted in to the region or the service",
    "InvalidRegion": "check `region:`",
    NETWORK_ERROR: "check the network, the region's name and --endpoint-url",
}


def _answered(service: str, operation: str, error: botocore_errors.ClientError) -> AwsError:
    detail = error.response.get("Error", {})
    metadata: dict[str, Any] = dict(error.response.get("ResponseMetadata", {}))
    code = str(detail.get("Code", "Unknown"))
    hint = _HINTS.get(code)
    if code == "OperationNotPermitted" and operation == "TerminateInstances":
        hint = (
            "termination protection was switched on by hand: switch it off in EC2; `apply` also leaves the "
            "members alone that `protect` names"
        )
    if code in {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}:
        hint = f"these credentials need the permission {service}:{operation}"
    return AwsError(
        service,
        operation,
        code,
        str(detail.get("Message", "")),
        int(metadata.get("HTTPStatusCode", 0)),
        metadata.get("RequestId"),
        hint,
    )


# A reply that cannot be read was cut off, or comes from something in between that is not AWS.
_NETWORK_ERRORS = (
    botocore_errors.HTTPClientError,
    botocore_errors.ConnectionError,
    ResponseParserError,
)

_CREDENTIAL_ERRORS = (
    botocore_errors.NoCredentialsError,
    botocore_errors.PartialCredentialsError,
    botocore_errors.CredentialRetrievalError,
    botocore_errors.TokenRetrievalError,
    botocore_errors.SSOError,
    botocore_errors.ConfigNotFound,
)


def _unreachable(
    service: str, operation: str, error: Exception, secrets: tuple[str | bytes, ...] = ()
) -> AwsError:
    code = type(error).__name__
    if isinstance(error, _CREDENTIAL_ERRORS):
        code = "NoCredentials"
    elif isinstance(error, _NETWORK_ERRORS):
        code = NETWORK_ERROR
    text = hide(told(error), secrets)
    return AwsError(service, operation, code, text, hint=_HINTS.get(code, _OUTSIDE_HINT))
