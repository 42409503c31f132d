"""Before a role loses its policies, all pages of the instance profiles that have it are read."""

from __future__ import annotations

from typing import Any

import pytest

from provisioner.errors import ChangedMeanwhile, ProvisionerError
from provisioner.kinds.role.steps import MAX_PROFILES, IsInNoOtherProfile
from tests.support.scripted import Scripted

STEP = IsInNoOtherProfile("web", "/provisioner/env/")
OURS = {"InstanceProfileName": "web", "Path": "/provisioner/env/"}
THEIRS = {"InstanceProfileName": "theirs", "Path": "/"}


def page(*profiles: dict[str, str], next_one: str | None = None) -> dict[str, Any]:
    """A page, which may be empty though there are more, as IAM's API Reference says of MaxItems."""
    more = {"Marker": next_one} if next_one else {}
    return {"InstanceProfiles": list(profiles), "IsTruncated": bool(next_one), **more}


@pytest.mark.parametrize(
    "pages",
    [[page()], [page(OURS)], [page(OURS, next_one="a"), page(next_one="b"), page()]],
    ids=["none", "its own", "its own, in pages"],
)
def test_a_role_in_its_own_profiles_alone_may_lose_its_policies(pages: list[dict[str, Any]]) -> None:
    iam = Scripted(*pages)
    iam.run(STEP)
    assert [call.params.get("Marker") for call in iam.sent] == [None, "a", "b"][: len(pages)]


@pytest.mark.parametrize(
    "pages",
    [[page(OURS, THEIRS)], [page(OURS, next_one="a"), page(next_one="b"), page(THEIRS)]],
    ids=["on the only page", "on the last"],
)
def test_a_role_in_a_profile_of_others_keeps_them(pages: list[dict[str, Any]]) -> None:
    with pytest.raises(ChangedMeanwhile, match="web is in instance profile theirs by now: left alone"):
        Scripted(*pages).run(STEP)


@pytest.mark.parametrize(
    "pages",
    [[page(next_one="a")] * 2, [page(next_one=str(number)) for number in range(MAX_PROFILES)]],
    ids=["the same again", "ever new ones"],
)
def test_pages_without_end_are_an_error(pages: list[dict[str, Any]]) -> None:
    iam = Scripted(*pages)
    with pytest.raises(ProvisionerError, match="there is always one more page"):
        iam.run(STEP)
    assert len(iam.sent) == len(pages)
