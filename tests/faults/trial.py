"""One run of the program that goes wrong, and what has to be true after one more that does not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.faults.runs import Nursery
from tests.faults.sweep import NUMBERED, PLAIN, Account
from tests.faults.wire import Wire
from tests.support.cloud import Cloud
from tests.support.program import Ran


@dataclass(frozen=True)
class Trial:
    """Applying the spec from nothing, or destroying all of it, in an account with other people's things."""

    command: str
    account: Account
    wire: Wire
    nursery: Nursery

    @staticmethod
    def of(command: str, cloud: Cloud, wire: Wire, nursery: Nursery, folder: Path) -> Trial:
        """An account in which the command has everything to do."""
        wire.put()
        trial = Trial(command, Account.prepared(cloud, folder), wire, nursery)
        if command == "destroy":
            trial.succeeds("apply", "--yes")
        return trial

    def words(self, *options: str) -> list[str]:
        """A command line."""
        return [*options, "--endpoint-url", self.wire.url, str(self.account.spec)]

    def run(self) -> Ran:
        """Runs the command."""
        return self.nursery.run(*self.words(self.command, "--yes"))

    def succeeds(self, *options: str) -> None:
        """Asserts that a command ends well."""
        ran = self.nursery.run(*self.words(*options))
        assert ran.code == 0, ran.said

    def runs_right(self) -> None:
        """Asserts that the command ends well when nothing is in its way."""
        self.succeeds(self.command, "--yes")

    def is_right(self) -> None:
        """Asserts that a plan shows nothing, and that there is what there should be, and never was more."""
        self.wire.settle()
        # By then everything has started, ended and is shown.
        self.account.cloud.wait(60.0)
        self.account.cloud.mend()
        if self.command == "apply":
            self.succeeds("plan", "--detailed-exitcode")
            self.account.is_as_the_spec_says()
        else:
            self.succeeds("plan", "--destroy", "--detailed-exitcode")
            self.account.is_untouched()
        assert self.account.launched() == NUMBERED + PLAIN
