"""The one place where sessions and clients of many environments are made: once for each login and region.

Where one login reaches several regions they have one session, and one IAM. The roles of several logins are
assumed with the same credentials, which are fetched once: whoever is asked for a code is asked for one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from provisioner.aws.connect import Options, as_role, connect, open_source
from provisioner.errors import ProvisionerError
from provisioner.once import Once

if TYPE_CHECKING:
    from provisioner.aws.client import Aws, Sent
    from provisioner.kinds.base import Reader
    from provisioner.model import Environment, Login


class Connections:
    """Reading connections by login, account and region. Threads may share it."""

    def __init__(
        self,
        options: Options,
        on_call: Callable[[Sent], None] = lambda _: None,
        on_waiting: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._options = options
        self._on_call, self._on_waiting = on_call, on_waiting
        self._once = Once()

    def to(self, environment: Environment) -> Aws:
        """The connection to where an environment is.

        Raises UsageError, LocalAwsError, ProvisionerError and AwsError, as `connect` does.
        """
        region = environment.region
        login, account_id = self._login_to(environment)

        def first() -> Aws:
            # Of several regions any would do: a session signs for all.
            if self._options.is_local:
                return connect(region, self._options, self._on_call, self._on_waiting, login, account_id)
            return as_role(self._logged_in(self._source(region, login)), region, login)

        aws = self._once(("login", login, account_id), first)
        if aws.target.region == region:
            return aws
        return self._once(("region", login, account_id, region), lambda: aws.in_region(region))

    def log_in(self, environments: Iterable[Environment]) -> None:
        """Log in now, on this thread, wherever somebody may be asked for something.

        What goes wrong is raised by `to`, for each environment that it concerns.
        """
        for source in self._sources(environments):
            if source.asks:
                with suppress(ProvisionerError):
                    self._logged_in(source)

    def ask_for_code(self, environments: Iterable[Environment]) -> bool:
        """Whether a code (MFA) is asked for where one of these environments is logged in to."""
        return any(source.asks_for_code for source in self._sources(environments))

    def shared(self, environments: Collection[Environment]) -> Reader:
        """A reader that answers all these environments, which are of one login, account and region.

        What is of the account is asked once for all of its regions. Raises what `to` raises.
        """
        from provisioner.aws.shared_reads import shared

        environment = next(iter(environments))
        login, account_id = self._login_to(environment)
        aws = self.to(environment)
        made = shared(aws, environments)
        of_account = self._once(("account", login, account_id), lambda: made)
        return made if of_account is made else shared(aws, environments, of_account)

    def _login_to(self, environment: Environment) -> tuple[Login | None, str | None]:
        """The login that counts for an environment, and which account that is, which only the local AWS takes
        from a spec."""
        account_id = environment.account_id if self._options.is_local else None
        return None if self._options.profile else environment.login, account_id

    def _source(self, region: str, login: Login | None) -> Aws:
        """A connection with the credentials that a login begins with, which may not be fetched yet."""
        return self._once(
            ("source", login.profile if login else None),
            lambda: open_source(region, self._options, self._on_call, self._on_waiting, login),
        )

    def _sources(self, environments: Iterable[Environment]) -> Iterator[Aws]:
        """What the logins of environments begin with; none that there is not."""
        for environment in () if self._options.is_local else environments:
            with suppress(ProvisionerError):
                yield self._source(environment.region, self._login_to(environment)[0])

    def _logged_in(self, source: Aws) -> Aws:
        self._once(("log in", source.target.profile), source.log_in)
        return source
