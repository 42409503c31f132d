"""What rows of the table need beyond a line: how some values are read, written and judged."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from provisioner.kinds.base import Reader
from provisioner.kinds.fleet.observed import Problem
from provisioner.kinds.fleet.settings.remembered import (
    Remembered,
    attribute,
    image_source,
)
from provisioner.kinds.fleet.settings.setting import (
    NOT_COMPARED,
    Launching,
    NotCompared,
    Target,
    modify,
    modify_attribute,
    or_any,
    part,
)
from provisioner.kinds.fleet.spec import SPOT, Fleet
from provisioner.kinds.instances import MAX_IDS, Instance, chunks
from provisioner.model import Call, Output

MARKET = "InstanceMarketOptions"
# What a launch says of its network interface, wherever RunInstances takes it: see params.py.
INTERFACE = "NetworkInterface"

SHUTDOWN_PARAMETER = "InstanceInitiatedShutdownBehavior"
DNS = "ModifyPrivateDnsNameOptions"


class ImageIs(NamedTuple):
    """Which image, and where it came from; None: that does not matter, or is not known."""

    id: str
    source: str | None

    def __str__(self) -> str:
        return self.id


def image_desired(fleet: Fleet) -> ImageIs | NotCompared:
    if fleet.image.id:
        return ImageIs(fleet.image.id, None)
    return ImageIs(fleet.image.pinned, image_source(fleet.image)) if fleet.image.pinned else NOT_COMPARED


def same_image(desired: ImageIs, observed: ImageIs) -> bool:
    is_kept = desired.source is not None and observed.source in (None, desired.source)
    return desired.id == observed.id or is_kept


class KeyIs(NamedTuple):
    """A key pair of the spec: its name in AWS, and how the fingerprint of its public key begins."""

    name: str
    mark: str

    def __str__(self) -> str:
        return f"{self.name} (SHA256:{self.mark}…)"


KEY = Remembered("key", "[A-Za-z0-9+/]{8}", lambda fleet: fleet.key_mark)


def key_desired(fleet: Fleet) -> str | KeyIs | None:
    return KeyIs(fleet.key_name, fleet.key_mark) if fleet.key_name and fleet.key_mark else fleet.key_name


def key_observed(instance: Instance) -> str | KeyIs | None:
    mark = KEY.of(instance) if instance.key_name else None
    return KeyIs(instance.key_name, mark) if instance.key_name and mark else instance.key_name


def same_key(desired: str | KeyIs | None, observed: str | KeyIs | None) -> bool:
    """Whether it is the same key pair, and the same key as far as it is known which one was put on."""
    if desired == observed:
        return True
    if isinstance(desired, KeyIs) and isinstance(observed, KeyIs):
        return False
    return _name_of(desired) == _name_of(observed)


def _name_of(key: str | KeyIs | None) -> str | None:
    return key.name if isinstance(key, KeyIs) else key


def same_groups(desired: Mapping[str | Output, str], observed: Mapping[str, str]) -> bool:
    """Whether the groups are those that the spec gives, each by id, by name, or by both."""
    ids: dict[str | Output, str] = {name: group for group, name in observed.items()}
    ids |= {group: group for group in observed}
    return {ids.get(group) for group in desired} == set(observed)


def regroup(to: Target) -> tuple[Call, ...]:
    """The call that gives a member's primary network interface its groups.

    Where an instance has several interfaces, the groups are to be changed by the interface:
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceAttribute.html
    """
    groups = {"Groups": to.fleet.group_ids(to.groups)}
    if len(to.member.interfaces) > 1:
        interface = {"NetworkInterfaceId": to.member.interfaces[0]}
        return (Call("ec2", "ModifyNetworkInterfaceAttribute", interface | groups),)
    return modify(to, "ModifyInstanceAttribute", **groups)


def launch_groups(fleet: Fleet, to: Launching) -> Mapping[str, Any]:
    groups = fleet.group_ids(to.prerequisites.groups)
    return part(f"{INTERFACE}.Groups", groups) if groups else {}


def monitor(to: Target) -> tuple[Call, ...]:
    operation = "MonitorInstances" if to.value else "UnmonitorInstances"
    return (Call("ec2", operation, {"InstanceIds": [to.member.id]}),)


def _read_shutdown(reader: Reader, instance: Instance) -> str:
    value: str = attribute(reader, instance, "instanceInitiatedShutdownBehavior")
    return value


def _read_public_ip(_: Reader, instance: Instance) -> str | None:
    """Whether it was given an address at launch. Nothing tells of one that is down, or has one of its own."""
    if instance.state != "running" or instance.has_elastic_ip or PUBLIC_IP.of(instance) == "subnet":
        return None
    return "yes" if instance.public_ip else "no"


def spot(fleet: Fleet) -> dict[str, Any]:
    """A one-time request, ended by what it got: a reclaimed member is terminated, and apply replaces it."""
    options = {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"}
    price = {"MaxPrice": fleet.max_price} if fleet.max_price else {}
    return {"MarketType": "spot", "SpotOptions": {**options, **price}}


def launch_shutdown(fleet: Fleet, _: Launching) -> Mapping[str, Any]:
    """Nothing of `stop`: EC2 does that by itself, and an image without volumes takes neither."""
    return {} if fleet.shutdown_behavior == "stop" else part(SHUTDOWN_PARAMETER, fleet.shutdown_behavior)


def interface_attribute(to: Target, name: str) -> tuple[Call, ...]:
    """The call that changes an attribute of a member's primary network interface."""
    if len(to.member.interfaces) > 1:
        params = {"NetworkInterfaceId": to.member.interfaces[0], name: {"Value": to.value}}
        return (Call("ec2", "ModifyNetworkInterfaceAttribute", params),)
    return modify_attribute(to, name, to.value)


def source_dest_check(instance: Instance) -> bool | NotCompared:
    """That of the primary network interface, which an instance with several is changed by."""
    for interface in instance.described.get("NetworkInterfaces", ()):
        if interface["NetworkInterfaceId"] in instance.interfaces[:1] and "SourceDestCheck" in interface:
            return bool(interface["SourceDestCheck"])
    shown: bool | NotCompared = or_any(instance.described.get("SourceDestCheck"))
    return shown


def _ipv6_addresses(instance: Instance) -> list[str] | NotCompared:
    """The addresses of the primary network interface."""
    for interface in instance.described.get("NetworkInterfaces", ()):
        if interface["NetworkInterfaceId"] in instance.interfaces[:1]:
            return [address["Ipv6Address"] for address in interface.get("Ipv6Addresses", ())]
    return NOT_COMPARED


def ipv6_count(instance: Instance) -> int | NotCompared:
    addresses = _ipv6_addresses(instance)
    return len(addresses) if isinstance(addresses, list) else NOT_COMPARED


def change_ipv6(to: Target) -> tuple[Call, ...]:
    """More addresses, or fewer: the last ones go.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_UnassignIpv6Addresses.html
    """
    addresses = _ipv6_addresses(to.member)
    has = addresses if isinstance(addresses, list) else []
    interface = {"NetworkInterfaceId": to.member.interfaces[0]}
    if to.value > len(has):
        more = {**interface, "Ipv6AddressCount": to.value - len(has)}
        return (Call("ec2", "AssignIpv6Addresses", more),)
    return (Call("ec2", "UnassignIpv6Addresses", {**interface, "Ipv6Addresses": has[to.value :]}),)


class Cpu(NamedTuple):
    """Cores, and threads on each."""

    cores: int
    threads: int

    def __str__(self) -> str:
        return f"{self.cores} x {self.threads}"

    @property
    def params(self) -> dict[str, int]:
        return {"CoreCount": self.cores, "ThreadsPerCore": self.threads}


def cpu_desired(fleet: Fleet) -> Cpu | NotCompared:
    written = fleet.says("cpu_options")
    return Cpu(written["core_count"], written["threads_per_core"]) if written else NOT_COMPARED


def cpu_observed(instance: Instance) -> Cpu | NotCompared:
    options = instance.described.get("CpuOptions", {})
    has_both = {"CoreCount", "ThreadsPerCore"} <= options.keys()
    return Cpu(options["CoreCount"], options["ThreadsPerCore"]) if has_both else NOT_COMPARED


def launch_cpu(fleet: Fleet, _: Launching) -> Mapping[str, Any]:
    desired = cpu_desired(fleet)
    return {"CpuOptions": desired.params} if isinstance(desired, Cpu) else {}


def _reservation(value: str) -> dict[str, Any]:
    """A Capacity Reservation, a group of them, or a preference, as EC2 takes it."""
    if value.startswith("cr-"):
        return {"CapacityReservationTarget": {"CapacityReservationId": value}}
    if value.startswith("arn:"):
        return {"CapacityReservationTarget": {"CapacityReservationResourceGroupArn": value}}
    return {"CapacityReservationPreference": value}


def reservation_observed(instance: Instance) -> Any:
    shown = instance.described.get("CapacityReservationSpecification", {})
    target = shown.get("CapacityReservationTarget", {})
    return or_any(next(iter(target.values()), shown.get("CapacityReservationPreference")))


def change_reservation(to: Target) -> tuple[Call, ...]:
    asked = {"CapacityReservationSpecification": _reservation(to.value)}
    return modify(to, "ModifyInstanceCapacityReservationAttributes", **asked)


def launch_reservation(fleet: Fleet, _: Launching) -> Mapping[str, Any]:
    value = fleet.says("capacity_reservation")
    return {"CapacityReservationSpecification": _reservation(value)} if value else {}


def look_up_credits(reader: Reader, members: Sequence[Instance]) -> dict[str, dict[str, Any]]:
    """The credit options of members: a call for each thousand of them. Raises AwsError.

    What EC2 shows of types that are not burstable says nothing.
    """
    burstable = [member.id for member in members if _BURSTABLE.match(member.type)]
    return {
        credits["InstanceId"]: {"CpuCredits": credits["CpuCredits"]}
        for portion in chunks(burstable, MAX_IDS)
        for credits in reader.call("ec2", "DescribeInstanceCreditSpecifications", InstanceIds=list(portion))[
            "InstanceCreditSpecifications"
        ]
    }


def set_credits(to: Target) -> tuple[Call, ...]:
    row = {"InstanceId": to.member.id, "CpuCredits": to.value}
    return (Call("ec2", "ModifyInstanceCreditSpecification", {"InstanceCreditSpecifications": [row]}),)


def not_burstable(raw: Mapping[str, Any]) -> Problem | None:
    written = raw["instance_type"]
    types = [written] if isinstance(written, str) else written
    others = [type_ for type_ in types if not _BURSTABLE.match(type_)]
    if "credit_specification" not in raw or not others:
        return None
    hint = "take it out, or choose types of t2, t3, t3a or t4g"
    return Problem(f"{', '.join(others)} earns no CPU credits, only burstable types do", hint)


def unstoppable(raw: Mapping[str, Any]) -> Problem | None:
    if raw.get("stop_protection") and raw.get("market") == SPOT:
        return Problem("Spot instances cannot have it", "take it out, or use `market: on_demand`")
    if raw.get("stop_protection") and raw.get("power") == "stopped":
        return Problem("what is protected cannot be stopped", "take it out, or use `power: running`")
    return None


def no_hibernation(raw: Mapping[str, Any]) -> Problem | None:
    if raw.get("hibernation") and raw.get("enclave"):
        return Problem("an instance has hibernation or an enclave, not both", "take one of them out")
    if raw.get("hibernation") and raw.get("market") == SPOT:
        hint = "take it out, or use `market: on_demand`"
        return Problem("Spot instances of a fleet are ended when they are interrupted", hint)
    return None


def no_reservation(raw: Mapping[str, Any]) -> Problem | None:
    if "capacity_reservation" in raw and raw.get("market") == SPOT:
        hint = "take it out, or use `market: on_demand`"
        return Problem("Spot instances do not run in Capacity Reservations", hint)
    return None


# T1 is of the generation before credits:
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/burstable-performance-instances.html
_BURSTABLE = re.compile(r"t(?!1\.)[0-9]")
SHUTDOWN = Remembered("shutdown", "stop|terminate", lambda fleet: fleet.shutdown_behavior, _read_shutdown)
PUBLIC_IP = Remembered(
    "public_ip",
    "subnet|yes|no",
    lambda fleet: {None: "subnet", True: "yes", False: "no"}[fleet.associate_public_ip],
    _read_public_ip,
)
IMAGE = Remembered("image", "id|[0-9a-f]{12}", lambda fleet: image_source(fleet.image))
