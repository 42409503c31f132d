"""What fields are called elsewhere: in EC2's API, in Terraform and Ansible, in plain speech."""

from __future__ import annotations

import re
from collections.abc import Collection

# Words by the field that they stand for. Of several fields the first that is one there counts.
_WORDS = {
    "extends": "extend inherits inherit include includes import imports base bases parent",
    "targets": "target environments envs stages accounts workspaces",
    "environment": "name env stack project",
    "region": "aws_region location",
    "account_id": "account aws_account aws_account_id",
    "roles": "iam_roles iam_role",
    "instance_profiles": "profiles iam_instance_profiles",
    "security_groups": "sg sgs groups security_group_ids vpc_security_group_ids security_group_id firewall",
    "key_pairs": "keypair keypairs key_pair keys ssh_keys",
    "fleets": "instances servers machines nodes instance server ec2 groups",
    "attachments": "attach attached",
    "instance_type": "type types instance_types size flavor flavour",
    "image": "ami ami_id image_id os",
    "key_name": "key keypair key_pair ssh_key keyname",
    "count": "instances replicas size number desired_count desired_capacity instance_count servers nodes",
    "instance_profile": "profile iam_instance_profile role iam_role",
    "subnets": "subnet subnet_id subnet_ids vpc_subnet_id",
    "availability_zones": "az azs zone zones availability_zone",
    "user_data": "userdata script boot_script cloud_init init_script",
    "root_volume": "root disk root_disk root_block_device",
    "volumes": "ebs disks ebs_volumes ebs_block_device block_device_mappings",
    "associate_public_ip": "public_ip public associate_public_ip_address assign_public_ip",
    "metadata": "imds metadata_options",
    "market": "spot pricing purchase_option",
    "max_price": "spot_price price",
    "termination_protection": "disable_api_termination",
    "stop_protection": "disable_api_stop",
    "shutdown_behavior": "shutdown_behaviour instance_initiated_shutdown_behavior",
    "expires": "expiry expires_at ttl lifetime end ends until",
    "keep": "prevent_destroy retain prevent_deletion",
    "ready": "wait wait_for",
    "power": "status",
    "update": "rolling rolling_update upgrade update_policy",
    "trust": "assume_role_policy assume_role_policy_document trust_policy",
    "managed_policies": "policies managed_policy managed_policy_arns policy_arns policy",
    "inline_policies": "inline_policy policies policy",
    "max_session_duration": "session_duration",
    "public_key": "key material public_key_material",
    "ssh": "ssh_key",
    "ingress": "inbound rules in",
    "egress": "outbound out",
    "vpc": "vpc_id",
    "ports": "port_range from_port to_port",
    "protocol": "proto ip_protocol",
    "cidr": "cidr_blocks cidr_block cidr_ip source from to ip",
    "group": "security_group source_group sg",
    "group_id": "security_group_id source_security_group_id",
    "prefix_list": "prefix_list_id prefix_list_ids",
    "size_gb": "size volume_size gb gib",
    "device": "device_name name",
    "type": "volume_type",
    "encrypted": "encryption",
    "kms_key_id": "kms_key kms",
}
_FIELDS: dict[str, list[str]] = {}
for _field, _words in _WORDS.items():
    for _word in _words.split():
        _FIELDS.setdefault(_word, []).append(_field)


def field_meant(word: str, fields: Collection[str]) -> str | None:
    """The field among `fields` that something else calls by a word, in any spelling; None: no such."""
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", word).replace("-", "_").lower()
    return next((field for field in _FIELDS.get(plain, ()) if field in fields), None)
