"""The kinds of things that a spec can ask for, in the order in which they can be made."""

from __future__ import annotations

from provisioner.kinds.attachment import AttachmentKind
from provisioner.kinds.base import Kind
from provisioner.kinds.fleet import FleetKind
from provisioner.kinds.fleet.refresh import refresh_images
from provisioner.kinds.instance_profile import InstanceProfileKind
from provisioner.kinds.role import RoleKind

__all__ = ["KINDS", "refresh_images"]

KINDS: tuple[Kind, ...] = (RoleKind(), InstanceProfileKind(), FleetKind(), AttachmentKind())
