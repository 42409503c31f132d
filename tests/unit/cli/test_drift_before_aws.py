"""`drift` tells what is wrong beside a spec before it asks AWS anything, as it says that nothing was sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.program import Program

SPEC = """\
environment: {}
region: us-east-1
account_id: "123456789012"
role_arn: arn:aws:iam::123456789012:role/deploy
roles: {{w: {{}}}}
"""


@pytest.mark.parametrize("specs", [["shop.yaml"], ["shop.yaml", "bank.yaml"]], ids=["one", "many"])
def test_what_is_accepted_is_read_before_the_login(
    specs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a login would go nowhere, that is what would be told."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PROVISIONER_LOCAL", raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    for spec in specs:
        Path(spec).write_text(SPEC.format(Path(spec).stem))
    Path("accepted-drift.yaml").write_text("- address: role/w\n")
    ran = Program(tmp_path).run("drift", *specs)
    assert ran.code == 3
    assert "accepted-drift.yaml:1:3" in ran.err
    assert "credentials" not in ran.err
