"""Spot Instances: how they are asked for, what they may not, and how they go."""

from __future__ import annotations

from typing import Any

import pytest

from local_aws import Capacity, Faults, LocalAws, advance, error, reclaim, set_faults
from local_aws.errors import LocalAwsError
from tests.integration.local_aws.helpers import ids, launch, launch_one, one, refused, seen, state, where

ZONE_A = {"AvailabilityZone": "us-east-1a"}


def spot(**more: Any) -> dict[str, Any]:
    """Market options of a one-time request."""
    choices = {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate", **more}
    return {"MarketType": "spot", "SpotOptions": choices}


@pytest.mark.correction("spot-request")
def test_a_spot_instance_shows_its_lifecycle_and_request(ec2: Any, image: str) -> None:
    tags = [{"Key": "env", "Value": "dev"}]
    specs = [{"ResourceType": kind, "Tags": tags} for kind in ("instance", "spot-instances-request")]
    made = launch(ec2, image, 2, InstanceMarketOptions=spot(MaxPrice="0.01"), TagSpecifications=specs)
    other = launch_one(ec2, image)
    requests = {item["SpotInstanceRequestId"] for item in made}
    assert len(requests) == 2
    assert all(item.startswith("sir-") for item in requests)
    found = seen(ec2, Filters=where("instance-lifecycle", "spot"))
    assert ids(found) == ids(made)
    assert {item["SpotInstanceRequestId"] for item in found} == requests
    assert found[0]["Tags"] == tags
    assert "InstanceLifecycle" not in one(ec2, other)
    assert "SpotInstanceRequestId" not in one(ec2, other)
    named = where("spot-instance-request-id", made[0]["SpotInstanceRequestId"])
    assert ids(seen(ec2, Filters=named)) == ids(made[:1])


@pytest.mark.correction("spot-token")
def test_the_market_is_among_the_parameters_of_a_token(ec2: Any, image: str) -> None:
    first = launch(ec2, image, ClientToken="a", InstanceMarketOptions=spot())
    assert ids(launch(ec2, image, ClientToken="a", InstanceMarketOptions=spot())) == ids(first)
    with refused("IdempotentParameterMismatch"):
        launch(ec2, image, ClientToken="a")
    with refused("IdempotentParameterMismatch"):
        launch(ec2, image, ClientToken="a", InstanceMarketOptions=spot(MaxPrice="0.01"))


@pytest.mark.correction("spot-template")
def test_a_launch_template_can_ask_for_spot(ec2: Any, image: str) -> None:
    data = {"InstanceMarketOptions": spot(MaxPrice="0.01")}
    ec2.create_launch_template(LaunchTemplateName="cheap", LaunchTemplateData=data)
    made = launch_one(ec2, image, LaunchTemplate={"LaunchTemplateName": "cheap"})
    assert one(ec2, made)["InstanceLifecycle"] == "spot"


@pytest.mark.correction("spot-capacity")
def test_each_market_has_its_own_room(local: LocalAws, ec2: Any, image: str) -> None:
    rooms = (
        Capacity(2, "t3.micro", "us-east-1a", "spot"),
        Capacity(1, "t3.micro", "us-east-1a", "on-demand"),
        Capacity(2, "t3.small", "us-east-1a"),
    )
    set_faults(local, Faults(capacity=rooms))
    assert len(launch(ec2, image, (1, 5), Placement=ZONE_A, InstanceMarketOptions=spot())) == 2
    with refused("InsufficientInstanceCapacity") as no:
        launch(ec2, image, Placement=ZONE_A, InstanceMarketOptions=spot())
    assert (no.status, no.message) == (
        500,
        "There is no Spot capacity available that matches your request.",
    )
    assert len(launch(ec2, image, (1, 5), Placement=ZONE_A)) == 1
    with refused("InsufficientInstanceCapacity"):
        launch(ec2, image, Placement=ZONE_A)
    elsewhere = launch_one(ec2, image, InstanceMarketOptions=spot())
    assert one(ec2, elsewhere)["Placement"] != ZONE_A
    launch(ec2, image, Placement=ZONE_A, InstanceType="t3.small", InstanceMarketOptions=spot())
    launch(ec2, image, Placement=ZONE_A, InstanceType="t3.small")
    with refused("InsufficientInstanceCapacity"):
        launch(ec2, image, Placement=ZONE_A, InstanceType="t3.small")


@pytest.mark.correction("spot-stop")
def test_a_spot_instance_is_not_stopped(ec2: Any, image: str) -> None:
    instance = launch_one(ec2, image, InstanceMarketOptions=spot())
    with refused("UnsupportedOperation") as no:
        ec2.stop_instances(InstanceIds=[instance])
    assert instance in no.message
    assert "one-time Spot Instance request" in no.message
    assert state(ec2, instance) == "running"
    ec2.reboot_instances(InstanceIds=[instance])
    ec2.terminate_instances(InstanceIds=[instance])
    assert state(ec2, instance) == "terminated"


@pytest.mark.correction("spot-protection")
def test_a_spot_instance_is_not_protected_later(ec2: Any, image: str) -> None:
    instance = launch_one(ec2, image, InstanceMarketOptions=spot())
    with refused("UnsupportedOperation"):
        ec2.modify_instance_attribute(InstanceId=instance, DisableApiTermination={"Value": True})
    with refused("UnsupportedOperation"):
        ec2.modify_instance_attribute(InstanceId=instance, Attribute="disableApiTermination", Value="true")
    ec2.modify_instance_attribute(InstanceId=instance, SourceDestCheck={"Value": False})


@pytest.mark.correction("spot-price")
def test_a_maximum_price_reaches_the_price_of_the_day(ec2: Any, image: str) -> None:
    history = ec2.describe_spot_price_history(InstanceTypes=["t3.micro"])["SpotPriceHistory"]
    assert {row["SpotPrice"] for row in history} == {"0.003000"}
    launch(ec2, image, InstanceMarketOptions=spot(MaxPrice="0.003"))
    with refused("SpotMaxPriceTooLow") as no:
        launch(ec2, image, InstanceMarketOptions=spot(MaxPrice="0.0029"))
    assert "price of 0.0029 is lower than the minimum required" in no.message
    for nonsense in ("0.0009", "cheap"):
        with refused("InvalidParameterValue"):
            launch(ec2, image, InstanceMarketOptions=spot(MaxPrice=nonsense))
    assert len(seen(ec2)) == 1


@pytest.mark.correction("spot-options")
def test_options_of_a_one_time_request_go_together(ec2: Any, image: str) -> None:
    with refused("InvalidParameterCombination"):
        launch(ec2, image, InstanceMarketOptions=spot(InstanceInterruptionBehavior="stop"))
    with refused("InvalidParameterCombination"):
        launch(ec2, image, InstanceMarketOptions=spot(ValidUntil="2030-01-01T00:00:00Z"))
    with refused("NotImplemented"):
        persistent = spot(SpotInstanceType="persistent", InstanceInterruptionBehavior="stop")
        launch(ec2, image, InstanceMarketOptions=persistent)


def test_the_quota_of_spot_instances_is_a_rule(local: LocalAws, ec2: Any, image: str) -> None:
    set_faults(
        local, Faults(rules=(error("RunInstances", "MaxSpotInstanceCountExceeded", status=400, times=1),))
    )
    with refused("MaxSpotInstanceCountExceeded"):
        launch(ec2, image, InstanceMarketOptions=spot())
    launch(ec2, image, InstanceMarketOptions=spot())


def test_reclaimed_instances_terminate_and_say_why(local: LocalAws, ec2: Any, image: str) -> None:
    set_faults(local, Faults(terminate_s=60, lag_s=5))
    first, second = ids(launch(ec2, image, 2, InstanceMarketOptions=spot()))
    ordinary = launch_one(ec2, image)
    advance(local, 6)
    for wrong in (ordinary, "i-00000000000000000"):
        with pytest.raises(LocalAwsError):
            reclaim(local, [first, wrong])
    reclaim(local, [first])
    assert state(ec2, first) == "running"
    advance(local, 6)
    assert state(ec2, first) == "shutting-down"
    advance(local, 60)
    found = one(ec2, first)
    assert found["State"]["Name"] == "terminated"
    assert found["StateReason"] == {
        "Code": "Server.SpotInstanceTermination",
        "Message": "Server.SpotInstanceTermination: Spot instance termination",
    }
    assert [state(ec2, item) for item in (second, ordinary)] == ["running", "running"]
    with pytest.raises(LocalAwsError, match="terminated"):
        reclaim(local, [first])
