"""From a command's options to a connection: the real AWS by boto3's chain, or the local one."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from provisioner.errors import LocalAwsError, ProvisionerError, UsageError
from provisioner.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from provisioner.aws.client import Aws, Sent
    from provisioner.model import Login

LOCAL_VARIABLE = "PROVISIONER_LOCAL"


@dataclass(frozen=True)
class Options:
    """What the command line says about the connection."""

    profile: str | None = None
    endpoint_url: str | None = None
    local: bool = False
    verbose: bool = False

    @property
    def is_local(self) -> bool:
        """Whether the local AWS is meant, by `--local` or by the environment variable."""
        return self.local or os.environ.get(LOCAL_VARIABLE, "") not in ("", "0")

    @property
    def words(self) -> list[str]:
        """The words by which a command line means the same AWS."""
        profile = ["--profile", self.profile] if self.profile else []
        endpoint = ["--endpoint-url", self.endpoint_url] if self.endpoint_url else []
        return [*profile, *endpoint, *(["--local"] if self.is_local else [])]


def connect(
    region: str,
    options: Options,
    on_call: Callable[[Sent], None],
    on_waiting: Callable[[str], None] = lambda _: None,
    login: Login | None = None,
    account_id: str | None = None,
) -> Aws:
    """A reading connection to the AWS that the options name; the local one is started if need be.
    `on_call` is told every call, `on_waiting` what is waited for when something does not answer.

    `login` is what a spec says of the credentials, which counts where the options name no profile. The local
    AWS needs none, and has the account `account_id` of a spec that says so.

    Raises UsageError, LocalAwsError, ProvisionerError for a profile that does not exist, and AwsError for
    credentials that there are not.
    """
    from provisioner.aws.client import Aws, Target

    check_options(options)
    if not options.is_local:
        login = None if options.profile else login
        source = open_source(region, options, on_call, on_waiting, login)
        source.log_in()
        return as_role(source, region, login)
    account = account_id if login else None
    target = Target(region, endpoint_url=local_endpoint(), is_local=True, account_id=account)
    return Aws(target, on_call, on_waiting)


def open_source(
    region: str,
    options: Options,
    on_call: Callable[[Sent], None],
    on_waiting: Callable[[str], None],
    login: Login | None,
) -> Aws:
    """A connection with the credentials of a profile, or those that there are, which are not fetched yet.

    Raises UsageError, and ProvisionerError for a profile that does not exist.
    """
    from provisioner.aws.client import Aws, Target

    check_options(options)
    profile = options.profile or (login.profile if login else None)
    try:
        return Aws(Target(region, profile, options.endpoint_url), on_call, on_waiting)
    except ProvisionerError as error:
        if login and login.profile and error.hint:
            hint = f"the spec says `profile: {login.profile}`; {error.hint}, or give another with --profile"
            raise error.with_hint(hint) from None
        raise


def as_role(source: Aws, region: str, login: Login | None) -> Aws:
    """The connection as the role of a login, or `source` itself, which is logged in. Raises AwsError."""
    if not (login and login.role_arn):
        return source
    aws = source.assuming(login.role_arn, login.external_id, region)
    aws.log_in()
    return aws


def check_options(options: Options) -> None:
    """Raises UsageError for what they cannot mean, whichever environment it is."""
    if options.endpoint_url:
        _check_address(options.endpoint_url)
    if options.is_local and (options.profile or options.endpoint_url):
        raise UsageError(
            "--local uses an address and credentials of its own, so it goes with neither --profile nor "
            "--endpoint-url",
            f"leave one of them out (${LOCAL_VARIABLE} is {os.environ.get(LOCAL_VARIABLE, 'not set')})",
        )


def _check_address(url: str) -> None:
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good or re.search(r"[^!-~]", url) or parts.username or parts.query or parts.fragment:
        # An address with a password in it is not repeated.
        named = "this --endpoint-url" if "@" in url else repr(url)
        raise UsageError(
            f"{named} is no address to send calls to", "write --endpoint-url http://HOST:PORT, or https://"
        )


def local_endpoint() -> str:
    """The address of the local AWS, which is started if it does not run. Raises LocalAwsError."""
    require_local()
    import local_aws

    with local_problems():
        return local_aws.up().endpoint_url


@contextmanager
def local_problems() -> Iterator[None]:
    """Raises the errors of the local AWS, which knows nothing of this package, as this package's own."""
    from local_aws.errors import LocalAwsError as Problem

    try:
        yield
    except Problem as problem:
        raise LocalAwsError(problem.message, problem.hint) from None


def require_local() -> None:
    """Raises LocalAwsError when what the local AWS is made of is not installed."""
    from local_aws.needs import find_missing, install_command

    if find_missing():
        raise LocalAwsError("the local AWS is not installed", install_command())
