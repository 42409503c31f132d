"""RunInstances: who is launched where, how often, and with what moto would leave out.

EC2 API Reference, RunInstances: MinCount and MaxCount, ClientToken, DisableApiTermination, Placement,
IamInstanceProfile for every instance of the batch, security groups, block devices by default as in the
image's mapping. moto launches MinCount, binds the profile to the first and ignores several parameters.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from moto.ec2.models import instances as moto_instances

from local_aws.call import AwsError, Call
from local_aws.corrections import (
    capacity,
    ipv6,
    limits,
    options,
    profiles,
    reservations,
    spot,
    states,
    tokens,
    volumes,
)
from local_aws.corrections.fit import offered_zones
from local_aws.corrections.registry import handler
from local_aws.corrections.views import instance_view
from local_aws.world import Member, Region, World, set_state


@handler("ec2:RunInstances")
def run_instances(world: World, call: Call) -> dict[str, Any]:
    """Launches, or repeats the answer that the client token stands for with fresh states."""
    region = world.region(call.region)
    named = named_zone(region, call.params)
    earlier = tokens.replay(region, call, named)
    if earlier is not None:
        members = [region.members[item] for item in earlier.instance_ids if item in region.members]
        return _reservation(world, earlier.reservation_id, members)
    kind = call.params.get("InstanceType") or "m1.small"
    offered = offered_zones(region, kind)
    zones = [zone for zone in default_zones(region) if zone in offered]
    counts = (int(call.params["MinCount"]), int(call.params["MaxCount"]))
    what = capacity.Kind(kind, spot.market(call.params))
    zone = named or capacity.choose_zone(world, region, what, zones, counts[1])
    count = capacity.grant(world, region, what, zone, counts, zones)
    subnet = region.backend.get_subnet(subnet_of(call.params) or _default_subnet(region, zone))
    count = capacity.grant_addresses(subnet, counts[0], count)
    count = reservations.granted(region, call.params, count)
    limits.charge_instances(world, call, count)
    devices = volumes.launch_devices(region, call.params)
    reservation = _launch(call, region, subnet.id, count, devices)
    profile = profiles.resolve(world, call.params.get("IamInstanceProfile"))
    region.adopt(world.clock.now())
    members = [region.members[instance.id] for instance in reservation.instances]
    for member in members:
        if profile is not None:
            profiles.bind(world, region, member, profile)
        _complete(world, region, member, call.params, devices)
    tokens.remember(region, call, named, reservation.id, members)
    answer = _reservation(world, reservation.id, members)
    for instance in answer["Instances"]:
        instance["State"] = {"Code": 0, "Name": "pending"}
    return answer


def named_zone(region: Region, params: dict[str, Any]) -> str:
    """The zone of the subnet or placement that is named, or nothing. Raises InvalidSubnetID.NotFound."""
    subnet = subnet_of(params)
    if subnet:
        return str(region.backend.get_subnet(subnet).availability_zone)
    return str((params.get("Placement") or {}).get("AvailabilityZone") or "")


def subnet_of(params: dict[str, Any]) -> str:
    """The subnet that the parameters name, by themselves or within the first network interface."""
    inner = [item.get("SubnetId") for item in params.get("NetworkInterfaces") or []]
    return str(params.get("SubnetId") or next((item for item in inner if item), ""))


def vpc_of(region: Region, params: dict[str, Any]) -> Any:
    """The VPC of the subnet that the parameters name, or the default one."""
    subnet = subnet_of(params)
    vpc_id = region.backend.get_subnet(subnet).vpc_id if subnet else region.backend.default_vpc.id
    return region.backend.get_vpc(vpc_id)


def default_zones(region: Region) -> list[str]:
    """The zones in which the default VPC has a default subnet."""
    return sorted(region.backend.get_default_subnets())


def _default_subnet(region: Region, zone: str) -> str:
    subnet = region.backend.get_default_subnets().get(zone)
    if subnet is None:
        text = f"No default subnet for availability zone: '{zone}'."
        raise AwsError("MissingInput", text)
    return str(subnet.id)


def start_with_id(world: World, region_name: str, instance_id: str, kind: str, tags: dict[str, str]) -> str:
    """Starts one running instance under a given id, outside of any client's call, and returns the id."""
    region = world.region(region_name)
    if instance_id in region.members:
        raise AwsError("InvalidParameterValue", f"there already is an instance {instance_id}")
    if not instance_id.startswith("i-") or len(instance_id) not in (10, 19):
        raise AwsError("InvalidInstanceID.Malformed", f'Invalid id: "{instance_id}"')
    backend = region.backend
    image = next(iter(backend.amis))
    with _next_id(instance_id):
        backend.run_instances(
            image,
            1,
            None,
            [],
            instance_type=kind,
            is_instance_type_default=False,
            region_name=region.name,
            tags={"instance": tags},
            placement=default_zones(region)[0],
        )
    region.adopt(world.clock.now())
    member = region.members[instance_id]
    _complete(world, region, member, {}, {})
    member.born = member.checked_at = 0.0
    member.impaired_since = None
    set_state(member, "running")
    return instance_id


@contextmanager
def _next_id(instance_id: str) -> Iterator[None]:
    """moto draws ids by chance and offers no other way to choose one."""
    by_chance = moto_instances.random_instance_id
    moto_instances.random_instance_id = lambda: instance_id
    try:
        yield
    finally:
        moto_instances.random_instance_id = by_chance


def _launch(call: Call, region: Region, subnet_id: str, count: int, devices: volumes.Devices) -> Any:
    """Lets moto make the instances, all or none; returns moto's reservation."""
    params = call.params
    changes: dict[str, Any] = {"MinCount": count, "IamInstanceProfile": None}
    changes["BlockDeviceMappings"] = volumes.moto_mappings(devices)
    if interfaces := params.get("NetworkInterfaces"):
        changes["NetworkInterfaces"] = [{"SubnetId": subnet_id, **item} for item in interfaces]
    else:
        changes["SubnetId"] = subnet_id
    if specs := params.get("TagSpecifications"):
        kept = [spec for spec in specs if spec.get("Tags")]
        changes["TagSpecifications"] = kept or None
    before = set(region.backend.reservations)
    try:
        return call.moto(**changes).result
    except Exception:
        for reservation_id in set(region.backend.reservations) - before:
            for instance in region.backend.reservations.pop(reservation_id).instances:
                instance.terminate()
        raise


def _complete(
    world: World, region: Region, member: Member, params: dict[str, Any], devices: volumes.Devices
) -> None:
    instance = member.instance
    placement = params.get("Placement") or {}
    member.tenancy = placement.get("Tenancy") or vpc_of(region, params).instance_tenancy
    member.group_name = placement.get("GroupName") or ""
    member.launch = {key: params[key] for key in options.KEPT if key in params}
    spot.mark(member, params)
    instance.client_token = params.get("ClientToken")
    instance.disable_api_termination = bool(params.get("DisableApiTermination"))
    instance.disable_api_stop = bool(params.get("DisableApiStop"))
    instance.launch_time = world.clock.today()
    wanted_tags = {
        spec["ResourceType"]: {tag["Key"]: tag["Value"] for tag in spec.get("Tags") or []}
        for spec in params.get("TagSpecifications") or []
    }
    specs = {int(item.get("DeviceIndex") or 0): item for item in params.get("NetworkInterfaces") or []}
    for index, interface in instance.nics.items():
        interface.delete_on_termination = specs.get(index, {}).get("DeleteOnTermination")
        interface.attach_time = instance.launch_time
        if tags := wanted_tags.get("network-interface"):
            region.backend.create_tags([interface.id], tags)
        # moto shows an interface's own groups and the instance's as one; here the interface's are the truth.
        instance.security_groups = []
    for device in instance.block_device_mapping.values():
        device.attach_time = instance.launch_time
    volumes.complete(world, region, member, devices)
    ipv6.assign_at_launch(member, params)
    states.begin(world, region, member, "pending", "running", world.faults.boot_s)


def _reservation(world: World, reservation_id: str, members: list[Member]) -> dict[str, Any]:
    return {
        "ReservationId": reservation_id,
        "OwnerId": world.account,
        "Groups": [],
        "Instances": [instance_view(member) for member in members],
    }
