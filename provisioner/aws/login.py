"""Who we are: sessions, credentials, and what to type where there are none.

Credentials are fetched once, before anything else is sent: a code that somebody has to type, or a login that
has expired, is one question and one error, and not one in each of the threads that read.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore
import botocore.configprovider
import botocore.exceptions as botocore_errors
from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, Credentials, DeferredRefreshableCredentials
from botocore.loaders import Loader, create_loader
from botocore.session import Session

from provisioner.aws.answers import BoundedSession, TooLarge, parse_time
from provisioner.aws.deadline import TooLate, run_within
from provisioner.aws.errors import answered, told, unreachable
from provisioner.aws.service_models import ModelLoader
from provisioner.errors import AwsError, ProvisionerError
from provisioner.retry import DENIED_CODES, NO_CREDENTIALS, NOT_IN_MODEL, THROTTLING_CODES
from provisioner.secrecy import learn_passing_secret, learn_secrets

LOGIN_S = 60.0
# How long before their end credentials are not used any more that only a code can fetch anew: what is sent
# with them has to arrive.
LEFT_OF_A_CODE_S = 60
# What CloudTrail shows of who has assumed a role.
SESSION_NAME = "provisioner"
# Two that ask for a code ask one after the other.
_ASKING = threading.Lock()
# A role is asked for by botocore, and not by what sends all else again.
# https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
_ASKED_AGAIN = Config(retries={"total_max_attempts": 4, "mode": "standard"})
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
_SIGNATURE = "AWS4-"


def open_session(profile: str | None, region: str) -> Session:
    """A session by boto's chain. Raises ProvisionerError for a profile that does not exist."""
    try:
        core = Session()
        if profile:
            core.set_config_variable("profile", profile)
        _equip(core, _loader(core.get_config_variable("data_path")))
        # The region is also that of the STS which is asked for a role.
        core.set_config_variable("region", region)
        return core
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


def open_local_session(account_id: str | None = None) -> Session:
    """A session that nothing of the user's own reaches: no file, no variable, no service model.

    Of the local AWS an access key that is the number of an account is that account's.
    """
    # Whatever this names would be opened, although no connection is encrypted.
    os.environ.pop("SSLKEYLOGFILE", None)
    defaults = botocore.configprovider.BOTOCORE_DEFAUT_SESSION_VARIABLES
    unread = {name: (None, None, default, convert) for name, (_, _, default, convert) in defaults.items()}
    files = dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
    core = Session(session_vars=unread | files)
    _equip(core, _only_aws())
    core.set_credentials(account_id or "local", "local")  # nosec B106 # no secret: the local AWS takes any
    return core


class _OfARole(DeferredRefreshableCredentials):
    """Those of a role that is assumed here, with credentials that have been fetched before."""


def assume_role(
    session: Session,
    making: threading.Lock,
    role_arn: str,
    external_id: str | None,
    region: str,
    config: Config,
    url: str | None,
) -> Session:
    """A session of a role, which is assumed when it is first needed, and anew before it expires.

    As botocore does for a profile with `role_arn`. `making`: held while a client of the session is made, as
    other roles are assumed from it at the same time; `url`: where STS is, if not where it usually is. Raises
    AwsError where there are no credentials to assume it with.
    https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
    """

    def sts(service: str, **keys: Any) -> Any:
        with making:
            made: Any = session.create_client(
                service, region_name=region, endpoint_url=url, config=config.merge(_ASKED_AGAIN), **keys
            )
        # Whoever waits meanwhile waits for the answer to a call with these credentials.
        made._endpoint.http_session = BoundedSession(made._endpoint.http_session, tells=False)
        return made

    credentials = session.get_credentials()
    if credentials is None:
        raise unreachable("aws", "credentials", botocore_errors.NoCredentialsError())
    asked = {"RoleSessionName": SESSION_NAME} | ({"ExternalId": external_id} if external_id else {})
    fetcher = AssumeRoleCredentialFetcher(sts, credentials, role_arn, asked)
    core = Session()
    # What is configured otherwise, such as a bundle of certificates, is that of the source.
    core.set_config_variable("profile", session.get_config_variable("profile"))
    made = _OfARole(fetcher.fetch_credentials, "assume-role")
    core._credentials = made  # type: ignore[attr-defined]
    _equip(core, session.get_component("data_loader"))
    core.set_config_variable("region", region)
    return core


@cache
def _loader(data_path: str | None) -> ModelLoader:
    """One for all sessions: what is loaded of the clients of twenty accounts is loaded once."""
    return ModelLoader(create_loader(data_path))


@cache
def _only_aws() -> ModelLoader:
    return ModelLoader(Loader([Loader.BUILTIN_DATA_PATH], include_default_search_paths=False))


def _equip(core: Session, loader: Loader) -> None:
    """What of botocore is done faster here, with the models that the loader finds."""
    core.register_component("data_loader", loader)
    core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=parse_time)


def require(session: Session, service: str, operation: str) -> None:
    """A client made of the session from now on has this operation, if botocore knows it."""
    loader = session.get_component("data_loader")
    if isinstance(loader, ModelLoader):
        loader.require(service, operation)


def lacking(session: Session, service: str, operation: str) -> AwsError:
    """The error where the client of a service does not have an operation, as its model does not."""
    loader = session.get_component("data_loader")
    folders = loader.others_with(service) if isinstance(loader, ModelLoader) else []
    if folders:
        text = f"a model of {service} in {' or '.join(folders)} does not have this operation"
        hint = "take that model away, or put a newer one there"
    else:
        text = f"botocore {botocore.__version__} does not have this operation"
        hint = "install the botocore that provisioner names, or a newer one"
    return AwsError(service, operation, NOT_IN_MODEL, text, hint=hint)


def asks(session: Session) -> bool:
    """Whether somebody may be asked for something, such as a code, when the credentials are fetched."""
    # What the profile says is of the credentials with which a role is assumed.
    if isinstance(getattr(session, "_credentials", None), _OfARole):
        return False
    return any(
        "mfa_serial" in settings or "credential_process" in settings
        for _, settings in _sources(session, profile_of(session))
    )


def asks_for_code(session: Session) -> bool:
    """Whether a code (MFA) is asked for when the credentials are fetched."""
    # Keys in variables count more than a profile that nobody has named but by a variable.
    is_named = session.instance_variables().get("profile") is not None
    if not is_named and os.environ.get("AWS_ACCESS_KEY_ID"):
        return False
    sources = _sources(session, profile_of(session))
    return any({"role_arn", "mfa_serial"} <= settings.keys() for _, settings in sources)


def log_in(session: Session) -> None:
    """Fetches the credentials, and asks for a code where the profile wants one. Raises AwsError."""
    try:
        # Whoever types needs as long as it takes, and the main thread: there Ctrl-C ends it.
        if asks(session):
            with _ASKING:
                frozen = _fetch(session)
        else:
            frozen = run_within(LOGIN_S, lambda: _fetch(session))
    except Exception as error:  # whatever a file, a command or a service of the user's makes of it
        raise _translated(session, error) from error
    _use_to_the_end(session)
    learn_secrets(frozen[1], frozen[2])
    for name, value in {"access key": frozen[0], "secret access key": frozen[1], "token": frozen[2]}.items():
        if value and not re.fullmatch(r"[!-~]+", value):
            text = f"the {name} has a character that no {name} has, such as a space or a line break"
            raise AwsError("aws", "credentials", NO_CREDENTIALS, text, hint="set it again, without that")


def _use_to_the_end(session: Session) -> None:
    """Has credentials that a code has fetched, or with which they were, used as long as they are good.

    botocore wants others from ten minutes before their end, and asks for no second code.
    """
    credentials: Any = session.get_credentials()
    profile = profile_of(session)
    if not any("mfa_serial" in settings for _, settings in _sources(session, profile)):
        return
    credentials._mandatory_refresh_timeout = LEFT_OF_A_CODE_S
    # A role that hangs on them is assumed anew without a code, while they are good: better early than late.
    is_of_the_profile = type(credentials) is DeferredRefreshableCredentials
    if is_of_the_profile and "mfa_serial" in _settings(session, profile):
        credentials._advisory_refresh_timeout = LEFT_OF_A_CODE_S


def profile_of(session: Session) -> str:
    """The name of the profile that a session uses."""
    return session.profile or "default"


def login_command(session: Session) -> str:
    """What somebody types to log in anew with the profile that the session uses."""
    name = profile_of(session)
    return f"aws sso login --profile {_sso_profile(session, name) or name}"


def learn_what_is_sent(request: Any, **_: Any) -> None:
    """Learn the credentials in a request that is about to be sent, wherever they came from."""
    learn_secrets(request.headers.get("X-Amz-Security-Token"))
    if authorization := request.headers.get("Authorization"):
        text = authorization.decode("latin-1") if isinstance(authorization, bytes) else authorization
        # A signature signs one request; what else is sent there, such as a token, is sent again.
        (learn_passing_secret if text.startswith(_SIGNATURE) else learn_secrets)(text)


def learn_credentials(session: Session) -> None:
    """Learn keys that are simply there. To ask any others for theirs would fetch them anew."""
    found = session.get_credentials()
    if type(found) is Credentials:
        learn_secrets(found.secret_key, found.token)


def _fetch(session: Session) -> tuple[str | None, str | None, str | None]:
    credentials = session.get_credentials()
    if credentials is None:
        raise botocore_errors.NoCredentialsError
    frozen = credentials.get_frozen_credentials()
    return frozen.access_key, frozen.secret_key, frozen.token


def _settings(session: Session, profile: str) -> dict[str, Any]:
    try:
        profiles: dict[str, dict[str, Any]] = session.full_config.get("profiles", {})
    except botocore_errors.BotoCoreError:
        return {}
    return profiles.get(profile, {})


def _sources(session: Session, profile: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """A profile, the one whose credentials its role is taken on with, and so on, with the settings of each.

    https://docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html
    """
    passed: set[str] = set()
    while profile not in passed:
        passed.add(profile)
        settings = _settings(session, profile)
        yield profile, settings
        profile = str(settings.get("source_profile", profile))


def _sso_profile(session: Session, profile: str) -> str | None:
    """The profile with the single sign-on: the one itself, or the one whose role it takes on from."""
    return next(
        (
            name
            for name, settings in _sources(session, profile)
            if "sso_session" in settings or "sso_start_url" in settings
        ),
        None,
    )


def not_fetched(session: Session, error: botocore_errors.ClientError) -> AwsError:
    """What STS or single sign-on answers in the middle of the work, when credentials are to be fetched anew.

    No refusal of theirs is one of what these credentials may do.
    """
    refusal = _refused(session, error)
    if refusal.code in THROTTLING_CODES or refusal.status >= 500:
        return refusal
    text = f"{refusal.code}: {refusal.text}"
    return AwsError(
        refusal.service,
        refusal.operation,
        NO_CREDENTIALS,
        text,
        refusal.status,
        refusal.request_id,
        refusal.hint,
    )


def _refused(session: Session, error: botocore_errors.ClientError) -> AwsError:
    service = "sts" if error.operation_name.startswith("AssumeRole") else "sso"
    refusal = answered(service, error.operation_name, error, login_command(session))
    if "MultiFactorAuthentication" in refusal.text:
        refusal.hint = "the code was wrong or has been used: wait for the next one, and type that"
    elif refusal.code in DENIED_CODES and error.operation_name == "AssumeRole":
        # AWS tells nobody which of these it is.
        refusal.hint = (
            "check that the role exists, that its trust policy lets these credentials in, with the "
            "same external_id if it asks for one, and that they may sts:AssumeRole; or give others "
            "with --profile"
        )
    return refusal


def _translated(session: Session, error: Exception) -> AwsError:
    profile = profile_of(session)
    operation = "credentials"
    match error:
        case botocore_errors.ClientError():
            return _refused(session, error)
        case botocore_errors.LoginError():
            hint = f"log in again: aws login --profile {profile}"
        case botocore_errors.SSOError() | botocore_errors.TokenRetrievalError():
            hint = f"log in again: {login_command(session)}"
        case botocore_errors.CredentialRetrievalError():
            hint = f"see what the AWS configuration says about the profile {profile}, and try that by hand"
        case botocore_errors.NoCredentialsError() | botocore_errors.RefreshWithMFAUnsupportedError():
            return unreachable("aws", operation, error)
        case botocore_errors.HTTPClientError() | botocore_errors.ConnectionError() | TooLarge():
            return unreachable("aws", operation, error)
        case TooLate():
            text = f"no credentials for the profile {profile} within {LOGIN_S:.0f} s"
            return AwsError("aws", operation, NO_CREDENTIALS, text, hint="try again, or use other ones")
        case EOFError():
            text = f"the profile {profile} asks for a code, and there is no terminal to ask on"
            return AwsError("aws", operation, NO_CREDENTIALS, text, hint="use credentials that ask for none")
        case _:
            hint = f"correct the profile {profile} in the AWS configuration, or the AWS_... variables"
    # Only what boto itself says: another text may have a secret in it.
    is_telling = isinstance(error, botocore_errors.BotoCoreError | OSError)
    text = str(error) if is_telling else f"{type(error).__name__} while they were read"
    return AwsError("aws", operation, NO_CREDENTIALS, text, hint=hint)
