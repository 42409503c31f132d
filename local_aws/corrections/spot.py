"""Spot Instances: one-time requests of RunInstances, their price, and how they are taken back.

EC2 User Guide, "Spot Instance requests", "Spot Instance interruptions"; API Reference, SpotMarketOptions,
RunInstances, "Error codes": SpotMaxPriceTooLow. The price is the same for all types, zones and times. moto
shows neither request nor price, and stops what cannot be stopped.
"""

from __future__ import annotations

import secrets
import string
from decimal import Decimal, InvalidOperation
from typing import Any

from local_aws.call import AwsError, Call, not_implemented
from local_aws.corrections import lag, states
from local_aws.corrections.registry import check, handler
from local_aws.errors import LocalAwsError
from local_aws.world import Member, World

SPOT_PRICE = Decimal("0.003")
LEAST_MAX_PRICE = Decimal("0.001")
_REASON = "Server.SpotInstanceTermination"


def market(params: dict[str, Any]) -> str:
    """What a launch asks for: `spot` or `on-demand`."""
    return (params.get("InstanceMarketOptions") or {}).get("MarketType") or "on-demand"


def mark(member: Member, params: dict[str, Any]) -> None:
    """Notes what the launch asked for on the new instance."""
    if market(params) == "spot":
        member.instance.lifecycle = "spot"
        letters = string.ascii_lowercase + string.digits
        member.spot_request = "sir-" + "".join(secrets.choice(letters) for _ in range(8))


@check("ec2:RunInstances")
def options(world: World, call: Call) -> None:
    """The market exists, and its options go together."""
    kind = market(call.params)
    if kind == "on-demand":
        return
    if kind != "spot":
        raise not_implemented(call.name, f"MarketType {kind}.")
    wanted = call.params["InstanceMarketOptions"].get("SpotOptions") or {}
    request = wanted.get("SpotInstanceType") or "one-time"
    behaviour = wanted.get("InstanceInterruptionBehavior") or "terminate"
    if request != "one-time":
        raise not_implemented(call.name, f"SpotInstanceType {request}.")
    if behaviour != "terminate":
        text = "The request with type 'one-time' is not supported when instanceInterruptionBehavior is set to"
        raise AwsError("InvalidParameterCombination", f"{text} '{behaviour}'.")
    if "ValidUntil" in wanted:
        text = "The validUntil parameter is not supported for one-time requests."
        raise AwsError("InvalidParameterCombination", text)
    if wanted.get("MaxPrice"):
        _check_price(wanted["MaxPrice"])


@check("ec2:ModifyInstanceAttribute")
def protection(world: World, call: Call) -> None:
    """Spot Instances cannot be protected from termination, nor from stopping."""
    member = world.region(call.region).members.get(call.params.get("InstanceId") or "")
    name = call.params.get("Attribute") or ""
    for attribute in ("disableApiTermination", "disableApiStop"):
        asked = attribute[:1].upper() + attribute[1:] in call.params or name == attribute
        if member is not None and member.market == "spot" and asked:
            text = f"Modifying '{attribute}' is not supported for spot instances."
            raise AwsError("UnsupportedOperation", text)


@handler("ec2:DescribeSpotPriceHistory")
def prices(world: World, call: Call) -> Any:
    """moto's history, at the price that launches are measured by."""
    answer = call.moto()
    for row in answer.result["SpotPriceHistory"]:
        row["SpotPrice"] = f"{SPOT_PRICE:.6f}"
    return answer


def reclaim(world: World, instance_ids: list[str]) -> None:
    """Terminates Spot Instances as AWS does when it wants them back.

    Raises LocalAwsError, and leaves all alone, if one of them is not there, not Spot or not live.
    """
    found = [world.member(instance_id) for instance_id in instance_ids]
    for _, member in found:
        if member.market != "spot" or not member.is_live:
            raise LocalAwsError(f"{member.id} is a {member.market} instance that is {member.state}")
    for region, member in found:
        lag.keep(world, region, [member.id])
        member.instance._reason = _REASON
        member.instance.state_reason.code = _REASON
        member.instance.state_reason.message = f"{_REASON}: Spot instance termination"
        states.begin(world, region, member, "shutting-down", "terminated", world.faults.terminate_s)


def _check_price(text: str) -> None:
    try:
        price = Decimal(text)
    except InvalidOperation:
        price = Decimal(0)
    if price < LEAST_MAX_PRICE:
        raise AwsError("InvalidParameterValue", f"Value ({text}) for parameter maxPrice is invalid.")
    if price < SPOT_PRICE:
        raise AwsError(
            "SpotMaxPriceTooLow",
            f"Your Spot request price of {text} is lower than the minimum required Spot request fulfillment "
            f"price of {SPOT_PRICE}.",
        )
