"""What may be sent again, and for how long. Nothing that neither this nor a kind names is retried.

Sources: https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html,
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html (changes are not always
immediately visible).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import field
from typing import Any

from provisioner.errors import AwsError
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Replan

# Our own codes, for what is not an answer of AWS's.
NETWORK_ERROR = "NetworkError"
HOST_NOT_FOUND = "HostNotFound"
PROXY_ERROR = "ProxyError"
INVALID_ANSWER = "InvalidAnswer"
CERTIFICATE_ERROR = "CertificateError"
TOO_LARGE = "AnswerTooLarge"
CANNOT_SEND = "CannotSend"
NO_CREDENTIALS = "NoCredentials"
NOT_IN_MODEL = "NotInModel"

# What is as it is, where nothing of the service has answered yet. Of a service that did answer it may pass: a
# name server that fails for a moment, a proxy that starts anew.
PERMANENT_AT_FIRST = frozenset({HOST_NOT_FOUND, PROXY_ERROR, INVALID_ANSWER})
UNANSWERED = PERMANENT_AT_FIRST | {NETWORK_ERROR}
# How long a service that has never answered is asked.
FIRST_ANSWER_S = 15.0

THROTTLING_CODES = frozenset(
    {
        "RequestLimitExceeded",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
        "EC2ThrottledException",
        "BandwidthLimitExceeded",
    }
)

# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
DENIED_CODES = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})

# What an endpoint answers that does not have the operation, or the service: a region without it, an emulator.
# https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html (InvalidAction), and for JSON
# https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html (UnknownOperationException)
NOT_IMPLEMENTED = 501
UNSUPPORTED_CODES = frozenset(
    {
        NOT_IN_MODEL,
        "InvalidAction",
        "NotImplemented",
        "UnknownOperation",
        "UnknownOperationException",
        "UnknownService",
        "UnknownServiceError",
    }
)

SERVER_FAULT_CODES = frozenset(
    {
        "InternalError",
        "InternalFailure",
        "ServerInternal",
        "ServiceFailure",
        "ServiceUnavailable",
        "Unavailable",
    }
)


@dataclass(frozen=True)
class RetryRule:
    """One reason to send a call again, and for how many seconds at most.

    `applies` gets the error and the names and ids that this run has made. `pause_s` is how many seconds lie
    between two tries, where it is known what is waited for; None: some at random, and longer each time.
    """

    name: str
    seconds: float
    applies: Callable[[AwsError, Collection[str]], bool]
    pause_s: float | None = None


def names_one_of(error: AwsError, made: Collection[str]) -> bool:
    """Whether the text of an error names something that this run has made."""
    words = re.findall(r"[\w+=,.@-]+", error.text)
    return not {word.strip(".,") for word in words}.isdisjoint(made)


# From the parameters of a call and its answer to the names and ids that it is about.
NamesOf = Callable[[Mapping[str, Any], Mapping[str, Any]], Iterable[str]]


@dataclass(frozen=True)
class CallRules:
    """What is known of calls, and of the errors that they are answered with; a kind has those of its own.

    `retry`: the reasons to send a call again. `final`: codes that come with HTTP 500 and are no fault of the
    server. `replan`: what observing and planning again may put right. `hints`: what to do, by operation and
    code, from the text. `once`: operations that add to what is there, which are not sent again while it is
    not known whether they were carried out: what is there is looked at, and planned again. `made` and
    `removed`: what an operation makes or takes away. `disproved`: by code, which numbers that are kept of the
    account are not to be believed after it.
    """

    retry: tuple[RetryRule, ...] = ()
    final: frozenset[str] = frozenset()
    replan: tuple[tuple[Replan, Callable[[AwsError], bool]], ...] = ()
    hints: Mapping[tuple[str, str], Callable[[str], str]] = field(default_factory=dict)
    once: frozenset[str] = frozenset()
    made: Mapping[str, NamesOf] = field(default_factory=dict)
    removed: Mapping[str, NamesOf] = field(default_factory=dict)
    disproved: Mapping[str, str] = field(default_factory=dict)

    def retry_rule_for(self, error: AwsError, made: Collection[str] = ()) -> RetryRule | None:
        """The reason to send the call that gave `error` again, or None: it failed."""
        if error.code in self.final or self._may_have_been_done_once(error):
            return None
        return next((rule for rule in self.retry if rule.applies(error, made)), None)

    def replan_after(self, error: AwsError) -> Replan:
        """Whether observing and planning again may put right what was answered."""
        if self._may_have_been_done_once(error):
            return Replan.PATIENTLY
        wanted = {wanted for wanted, applies in self.replan if applies(error)}
        return Replan.PATIENTLY if Replan.PATIENTLY in wanted else next(iter(wanted), Replan.NO)

    def _may_have_been_done_once(self, error: AwsError) -> bool:
        is_known = error.code in THROTTLING_CODES or 0 < error.status < 500
        return error.operation in self.once and not is_known


def merged(rules: Iterable[CallRules]) -> CallRules:
    """All of several rules, in their order, each once."""
    rules = tuple(rules)
    return CallRules(
        retry=tuple(dict.fromkeys(rule for table in rules for rule in table.retry)),
        final=frozenset(code for table in rules for code in table.final),
        replan=tuple(dict.fromkeys(rule for table in rules for rule in table.replan)),
        hints={key: hint for table in rules for key, hint in table.hints.items()},
        once=frozenset(operation for table in rules for operation in table.once),
        made={operation: names for table in rules for operation, names in table.made.items()},
        removed={operation: names for table in rules for operation, names in table.removed.items()},
        disproved={code: what for table in rules for code, what in table.disproved.items()},
    )


# What is so for all services.
COMMON = CallRules(
    retry=(
        RetryRule("throttled", 120, lambda error, _: error.code in THROTTLING_CODES),
        RetryRule(
            "server fault",
            60,
            lambda error, _: (
                (error.code in SERVER_FAULT_CODES or error.status >= 500) and not is_unsupported(error)
            ),
        ),
        RetryRule("network", 20, lambda error, _: error.code in UNANSWERED),
    ),
)


def is_unsupported(error: AwsError) -> bool:
    """Whether what answered does not have the operation at all, so that asking again is of no use."""
    return error.code in UNSUPPORTED_CODES or error.status == NOT_IMPLEMENTED


def is_withheld(error: AwsError) -> bool:
    """Whether something cannot be read here at all: it is not permitted, or not offered."""
    return error.code in DENIED_CODES or is_unsupported(error)


def is_answer(error: AwsError) -> bool:
    """Whether AWS itself answered with this error, and not something in between: that knows no codes."""
    return error.code not in UNANSWERED and error.status > 0 and not error.code.isdecimal()


def first_wait_s(error: AwsError) -> float:
    """For how many seconds a call that gave `error` is sent again to a service that has never answered."""
    if error.code in PERMANENT_AT_FIRST:
        return 0.0
    rule = COMMON.retry_rule_for(error)
    return min(rule.seconds, FIRST_ANSWER_S) if rule else 0.0
