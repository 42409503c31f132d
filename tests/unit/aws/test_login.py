"""Sessions of the user's own: which profiles ask for something, and models that lack something."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provisioner.aws.client import Aws, Target
from provisioner.aws.login import asks, open_session
from provisioner.errors import AwsError

ROLE = "role_arn = arn:aws:iam::123456789012:role/x"
MFA = "mfa_serial = arn:aws:iam::123456789012:mfa/me"
KEYS = "aws_access_key_id = some\naws_secret_access_key = any"


@pytest.mark.parametrize(
    ("profiles", "is_asking"),
    [
        ({"a": KEYS}, False),
        ({"a": f"{ROLE}\nsource_profile = b", "b": KEYS}, False),
        ({"a": f"{ROLE}\n{MFA}\nsource_profile = b", "b": KEYS}, True),
        ({"a": "credential_process = fetch"}, True),
        # The one that asks is further down.
        (
            {
                "a": f"{ROLE}\nsource_profile = b",
                "b": f"{ROLE}\n{MFA}\nsource_profile = c",
                "c": KEYS,
            },
            True,
        ),
        ({"a": f"{ROLE}\nsource_profile = b", "b": "credential_process = fetch"}, True),
        # A profile may take on a role with its own keys, and others go round in a ring.
        ({"a": f"{ROLE}\nsource_profile = a\n{KEYS}"}, False),
        ({"a": f"{ROLE}\nsource_profile = b", "b": f"{ROLE}\nsource_profile = a"}, False),
        ({"a": f"{ROLE}\nsource_profile = nowhere"}, False),
    ],
)
def test_a_profile_asks_where_it_or_one_that_it_begins_with_does(
    profiles: dict[str, str], is_asking: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = "".join(f"[profile {name}]\n{settings}\n" for name, settings in profiles.items())
    (tmp_path / "config").write_text(config)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    assert asks(open_session("a", "us-east-1")) is is_asking


def test_a_model_of_the_users_own_that_lacks_an_operation_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "sts" / "2100-01-01"
    folder.mkdir(parents=True)
    metadata = {
        "apiVersion": "2100-01-01",
        "endpointPrefix": "sts",
        "protocol": "query",
        "signatureVersion": "v4",
        "serviceId": "STS",
    }
    model = {"version": "2.0", "metadata": metadata, "operations": {}, "shapes": {}}
    (folder / "service-2.json").write_text(json.dumps(model))
    (folder / "endpoint-rule-set-1.json").write_text(
        json.dumps({"version": "1.0", "parameters": {}, "rules": []})
    )
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    aws = Aws(Target("us-east-1", endpoint_url="http://127.0.0.1:1"))
    with pytest.raises(AwsError, match=r"sts GetCallerIdentity: .* does not have this operation") as told:
        aws.identity()
    assert str(tmp_path) in told.value.message
    assert "take that model away" in str(told.value.hint)
