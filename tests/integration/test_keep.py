"""`keep: true` on the local AWS: nothing that is kept goes, whatever becomes of the spec."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.cloud import Cloud
from tests.support.program import Program
from tests.support.specs import IMAGE, ROLES_ONLY, having

KEEP = "provisioner:keep"
FLEET = {"worker": {"count": 2, "image": IMAGE, "instance_type": "t3.micro", "keep": True}}
KEPT = having(
    ROLES_ONLY, roles__worker__keep=True, instance_profiles__worker__keep=True, fleets__worker=FLEET["worker"]
)
FREED = having(
    KEPT, roles__worker__keep=False, instance_profiles__worker__keep=False, fleets__worker__keep=False
)
BARE = {key: KEPT[key] for key in ("environment", "region")}


@pytest.mark.long
def test_what_is_kept_stays_until_that_is_taken_back(program: Program, cloud: Cloud) -> None:
    assert program.apply(KEPT).code == 0
    assert program.plan(KEPT).changes == []
    ids = cloud.ids()
    for gone in (BARE, having(KEPT, fleets__worker__count=1), having(FREED, fleets__worker__count=1)):
        refused = program.apply(gone)
        assert refused.code == 4
        assert "kept by the tag provisioner:keep" in refused.words
    for spec in (KEPT, BARE, FREED):
        destroyed = program.destroy(spec)
        assert destroyed.code == 4
        assert "role env-worker" in destroyed.words.replace("probe-", "env-")
    assert cloud.ids() == ids
    freed = program.apply(FREED)
    assert freed.code == 0
    assert program.plan(FREED).changes == []
    assert program.destroy(FREED).code == 0
    assert cloud.ids() == cloud.roles() == cloud.profiles() == []


def test_a_tag_that_is_put_on_while_a_plan_is_read_stops_the_deletion(
    program: Program, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert program.apply(ROLES_ONLY).code == 0

    def kept_meanwhile(*_: Any, **__: Any) -> None:
        cloud.client("iam").tag_role(RoleName="probe-worker", Tags=[{"Key": KEEP, "Value": "x"}])

    monkeypatch.setattr("provisioner.cli.change.show_plan", kept_meanwhile)
    applied = program.apply(BARE)
    assert applied.code != 0
    assert "kept by the tag provisioner:keep" in applied.words
    assert cloud.roles() == ["probe-worker"]
