"""One tree of errors. Each says what is wrong and what to do, and carries the exit code of its kind."""

from __future__ import annotations

import traceback
from pathlib import PurePath
from typing import Self

from provisioner.lazy_dataclass import dataclass


class ProvisionerError(Exception):
    """Anything a user is told without a traceback.

    `message` says what is wrong and where; `hint`, when there is one, what to do about it. `lines` are what a
    machine of the user's said, as it was.
    """

    exit_code = 1
    lines: tuple[str, ...] = ()

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def with_hint(self, hint: str) -> Self:
        """The same error with another hint. The error itself stays as it was raised."""
        other = type(self).__new__(type(self))
        other.args = self.args
        vars(other).update(vars(self), hint=hint)
        return other


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong in a spec, at a place that an editor can jump to (line and column from 1).

    `related`: the other place that has to do with it, such as `overrides base.yaml:4:5`.
    """

    file: str
    line: int
    column: int
    field: str
    message: str
    hint: str | None = None
    related: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}"
        what = f"{self.field}: {self.message}" if self.field else self.message
        return "; ".join(filter(None, (f"{where}: {what}", self.hint, self.related)))


class SpecError(ProvisionerError):
    """A spec that cannot be used; `problems` lists what was found, in the order of the file.

    Of very many, `problems` has the first; `more` says how many further ones there are, and `stopped` whether
    the search was ended before all of them were found.
    """

    exit_code = 3
    MAX_PROBLEMS = 200

    def __init__(self, problems: list[Problem], stopped: bool = False) -> None:
        self.problems = tuple(sorted(problems)[: self.MAX_PROBLEMS])
        self.more = len(problems) - len(self.problems)
        self.stopped = stopped
        super().__init__("\n".join([*map(str, self.problems), *([self.rest] if self.more else [])]))

    @property
    def rest(self) -> str:
        """How many problems are not listed, in words."""
        number = f"{'at least ' if self.stopped else ''}{self.more}"
        return f"{number} further problem{'' if self.more == 1 else 's'} not listed"


class UsageError(ProvisionerError):
    """A command line that cannot be carried out; nothing was sent."""

    exit_code = 3


class Refused(ProvisionerError):
    """A safety rule said no; nothing was changed."""

    exit_code = 4


class LocalAwsError(ProvisionerError):
    """The local AWS could not be started, stopped or reached."""


class AwsError(ProvisionerError):
    """What AWS, or the way to it, answered instead of a result.

    `code` is AWS's error code, or one of ours for what never reached AWS: `NoCredentials`, `NetworkError`.
    `text` is AWS's own message, `status` the HTTP status (0 when there was no answer).
    """

    def __init__(
        self,
        service: str,
        operation: str,
        code: str,
        text: str,
        status: int = 0,
        request_id: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(f"{service} {operation}: {code}: {text}", hint)
        self.service = service
        self.operation = operation
        self.code = code
        self.text = text
        self.status = status
        self.request_id = request_id

    def with_text(self, text: str) -> AwsError:
        """The same error with another text. The error itself stays as it was raised."""
        return AwsError(
            self.service, self.operation, self.code, text, self.status, self.request_id, self.hint
        )


class IncompleteAnswer(ValueError):
    """Something is missing in an answer, or unknown, that AWS always gives."""


class UnexpectedAnswer(ProvisionerError):
    """An answer that AWS does not give, so that nothing can be concluded from it."""

    def __init__(self, error: Exception) -> None:
        *_, last = traceback.extract_tb(error.__traceback__)
        where = f"{PurePath(last.filename).name}:{last.lineno}"
        super().__init__(
            f"an answer of AWS cannot be understood: {type(error).__name__} in {where}: {error}",
            "check that what answers is AWS (--endpoint-url, proxies), and try again; if it is, report this",
        )

    @staticmethod
    def is_why(error: Exception) -> bool:
        """Whether an error comes of an answer that lacks something: AWS's names begin in capitals."""
        if isinstance(error, IncompleteAnswer):
            return True
        return isinstance(error, KeyError) and isinstance(error.args[0], str) and error.args[0][:1].isupper()


class WaitError(ProvisionerError):
    """Instances that did not become what was waited for."""


class Interrupted(ProvisionerError):
    """The user asked to stop; what was in flight was finished."""

    exit_code = 130


class LaunchNotVisible(ProvisionerError):
    """AWS does not show yet what was launched; it has to be looked at again before going on."""


class NotShownYet(ProvisionerError):
    """AWS has done something and does not show it yet; it has to be looked at again before it is done."""


class ChangedMeanwhile(ProvisionerError):
    """Somebody else has changed what the plan was made from."""
