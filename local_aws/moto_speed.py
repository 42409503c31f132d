"""Makes moto's lookups by id direct where moto searches everything it has, and its constants be read once.

Each of these lookups is made once or more per instance, so that a launch of 1000 instances takes time with
the square of 1000. The answers stay the same.
"""

from __future__ import annotations

import copy
from typing import Any

from moto.ec2.exceptions import InvalidInstanceIdError
from moto.ec2.models import EC2Backend
from moto.ec2.models.core import TaggedEC2Resource
from moto.iam.models import IAMBackend

from local_aws.corrections import moto_filters


def load_once() -> None:
    """Keeps moto's constants over resets; once per process."""
    _load_images_once()
    _load_managed_policies_once()


def install() -> None:
    """Replaces the slow lookups, and the matching of filters; once per process."""
    moto_filters.install()
    slow_images = EC2Backend.describe_images

    def describe_images(self: Any, *args: Any, **kwargs: Any) -> Any:
        filters = kwargs.get("filters") or {}
        if not args and set(kwargs) == {"filters"} and set(filters) == {"image-id"}:
            wanted = filters["image-id"]
            if isinstance(wanted, str):
                return [self.amis[wanted]] if wanted in self.amis else []
        return slow_images(self, *args, **kwargs)

    def get_tags(self: Any) -> list[dict[str, str]]:
        tags = self.ec2_backend.tags
        if self.id not in tags:
            return []
        return [{"resource_id": self.id, "key": key, "value": value} for key, value in tags[self.id].items()]

    def get_instance(self: Any, instance_id: str) -> Any:
        # The newest first: moto asks for the instance that it has just made.
        for reservation in reversed(self.reservations.values()):
            for instance in reversed(reservation.instances):
                if instance.id == instance_id:
                    return instance
        raise InvalidInstanceIdError(instance_id)

    EC2Backend.describe_images = describe_images
    EC2Backend.get_instance = get_instance
    TaggedEC2Resource.get_tags = get_tags


def _load_images_once() -> None:
    """Every reset would make the 1300 public images of a region anew, each with a volume and a snapshot."""
    slow_load = EC2Backend._load_amis
    loaded: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}

    def load(self: Any) -> None:
        if self.region_name not in loaded:
            slow_load(self)
            loaded[self.region_name] = (dict(self.amis), dict(self.snapshots))
            return
        images, snapshots = loaded[self.region_name]
        self.amis, self.snapshots = dict(images), dict(snapshots)
        for thing in (*images.values(), *snapshots.values()):
            thing.ec2_backend = self
        for snapshot in snapshots.values():
            snapshot.volume.ec2_backend = self  # or the first backend, and all in it, would be kept

    EC2Backend._load_amis = load


def _load_managed_policies_once() -> None:
    """The same for the 1500 managed policies of a partition."""
    slow_load = IAMBackend._init_aws_policies
    loaded: dict[str, list[Any]] = {}

    def load(self: Any) -> list[Any]:
        if self.region_name not in loaded:
            loaded[self.region_name] = slow_load(self)
        return [copy.copy(policy) for policy in loaded[self.region_name]]

    IAMBackend._init_aws_policies = load
