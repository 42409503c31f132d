"""The one error of the local AWS."""

from __future__ import annotations


class LocalAwsError(Exception):
    """The local AWS could not be started, stopped or reached, or was asked for what there is not.

    `message` says what is wrong; `hint`, when there is one, what to do about it.
    """

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
