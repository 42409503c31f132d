"""The one place where sessions and clients of many environments are made: once for each login and region.

Where one login reaches several regions they have one session, and one IAM.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from provisioner.aws.connect import Options, connect
from provisioner.once import Once

if TYPE_CHECKING:
    from provisioner.aws.client import Aws, Sent
    from provisioner.kinds.base import Reader
    from provisioner.model import Environment


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
        login, account_id, region = environment.login, environment.account_id, environment.region

        def first() -> Aws:
            # Of several regions any would do: a session signs for all.
            return connect(region, self._options, self._on_call, self._on_waiting, login, account_id)

        aws = self._once(("login", login, account_id), first)
        if aws.target.region == region:
            return aws
        return self._once(("region", login, account_id, region), lambda: aws.in_region(region))

    def shared(self, environments: Collection[Environment]) -> Reader:
        """A reader that answers all these environments, which are of one login, account and region.

        What is of the account is asked once for all of its regions. Raises what `to` raises.
        """
        from provisioner.aws.shared_reads import shared

        environment = next(iter(environments))
        login, account_id = environment.login, environment.account_id
        aws = self.to(environment)
        made = shared(aws, environments)
        of_account = self._once(("account", login, account_id), lambda: made)
        return made if of_account is made else shared(aws, environments, of_account)
