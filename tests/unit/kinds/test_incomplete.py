"""What AWS always gives, and what is concluded where it is missing or of another type: nothing."""

from __future__ import annotations

from typing import Any

import pytest

from provisioner.kinds.fleet.read.images import newest_image
from provisioner.kinds.fleet.spec import Image
from provisioner.kinds.instances import as_instance
from tests.support.build import BARE_INSTANCE

BROKEN: dict[str, dict[str, Any]] = {
    "no id": {"InstanceId": ""},
    "an id that is none": {"InstanceId": 17},
    "no state": {"State": {}},
    "a state that there is not": {"State": {"Name": "hibernating"}},
    "no zone": {"Placement": {}},
    "no type": {"InstanceType": None},
    "no image": {"ImageId": ""},
    "no metadata options": {"MetadataOptions": {}},
    "a profile without an id": {"IamInstanceProfile": {"Arn": "arn:x/y"}},
    "a tag without a key": {"Tags": [{"Key": "", "Value": "x"}]},
}


@pytest.mark.parametrize("what", BROKEN)
def test_an_instance(what: str) -> None:
    raw: Any = BARE_INSTANCE | BROKEN[what]
    with pytest.raises((LookupError, ValueError)):
        as_instance(raw)


def test_what_has_terminated_may_have_lost_all_but_its_id() -> None:
    gone = as_instance({"InstanceId": "i-1", "State": {"Name": "terminated"}})
    assert (gone.id, gone.type, gone.zone, gone.is_live) == ("i-1", "", "", False)


class Parameters:
    """A reader whose parameters have this value."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        return {"Parameter": {"Name": params["Name"], "Value": self.value}}


@pytest.mark.parametrize("value", [None, "", 17, ["ami-00000000000000001"], {}])
def test_a_parameter(value: Any) -> None:
    """The answers of SSM are JSON, of which boto checks no types."""
    with pytest.raises((LookupError, ValueError)):
        newest_image(Parameters(value), Image(ssm="/an/image"))  # type: ignore[arg-type]
