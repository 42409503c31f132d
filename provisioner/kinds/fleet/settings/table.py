"""One table: all that is known of each setting of a fleet's members, a row for each.

How it is launched, compared, changed and remembered, why, and which AWS document says so: whatever is about a
setting iterates over these rows. The order is that in which stopped members are changed, what EC2 may refuse
first, and that of the words in the launch tag.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from provisioner.kinds.fleet.settings.remembered import Remembered, switch
from provisioner.kinds.fleet.settings.setting import (
    NOT_COMPARED,
    NOT_KNOWN,
    How,
    Launching,
    Setting,
    launched,
    modify,
    modify_attribute,
    or_any,
    part,
    part_if_said,
    recorded,
    said,
    shows,
)
from provisioner.kinds.fleet.settings.user_data import USER_DATA
from provisioner.kinds.fleet.settings.values import (
    DNS,
    IMAGE,
    INTERFACE,
    KEY,
    MARKET,
    PUBLIC_IP,
    SHUTDOWN,
    SHUTDOWN_PARAMETER,
    ImageIs,
    change_ipv6,
    change_reservation,
    cpu_desired,
    cpu_observed,
    image_desired,
    interface_attribute,
    ipv6_count,
    key_desired,
    key_observed,
    launch_cpu,
    launch_groups,
    launch_reservation,
    launch_shutdown,
    look_up_credits,
    monitor,
    no_hibernation,
    no_reservation,
    not_burstable,
    regroup,
    reservation_observed,
    same_groups,
    same_image,
    same_key,
    set_credits,
    source_dest_check,
    spot,
    unstoppable,
)
from provisioner.kinds.fleet.settings.volume_drift import MODIFIABLE, ROOT_WORD, VOLUMES_WORD
from provisioner.kinds.fleet.settings.volumes import (
    DEVICES,
    Values,
    ebs,
    modify_volumes,
    root_device,
    what_is_fixed,
    what_root_has,
    what_volumes_have,
)
from provisioner.kinds.fleet.spec import ROOT_VOLUME, SPOT, VOLUMES, Fleet
from provisioner.kinds.fleet.user_data.parts import user_data_to_send
from provisioner.kinds.instances import Instance

EC2_API = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference"
EC2_GUIDE = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide"
EBS_GUIDE = "https://docs.aws.amazon.com/ebs/latest/userguide"

METADATA = "metadata options change while the instance runs"
METADATA_SOURCE = f"{EC2_API}/API_ModifyInstanceMetadataOptions.html"


def _modified(path: str, values: Values, remembered: Remembered) -> Setting:
    """One field of the root volume, or of all further ones, that EBS modifies."""
    return Setting(
        path,
        How.LIVE,
        "EBS modifies volumes that are in use",
        f"{EC2_API}/API_ModifyVolume.html",
        *values,
        # Each launch says the whole volume.
        launch=lambda fleet, _: {},
        change=lambda to: modify_volumes(path, to.fleet, to.member),
        remembered=remembered,
    )


def _metadata(
    field: str,
    parameter: str,
    desired: Callable[[Fleet], Any],
    observed: Callable[[Instance], Any],
    **more: Any,
) -> Setting:
    """An option of the metadata service, which is neither sent nor compared where its endpoint is disabled.

    What EC2 says to it there is not documented, and it would have no effect; Terraform leaves it out as "not
    allowed unless HttpEndpoint is enabled" (hashicorp/terraform-provider-aws, internal/service/ec2).
    """

    def asked_for(fleet: Fleet) -> Any:
        return desired(fleet) if fleet.http_endpoint == "enabled" else NOT_COMPARED

    def launch(fleet: Fleet, _: Launching) -> Mapping[str, Any]:
        value = asked_for(fleet)
        return {} if value is NOT_COMPARED else part(f"MetadataOptions.{parameter}", value)

    return Setting(
        f"metadata.{field}",
        How.LIVE,
        METADATA,
        METADATA_SOURCE,
        asked_for,
        observed,
        launch=launch,
        change=lambda to: modify(to, "ModifyInstanceMetadataOptions", **{parameter: to.value}),
        **more,
    )


SETTINGS: tuple[Setting, ...] = (
    _metadata("http_tokens", "HttpTokens", lambda fleet: fleet.http_tokens, lambda shown: shown.http_tokens),
    Setting(
        "metadata.http_endpoint",
        How.LIVE,
        METADATA,
        METADATA_SOURCE,
        lambda fleet: fleet.http_endpoint,
        lambda instance: instance.http_endpoint,
        launch=lambda fleet, _: part("MetadataOptions.HttpEndpoint", fleet.http_endpoint),
        change=lambda to: modify(to, "ModifyInstanceMetadataOptions", HttpEndpoint=to.value),
    ),
    _metadata(
        "hop_limit", "HttpPutResponseHopLimit", lambda fleet: fleet.hop_limit, lambda shown: shown.hop_limit
    ),
    _metadata(
        "instance_tags",
        "InstanceMetadataTags",
        lambda fleet: fleet.instance_tags,
        lambda shown: shown.instance_tags,
    ),
    _metadata(
        "ipv6",
        "HttpProtocolIpv6",
        said("metadata.ipv6"),
        shows("MetadataOptions.HttpProtocolIpv6"),
        by_itself="disabled",
    ),
    Setting(
        "monitoring",
        How.LIVE,
        "detailed monitoring is switched while the instance runs",
        f"{EC2_API}/API_MonitorInstances.html",
        lambda fleet: fleet.monitoring,
        lambda instance: instance.monitoring,
        launch=lambda fleet, _: part("Monitoring.Enabled", fleet.monitoring),
        change=monitor,
    ),
    Setting(
        "source_dest_check",
        How.LIVE,
        "the check of a network interface is switched while the instance runs",
        f"{EC2_API}/API_ModifyInstanceAttribute.html",
        said("source_dest_check"),
        source_dest_check,
        # RunInstances does not take it.
        by_itself=True,
        change=lambda to: interface_attribute(to, "SourceDestCheck"),
    ),
    Setting(
        "ipv6_address_count",
        How.LIVE,
        "IPv6 addresses come and go while the instance runs",
        f"{EC2_API}/API_AssignIpv6Addresses.html",
        said("ipv6_address_count"),
        ipv6_count,
        launch=launched(f"{INTERFACE}.Ipv6AddressCount", "ipv6_address_count"),
        change=change_ipv6,
    ),
    Setting(
        "private_dns.a_record",
        How.LIVE,
        "DNS records change while the instance runs",
        f"{EC2_API}/API_ModifyPrivateDnsNameOptions.html",
        said("private_dns.a_record"),
        shows("PrivateDnsNameOptions.EnableResourceNameDnsARecord"),
        launch=launched("PrivateDnsNameOptions.EnableResourceNameDnsARecord", "private_dns.a_record"),
        change=lambda to: modify(to, DNS, EnableResourceNameDnsARecord=to.value),
    ),
    Setting(
        "private_dns.aaaa_record",
        How.LIVE,
        "DNS records change while the instance runs",
        f"{EC2_API}/API_ModifyPrivateDnsNameOptions.html",
        said("private_dns.aaaa_record"),
        shows("PrivateDnsNameOptions.EnableResourceNameDnsAAAARecord"),
        launch=launched("PrivateDnsNameOptions.EnableResourceNameDnsAAAARecord", "private_dns.aaaa_record"),
        change=lambda to: modify(to, DNS, EnableResourceNameDnsAAAARecord=to.value),
    ),
    Setting(
        "maintenance.auto_recovery",
        How.LIVE,
        "automatic recovery is switched while the instance runs",
        f"{EC2_API}/API_ModifyInstanceMaintenanceOptions.html",
        said("maintenance.auto_recovery"),
        shows("MaintenanceOptions.AutoRecovery"),
        launch=launched("MaintenanceOptions.AutoRecovery", "maintenance.auto_recovery"),
        change=lambda to: modify(to, "ModifyInstanceMaintenanceOptions", AutoRecovery=to.value),
        by_itself="default",
    ),
    Setting(
        "instance_type",
        How.RESTART,
        "the type can only be changed while the instance is stopped",
        f"{EC2_GUIDE}/ec2-instance-resize.html",
        lambda fleet: fleet.instance_types,
        lambda instance: instance.type,
        operator.contains,
        # Each launch says its own.
        launch=lambda fleet, _: {},
        change=lambda to: modify_attribute(to, "InstanceType", to.fleet.instance_types[0]),
    ),
    Setting(
        "ebs_optimized",
        How.RESTART,
        "EBS optimisation can only be changed while the instance is stopped",
        f"{EC2_API}/API_ModifyInstanceAttribute.html",
        lambda fleet: or_any(fleet.ebs_optimized),
        lambda instance: instance.ebs_optimized,
        launch=lambda fleet, _: part_if_said("EbsOptimized", fleet.ebs_optimized),
        change=lambda to: modify_attribute(to, "EbsOptimized", to.value),
    ),
    Setting(
        "cpu_options",
        How.RESTART,
        "cores and threads can only be changed while the instance is stopped",
        f"{EC2_API}/API_ModifyInstanceCpuOptions.html",
        cpu_desired,
        cpu_observed,
        launch=launch_cpu,
        change=lambda to: modify(to, "ModifyInstanceCpuOptions", **to.value.params),
        reset_by="instance_type",
    ),
    Setting(
        "credit_specification",
        How.LIVE,
        "the credit option is switched while the instance runs",
        f"{EC2_API}/API_ModifyInstanceCreditSpecification.html",
        said("credit_specification"),
        shows("CpuCredits"),
        launch=launched("CreditSpecification.CpuCredits", "credit_specification"),
        change=set_credits,
        look_up=look_up_credits,
        # A type that is not burstable has none, and the next one starts with its own default.
        reset_by="instance_type",
        check=not_burstable,
    ),
    Setting(
        "placement_group",
        How.RESTART,
        "an instance can only move into a placement group while it is stopped",
        f"{EC2_API}/API_ModifyInstancePlacement.html",
        said("placement_group"),
        lambda instance: instance.described.get("Placement", {}).get("GroupName") or None,
        launch=launched("Placement.GroupName", "placement_group"),
        change=lambda to: modify(to, "ModifyInstancePlacement", GroupName=to.value or ""),
        by_itself=None,
    ),
    Setting(
        "enclave",
        How.RESTART,
        "enclaves can only be switched while the instance is stopped",
        f"{EC2_API}/API_ModifyInstanceAttribute.html",
        said("enclave"),
        shows("EnclaveOptions.Enabled"),
        launch=launched("EnclaveOptions.Enabled", "enclave"),
        change=lambda to: modify(to, "ModifyInstanceAttribute", EnclaveOptions={"Enabled": to.value}),
        by_itself=False,
    ),
    Setting(
        "capacity_reservation",
        How.RESTART,
        "the reservation can only be changed while the instance is stopped",
        f"{EC2_API}/API_ModifyInstanceCapacityReservationAttributes.html",
        said("capacity_reservation"),
        reservation_observed,
        launch=launch_reservation,
        change=change_reservation,
        check=no_reservation,
        by_itself="open",
    ),
    Setting(
        "private_dns.hostname_type",
        How.RESTART,
        "the hostname type can only be changed while the instance is stopped",
        f"{EC2_GUIDE}/change-resource-based-naming.html",
        said("private_dns.hostname_type"),
        shows("PrivateDnsNameOptions.HostnameType"),
        launch=launched("PrivateDnsNameOptions.HostnameType", "private_dns.hostname_type"),
        change=lambda to: modify(to, DNS, PrivateDnsHostnameType=to.value),
    ),
    Setting(
        "user_data",
        How.REPLACE,
        "user data runs at the first boot, so only a new instance acts on it",
        f"{EC2_GUIDE}/user-data.html",
        **recorded(USER_DATA),
        launch=lambda fleet, _: part_if_said("UserData", user_data_to_send(fleet) or None),
        change=lambda to: modify_attribute(to, "UserData", user_data_to_send(to.fleet)),
    ),
    Setting(
        "termination_protection",
        How.LIVE,
        "termination protection is switched while the instance runs",
        f"{EC2_API}/API_ModifyInstanceAttribute.html",
        **recorded(switch("protection", lambda fleet: fleet.termination_protection, "disableApiTermination")),
        launch=lambda fleet, _: part_if_said("DisableApiTermination", fleet.termination_protection or None),
        change=lambda to: modify_attribute(to, "DisableApiTermination", to.value == "on"),
        protects=True,
        on_spot=False,
    ),
    Setting(
        "stop_protection",
        How.LIVE,
        "stop protection is switched while the instance runs",
        f"{EC2_GUIDE}/ec2-stop-protection.html",
        **recorded(
            switch("stop", lambda fleet: fleet.says("stop_protection"), "disableApiStop"),
            left_out=NOT_KNOWN,
        ),
        launch=lambda fleet, _: part_if_said("DisableApiStop", fleet.says("stop_protection") or None),
        change=lambda to: modify_attribute(to, "DisableApiStop", to.value == "on"),
        protects=True,
        on_spot=False,
        check=unstoppable,
        by_itself="off",
    ),
    Setting(
        "shutdown_behavior",
        How.LIVE,
        "shutdown behaviour is switched while the instance runs",
        f"{EC2_API}/API_ModifyInstanceAttribute.html",
        **recorded(SHUTDOWN),
        launch=launch_shutdown,
        change=lambda to: modify_attribute(to, SHUTDOWN_PARAMETER, to.value),
        on_spot=False,
    ),
    Setting(
        "security_groups",
        How.LIVE,
        "the groups of a network interface change while the instance runs",
        f"{EC2_API}/API_ModifyInstanceAttribute.html",
        lambda fleet: fleet.wanted_groups or NOT_COMPARED,
        lambda instance: instance.groups or {},
        same_groups,
        launch=launch_groups,
        change=regroup,
    ),
    Setting(
        "market",
        How.REPLACE,
        "the market is chosen at launch",
        f"{EC2_GUIDE}/how-spot-instances-work.html",
        lambda fleet: fleet.markets,
        lambda instance: instance.market,
        operator.contains,
        launch=lambda fleet, _: part_if_said(MARKET, spot(fleet) if fleet.market == SPOT else None),
    ),
    Setting(
        "hibernation",
        How.REPLACE,
        "hibernation can only be enabled at launch",
        f"{EC2_GUIDE}/enabling-hibernation.html",
        said("hibernation"),
        shows("HibernationOptions.Configured"),
        launch=launched("HibernationOptions.Configured", "hibernation"),
        check=no_hibernation,
        by_itself=False,
    ),
    Setting(
        "key_name",
        How.REPLACE,
        "EC2 puts a key on at the first boot only",
        f"{EC2_GUIDE}/ec2-key-pairs.html",
        key_desired,
        key_observed,
        same_key,
        launch=lambda fleet, _: part_if_said("KeyName", fleet.key_name),
        remembered=KEY,
    ),
    Setting(
        "subnets",
        How.REPLACE,
        "the subnet is fixed at launch",
        f"{EC2_API}/API_RunInstances.html",
        lambda fleet: fleet.where.subnets or NOT_COMPARED,
        lambda instance: instance.subnet,
        operator.contains,
        launch=lambda _, to: part(f"{INTERFACE}.SubnetId", to.subnet.id),
    ),
    Setting(
        "availability_zones",
        How.REPLACE,
        "the zone is fixed at launch",
        f"{EC2_API}/API_RunInstances.html",
        lambda fleet: fleet.where.zones or NOT_COMPARED,
        lambda instance: instance.zone,
        operator.contains,
        # Said beside the subnet, because a token is zonal only where one of them is given openly.
        launch=lambda _, to: part("Placement.AvailabilityZone", to.subnet.zone),
    ),
    Setting(
        "tenancy",
        How.REPLACE,
        "tenancy is fixed at launch, but for moves between dedicated and host",
        f"{EC2_API}/API_ModifyInstancePlacement.html",
        lambda fleet: or_any(fleet.tenancy),
        lambda instance: instance.tenancy,
        launch=lambda fleet, _: part_if_said("Placement.Tenancy", fleet.tenancy),
    ),
    Setting(
        ROOT_VOLUME,
        How.REPLACE,
        "encryption and its key are chosen at launch, and no volume can be made smaller",
        f"{EBS_GUIDE}/modify-volume-requirements.html",
        *what_is_fixed(ROOT_VOLUME),
        launch=root_device,
        remembered=ROOT_WORD,
    ),
    Setting(
        VOLUMES,
        How.REPLACE,
        "devices, encryption and its key are chosen at launch",
        f"{EBS_GUIDE}/modify-volume-requirements.html",
        *what_is_fixed(VOLUMES),
        launch=lambda fleet, _: part(DEVICES, {str(volume.device): ebs(volume) for volume in fleet.volumes}),
        remembered=VOLUMES_WORD,
    ),
    *(_modified(f"{ROOT_VOLUME}.{name}", what_root_has(name), ROOT_WORD) for name in MODIFIABLE),
    *(_modified(f"{VOLUMES}.{name}", what_volumes_have(name), VOLUMES_WORD) for name in MODIFIABLE),
    Setting(
        "associate_public_ip",
        How.REPLACE,
        "the public address is given at launch",
        f"{EC2_API}/API_RunInstances.html",
        **recorded(PUBLIC_IP, lambda fleet: fleet.associate_public_ip is not None),
        launch=launched(f"{INTERFACE}.AssociatePublicIpAddress", "associate_public_ip"),
        by_itself="subnet",
    ),
    Setting(
        "image",
        How.REPLACE,
        "the image is fixed at launch",
        f"{EC2_API}/API_RunInstances.html",
        image_desired,
        lambda instance: ImageIs(instance.image, IMAGE.of(instance)),
        same_image,
        launch=lambda _, to: {"ImageId": to.prerequisites.image},
        remembered=IMAGE,
    ),
)
