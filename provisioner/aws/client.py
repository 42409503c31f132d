"""AWS: session, clients, the read-only guard, retries and errors in plain words.

With the rest of this package all there is that imports botocore and tenacity.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import botocore.exceptions as botocore_errors
from botocore import xform_name
from botocore.config import Config

from provisioner.aws.answers import AnswerCheck, BoundedSession, seconds_ahead
from provisioner.aws.deadline import TooLate, run_within
from provisioner.aws.errors import answered, refused_in, too_late, unreachable, unreadable
from provisioner.aws.kept_numbers import endpoint_of, forget_numbers, keep_numbers, read_numbers
from provisioner.aws.login import (
    asks,
    asks_for_code,
    assume_role,
    lacking,
    learn_credentials,
    learn_what_is_sent,
    log_in,
    login_command,
    not_fetched,
    open_local_session,
    open_session,
    require,
)
from provisioner.aws.rate_limit import READING, RateLimit
from provisioner.errors import AwsError, Interrupted, ProvisionerError
from provisioner.kinds import CALL_RULES
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Identity
from provisioner.retry import (
    FIRST_ANSWER_S,
    INVALID_ANSWER,
    THROTTLING_CODES,
    UNANSWERED,
    RetryRule,
    first_wait_s,
    is_answer,
)

T = TypeVar("T")

MAX_AT_ONCE = 16
ELSEWHERE = "no answer yet from other regions"
NOT_SENT = "interrupted before it was done; apply again to finish it"
# How long one call may take in all, from the name server to the last byte.
CALL_S = 120.0
CONNECT_S = 5.0
# When somebody is told that a service has not answered yet.
NOTICE_AFTER_S = 2.0
# How services call the size of a page, how much it may be, and what the next one is asked for with.
PAGES = {
    "iam": ("MaxItems", 1000, "Marker"),
    "resourcegroupstaggingapi": ("ResourcesPerPage", 100, "PaginationToken"),
}
# Of EC2 a page may have a thousand, but of these.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceTypes.html (MaxResults)
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeManagedPrefixLists.html (MaxResults)
SMALL_PAGES = {"DescribeInstanceTypes": 100, "DescribeManagedPrefixLists": 100}
# How many pages one listing may have, and for how long it may go on: at an endpoint that has always one more.
MAX_PAGES = 500
PAGES_S = 300.0
# How many calls of IAM are on their way at once. Its rates are unpublished and cannot be raised, and what is
# assumed of them is kept for each operation; so many make use of that.
MAX_AT_ONCE_IN_IAM = 8


@dataclass(frozen=True)
class Target:
    """Which AWS to talk to, and as whom. `account_id` is which of the accounts of the local AWS."""

    region: str
    profile: str | None = None
    endpoint_url: str | None = None
    is_local: bool = False
    account_id: str | None = None


@dataclass(frozen=True)
class Sent:
    """One call that was made: how long it took, and the error code or None."""

    service: str
    operation: str
    seconds: float
    code: str | None


class Aws:
    """AWS, for reading: it has no method that writes. `WritingAws` is for the executor of a plan.

    Threads may share it. Every call is retried for what `provisioner.retry` names and nothing else;
    boto's own retries are off, because they ask again where capacity is short.
    """

    def __init__(
        self,
        target: Target,
        on_call: Callable[[Sent], None] = lambda _: None,
        on_waiting: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._on_call = on_call
        self._on_waiting = on_waiting
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}
        self._made: set[str] = set()
        self._answers: list[tuple[str, dict[str, Any]]] = []
        self._iam_slots = threading.Semaphore(MAX_AT_ONCE_IN_IAM)
        self._pace = RateLimit()
        self._check = AnswerCheck()
        # When each service was first asked, which have answered, and what was told about waiting for them.
        self._asked: dict[str, float] = {}
        self._answered: set[str] = set()
        self._waited: set[str] = set()
        # The other region of which that was told; of all others it is told at once.
        self._silent_elsewhere: list[str] = []
        self._is_elsewhere = False
        # How far the clock of the local AWS was moved forward, by its last answer.
        self._ahead = [timedelta(0)]
        self.target = target
        self._config = Config(
            region_name=target.region,
            retries={"total_max_attempts": 1, "mode": "standard"},
            max_pool_connections=MAX_AT_ONCE,
            connect_timeout=CONNECT_S,
            user_agent_extra="provisioner",
            # None: those of the environment.
            proxies={} if target.is_local else None,
        )
        self._session = (
            open_local_session(target.account_id)
            if target.is_local
            else open_session(target.profile, target.region)
        )

    def assuming(self, role_arn: str, external_id: str | None, region: str) -> Aws:
        """As a role, which these credentials assume, in a region. Raises AwsError where there are none."""
        other = self.in_region(region)
        other._is_elsewhere = self._is_elsewhere
        other._answers, other._made, other._lock = [], set(), threading.Lock()
        other._iam_slots = threading.Semaphore(MAX_AT_ONCE_IN_IAM)
        other._check, other._waited, other._silent_elsewhere = AnswerCheck(), set(), []
        other._session = assume_role(
            self._session,
            self._lock,
            role_arn,
            external_id,
            region,
            other._config,
            self.target.endpoint_url,
        )
        return other

    def in_region(self, region: str) -> Aws:
        """The same account in another region."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.target = replace(self.target, region=region)
        other._config = self._config.merge(Config(region_name=region))
        other._clients = {}
        other._pace = RateLimit()
        # That one region answers says nothing of another.
        other._asked, other._answered = {}, set()
        other._is_elsewhere = self._is_elsewhere or region != self.target.region
        return other

    def aside(self) -> Aws:
        """The same connections, for what nobody waits for: of what does not answer nothing is told."""
        other = object.__new__(Aws)
        other.__dict__.update(self.__dict__)
        other._on_waiting, other._waited, other._silent_elsewhere = lambda _: None, set(), []
        return other

    def apart(self) -> Aws:
        """The same connections and rate limits, for another environment: what is made and answered there is
        its own, and no launch of one is taken for one of the other."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._answers, other._made = [], set()
        return other

    def heed(self, stop: threading.Event) -> None:
        """From now on nothing is sent again once `stop` is set; its last answer is what counts."""
        self._stop = stop

    @property
    def asks(self) -> bool:
        """Whether somebody may be asked for something when it is logged in."""
        return not self.target.is_local and asks(self._session)

    @property
    def asks_for_code(self) -> bool:
        """Whether a code (MFA) is asked for when it is logged in."""
        return not self.target.is_local and asks_for_code(self._session)

    def log_in(self) -> None:
        """Fetches the credentials, and asks for a code where one is wanted. Raises AwsError."""
        if not self.target.is_local:
            log_in(self._session)

    def now(self) -> datetime:
        """What time it is; by the local AWS's clock, which can be moved, where that has answered.

        AWS itself answers nobody whose clock differs by more than minutes:
        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
        """
        return datetime.now(UTC) + self._ahead[0]

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """Read something, again where that is right. Raises AwsError, and PermissionError for a write."""
        if not operation.startswith(READING):
            raise PermissionError(f"{service} {operation} would write; this connection only reads")
        return self._call(service, operation, params)

    def _call(self, service: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        method = getattr(self._client(service, operation), xform_name(operation), None)
        if method is None:
            raise lacking(self._session, service, operation)

        failed: list[AwsError] = []
        # Patience begins when a call is sent for the first time, and not while it waits for its turn.
        sent: list[float] = []

        def attempt() -> dict[str, Any]:
            with self._turn(service, operation, params):
                if self._stop.is_set() and not operation.startswith(READING):
                    raise failed[-1] if failed else Interrupted(NOT_SENT)
                sent.append(time.monotonic())
                try:
                    return self._attempt(service, operation, method, params)
                except AwsError as error:
                    failed.append(error)
                    if operation == "RunInstances" and _is_refused(error):
                        self._pace.give_back(operation, params)
                    raise

        try:
            answer = attempt()
        except AwsError as error:
            if not self._is_worth_a_retry(service, error, 0.0):
                raise
            answer = self._send_again(service, error, attempt, sent)
        if refused := refused_in(service, operation, answer):
            raise refused
        self._remember(operation, params, answer)
        return answer

    @contextmanager
    def _turn(self, service: str, operation: str, params: dict[str, Any]) -> Iterator[None]:
        """Waits until a call may be sent."""
        if service != "iam":
            self._wait(self._pace.seconds_until(service, operation, params))
            yield
            return
        # Tokens that are taken long before a call is sent are none. So a place comes first; who has one and
        # has to wait for tokens leaves it to the calls of other operations.
        self._iam_slots.acquire()
        try:
            while seconds := self._pace.take(service, operation, params):
                self._iam_slots.release()
                try:
                    self._wait(seconds)
                finally:
                    self._iam_slots.acquire()
                if self._stop.is_set():
                    break
            yield
        finally:
            self._iam_slots.release()

    def _send_again(
        self, service: str, error: AwsError, attempt: Callable[[], dict[str, Any]], sent: list[float]
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
            seconds = time.monotonic() - sent[0]
            return isinstance(failed, AwsError) and self._is_worth_a_retry(service, failed, seconds)

        longer_each_time = wait_random_exponential(multiplier=0.5, max=8, min=0.1)

        def pause(state: RetryCallState) -> float:
            failed = state.outcome.exception() if state.outcome else None
            rule = self._retry_rule(failed) if isinstance(failed, AwsError) else None
            seconds = longer_each_time(state) if rule is None or rule.pause_s is None else rule.pause_s
            return min(seconds, self._longest_pause(service))

        answer: dict[str, Any] = Retrying(
            retry=should_retry,
            wait=pause,
            stop=lambda _: self._stop.is_set(),
            sleep=self._wait,
            reraise=True,
        )(again)
        return answer

    def answers(self, operation: str) -> list[dict[str, Any]]:
        """All answers so far to one operation that writes, oldest first."""
        return [answer for name, answer in list(self._answers) if name == operation]

    def pages(self, service: str, operation: str, key: str, **params: Any) -> Iterator[Any]:
        """All items that the pages of an operation hold under `key`, as many a page as there can be.

        Raises AwsError.
        """
        return self._pages(
            lambda asked: self.call(service, operation, **asked), service, operation, key, params
        )

    def _pages(
        self,
        answer_to: Callable[[dict[str, Any]], dict[str, Any]],
        service: str,
        operation: str,
        key: str,
        params: dict[str, Any],
    ) -> Iterator[Any]:
        size, most, token_name = PAGES.get(service, ("MaxResults", 1000, "NextToken"))
        params = params | {size: SMALL_PAGES.get(operation, most)}
        began = time.monotonic()
        passed: set[str] = set()
        while True:
            answer = answer_to(params)
            if key not in answer:
                text = f"the answer has no {key}"
                raise AwsError(service, operation, INVALID_ANSWER, text, hint="check --endpoint-url")
            yield from answer[key]
            token = answer.get(token_name)
            if not token:
                return
            if token in passed or len(passed) >= MAX_PAGES or time.monotonic() - began > PAGES_S:
                text = f"there is always one more page: {len(passed) + 1} were read"
                raise AwsError(service, operation, INVALID_ANSWER, text, hint="check --endpoint-url")
            passed.add(token)
            params = params | {token_name: token}

    def parallel(self, *reads: Callable[[], T]) -> list[T]:
        """The results of functions without arguments, run side by side, in their order."""
        if len(reads) <= 1:
            return [read() for read in reads]
        with ThreadPoolExecutor(max_workers=min(len(reads), MAX_AT_ONCE)) as pool:
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

    def kept(self, name: str) -> Mapping[str, float]:
        """What was kept under this name in a month; nothing of the local AWS, where switches decide."""
        return {} if self.target.is_local else read_numbers(self._kept_as(name))

    def keep(self, name: str, numbers: Mapping[str, float]) -> None:
        """Keep these for a month, for this AWS and region; not of the local AWS."""
        if not self.target.is_local:
            keep_numbers(self._kept_as(name), numbers)

    def forget(self, name: str) -> None:
        """Believe no more what was kept under this name, for this AWS and region."""
        if not self.target.is_local:
            forget_numbers(self._kept_as(name))

    def _kept_as(self, name: str) -> str:
        return f"{endpoint_of(self.target.endpoint_url)} {self.target.region} {name}"

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            self._stop.wait(seconds)

    def _client(self, service: str, operation: str) -> Any:
        # Making clients from one session in several threads races (boto3 guide, "Multithreading").
        with self._lock:
            made = self._clients.get(service)
            if made is None or xform_name(operation) not in made.meta.method_to_api_mapping:
                require(self._session, service, operation)
                try:
                    client: Any = self._session.create_client(
                        service, endpoint_url=self.target.endpoint_url, config=self._config
                    )
                except Exception as error:
                    # A configuration that cannot be read comes as whatever the reading of it raises.
                    raise unreachable(service, "(connecting)", error, self.target.endpoint_url) from error
                client.meta.events.register("before-parse", self._check)
                client.meta.events.register("before-send", learn_what_is_sent)
                learn_credentials(self._session)
                client._endpoint.http_session = BoundedSession(client._endpoint.http_session)
                self._clients[service] = client
            return self._clients[service]

    def _attempt(
        self, service: str, operation: str, method: Callable[..., dict[str, Any]], params: dict[str, Any]
    ) -> dict[str, Any]:
        started = time.monotonic()
        code: str | None = None
        with self._lock:
            self._asked.setdefault(service, started)
        endpoint = method.__self__.meta.endpoint_url  # type: ignore[attr-defined]

        def send() -> dict[str, Any]:
            self._check.begin()
            try:
                return method(**params)
            except (botocore_errors.ClientError, ProvisionerError):
                raise
            except Exception as error:
                if self._check.is_reading:
                    raise unreadable(service, operation, error) from error
                # botocore lets out whatever a missing token file or a broken credential process makes its
                # parts raise.
                secrets = _user_data_in(params)
                raise unreachable(service, operation, error, self.target.endpoint_url, secrets) from error

        def notice() -> None:
            self._tell_of_waiting(f"no answer yet from {endpoint}" if self._is_told_apart() else ELSEWHERE)

        try:
            answer = self._in_time(service, send, notice)
        except botocore_errors.ClientError as error:
            if error.operation_name != operation:
                # The credentials were to be fetched anew, and the call itself was not sent.
                refused = not_fetched(self._session, error)
                code = refused.code
                raise refused from error
            translated = answered(
                service, operation, error, login_command(self._session), _user_data_in(params)
            )
            code = translated.code
            if is_answer(translated):
                self._answered.add(service)
            raise translated from error
        except AwsError as error:
            code = error.code
            if self.target.is_local and code in UNANSWERED:
                hint = "the local AWS does not answer any more: see `provisioner local status`"
                raise error.with_hint(hint) from error.__cause__
            raise
        except TooLate as error:
            late = too_late(service, operation, endpoint, time.monotonic() - started)
            code = late.code
            raise late from error
        finally:
            self._on_call(Sent(service, operation, time.monotonic() - started, code))
        self._answered.add(service)
        if self.target.is_local:
            self._ahead[0] = seconds_ahead(answer, datetime.now(UTC))
        return answer

    def _in_time(
        self, service: str, send: Callable[[], dict[str, Any]], notice: Callable[[], None]
    ) -> dict[str, Any]:
        """The answer to one call. Raises TooLate, and what the call raises."""
        if not self._is_new(service):
            return run_within(CALL_S, send)
        left = max(1.0, FIRST_ANSWER_S - self._seconds_asked(service))
        # A first page that comes over a slow line is an answer, however long it takes.
        return run_within(left, send, NOTICE_AFTER_S, notice, once_begun=CALL_S)

    def _is_new(self, service: str) -> bool:
        """Whether it has never answered. The local AWS has: that is how it was found."""
        return service not in self._answered and not self.target.is_local

    def _seconds_asked(self, service: str) -> float:
        """How long ago a service was first asked for anything."""
        now = time.monotonic()
        with self._lock:
            return now - self._asked.get(service, now)

    def _longest_pause(self, service: str) -> float:
        """So that whoever never answers is asked a last time when its time is over."""
        if not self._is_new(service):
            return float("inf")
        return max(0.1, FIRST_ANSWER_S - self._seconds_asked(service))

    def _is_told_apart(self) -> bool:
        """Whether it is told of this region by itself that it does not answer."""
        with self._lock:
            if self._is_elsewhere and not self._silent_elsewhere:
                self._silent_elsewhere.append(self.target.region)
            return not self._is_elsewhere or self.target.region in self._silent_elsewhere

    def _tell_of_waiting(self, why: str) -> None:
        # Services at one address are waited for side by side, for one reason.
        with self._lock:
            if why in self._waited:
                return
            self._waited.add(why)
        self._on_waiting(f"{why}; giving up {FIRST_ANSWER_S:.0f} s after it was first asked")

    def _is_worth_a_retry(self, service: str, error: AwsError, seconds: float) -> bool:
        # The error may be one of STS or single sign-on, when the credentials for a call are fetched anew. How
        # long that is tried is a matter of the call: theirs is not asked for here.
        if self._is_new(service) and not is_answer(error):
            if self._seconds_asked(service) >= first_wait_s(error):
                return False
            self._tell_of_waiting(f"{error.text}: trying again")
            return True
        rule = self._retry_rule(error)
        return rule is not None and seconds < rule.seconds

    def _retry_rule(self, error: AwsError) -> RetryRule | None:
        with self._lock:
            made = frozenset(self._made)
        return CALL_RULES.retry_rule_for(error, made)

    def _remember(self, operation: str, params: dict[str, Any], answer: dict[str, Any]) -> None:
        if operation.startswith(READING):
            return
        self._answers.append((operation, answer))
        with self._lock:
            if operation in CALL_RULES.made:
                self._made.update(CALL_RULES.made[operation](params, answer))
            if operation in CALL_RULES.removed:
                self._made.difference_update(CALL_RULES.removed[operation](params, answer))


class WritingAws(Aws):
    """AWS, for everything."""

    @staticmethod
    def over(aws: Aws) -> WritingAws:
        """The connections of `aws`, which itself goes on to read only."""
        writer = object.__new__(WritingAws)
        writer.__dict__.update(aws.__dict__)
        return writer

    def send(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """Send one call, which may write, again where that is right. Raises AwsError and Interrupted."""
        return self._call(service, operation, params)

    def to_the_end(self) -> WritingAws:
        """The same connections, which send and try again also once they were told to stop."""
        other = WritingAws.over(self)
        other._stop = threading.Event()
        return other


def _is_refused(error: AwsError) -> bool:
    """Whether AWS has answered that nothing was done, for another reason than its rate."""
    is_known = error.status < 500 or error.code in CALL_RULES.final
    return is_answer(error) and is_known and error.code not in THROTTLING_CODES


def _user_data_in(params: Mapping[str, Any]) -> tuple[str | bytes, ...]:
    """The user data of a call, which errors about its parameters show."""
    found = params.get("UserData")
    given = found.get("Value") if isinstance(found, dict) else found
    return () if given is None else (given,)
