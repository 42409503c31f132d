"""Zones, images, public parameters and instance types for regions that moto has nothing of.

Those are the regions of AWS China, AWS GovCloud (US) and the other partitions, and new ones. What they get is
that of us-east-1 under their own names: the ids of images and the list of types differ on AWS. Systems
Manager User Guide, "Calling AMI public parameters", has these parameters in every partition:
https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-public-parameters-ami.html.
"""

from __future__ import annotations

from typing import Any

from moto.core.parse import default_timestamp_parser
from moto.ec2.models.amis import Ami
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend, Zone
from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS
from moto.ssm.models import ssm_backends
from moto.utilities.utils import load_resource

MODEL = "us-east-1"
_KNOWN = frozenset(INSTANCE_TYPE_OFFERINGS["region"])
_PARAMETERS = "ssm/resources/ami-amazon-linux-latest/{}.json"
_IMAGES = "ec2/resources/latest_amis/{}.json"


def is_known(region: str) -> bool:
    """Whether moto has data of its own for a region."""
    return region in _KNOWN


def add_zones_and_types(region: str) -> None:
    """Three zones for a region that has none, and types in all zones; before moto makes its default VPC."""
    zones: list[Any] = RegionsAndZonesBackend.zones.setdefault(
        region,
        [
            Zone(region_name=region, name=region + letter, zone_id=f"{region}-az{number}")
            for number, letter in enumerate("abc", 1)
        ],
    )
    types = sorted({offer["InstanceType"] for offer in INSTANCE_TYPE_OFFERINGS["region"][MODEL]})
    places = {
        "region": [region],
        "availability-zone": [zone.name for zone in zones],
        "availability-zone-id": [zone.zone_id for zone in zones],
    }
    for kind, names in places.items():
        INSTANCE_TYPE_OFFERINGS[kind].setdefault(
            region,
            [
                {"InstanceType": name, "LocationType": kind, "Location": place}
                for place in names
                for name in types
            ],
        )


def add_images(region: str, account: str, backend: Any) -> None:
    """The images that the public parameters of Amazon Linux name, and these parameters."""
    parameters = load_resource(_PARAMETERS.format(MODEL))
    images = {image["ami_id"]: image for image in load_resource(_IMAGES.format(MODEL))}
    versions = ssm_backends[account][region]._parameters
    model = ssm_backends[account][MODEL]._parameters
    for parameter in parameters:
        name, image = parameter["Name"], images.get(parameter["Value"])
        if image is None:
            continue
        if not versions[name]:
            versions[name].append(model[name][0])
        if image["ami_id"] not in backend.amis:
            made = image.get("creation_date")
            created = default_timestamp_parser(made) if made else None
            about = {**image, "owner_alias": "amazon", "creation_date": created}
            backend.amis[image["ami_id"]] = Ami(backend, **about)
