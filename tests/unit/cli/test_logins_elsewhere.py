"""`--executor` and logins: nobody is asked for a code by several processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.aws.connect import Options
from provisioner.cli.given import Spread
from provisioner.cli.many import Many, log_in
from provisioner.errors import UsageError
from provisioner.many.jobs import Job
from provisioner.many.spec_file import SpecFile
from provisioner.model import Environment, Login

SPEC = SpecFile("a.yaml")
CONFIG = """
[default]
role_arn = arn:aws:iam::123456789012:role/x
source_profile = keys
mfa_serial = arn:aws:iam::123456789012:mfa/me

[profile above]
role_arn = arn:aws:iam::123456789012:role/y
source_profile = default

[profile keys]
aws_access_key_id = some
aws_secret_access_key = any
# For another program: no role is assumed with it.
mfa_serial = arn:aws:iam::123456789012:mfa/me
"""


@pytest.mark.parametrize(
    ("executor", "options", "login", "access_key", "is_refused"),
    [
        ("processes", Options(), None, "", True),
        ("processes:4", Options("above"), None, "", True),
        ("processes", Options(), Login("above"), "", True),
        ("processes", Options(), Login(role_arn="arn:aws:iam::123456789012:role/z"), "", True),
        ("processes", Options("keys"), Login("above"), "", False),
        ("processes", Options(), Login("nowhere"), "", False),
        # Keys in variables count, unless a profile is named.
        ("processes", Options(), None, "some", False),
        ("processes", Options("above"), None, "some", True),
        ("processes", Options(local=True), Login("above"), "", False),
        # What the workers of a cluster have is not known here.
        ("dask://10.0.0.5:8786", Options(), None, "", False),
    ],
)
def test_processes_that_would_each_ask_for_a_code_are_refused(
    executor: str,
    options: Options,
    login: Login | None,
    access_key: str,
    is_refused: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "config").write_text(CONFIG)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", access_key)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    environment = Environment("a", "us-east-1", login=login)
    where = Many("plan", (SPEC,), options, spread=Spread(executor=executor)).where(lambda _: environment)
    if is_refused:
        with pytest.raises(UsageError, match="each process would ask for one") as caught:
            log_in([Job(SPEC, environment)], where)
        assert "leave out --executor" in str(caught.value.hint)
    else:
        log_in([Job(SPEC, environment)], where)
