"""Instances that shut themselves down at the time in their tag, as a boot hook in their user data does.

The script itself does not run here; what it does is known. It starts with each boot, reads the tag
`provisioner:expires` from the metadata, and shuts down when that is past, unless it is kept. Tags are in the
metadata while that is switched on: EC2 User Guide, "View tags for your EC2 instances using instance metadata"
(https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/work-with-tags-in-IMDS.html). What a shutdown from within
does is an attribute: "Change instance initiated shutdown behavior"
(https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_ChangingInstanceInitiatedShutdownBehavior.html).
Protection from termination does not matter then: "Change instance termination protection"
(https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_ChangingDisableAPITermination.html).
"""

from __future__ import annotations

import base64
import gzip
import zlib
from datetime import UTC, datetime

from local_aws.world import Member, Region, World

EXPIRES_TAG, KEEP_TAG = "provisioner:expires", "provisioner:keep"
# What the boot hook says of itself.
_HOOK = b"shuts this instance down at the time in its tag provisioner:expires"
_REASON = "Client.InstanceInitiatedShutdown"


def tags_in_metadata(region: Region, member: Member) -> dict[str, str]:
    """The tags that an instance can read of itself."""
    options = member.instance.metadata_options
    if options.http_endpoint != "enabled" or options.instance_metadata_tags != "enabled":
        return {}
    return dict(region.backend.tags.get(member.id, {}))


def has_hook(member: Member) -> bool:
    """Whether the user data of an instance has the boot hook, packed or not."""
    try:
        content = base64.b64decode(str(member.instance.user_data or ""))
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
    except (ValueError, OSError, EOFError, zlib.error):
        return False
    return _HOOK in content


def boot(region: Region, member: Member) -> None:
    """From now on the instance looks at its tag, if it does."""
    if has_hook(member):
        region.watching.add(member.id)


def due(world: World, region: Region) -> list[Member]:
    """The running instances whose time has come; what does not run does not look."""
    now = world.clock.today()
    ended: list[Member] = []
    for instance_id in sorted(region.watching):
        member = region.members.get(instance_id)
        if member is None or not member.is_live:
            region.watching.discard(instance_id)
        elif member.state == "running" and _is_past(tags_in_metadata(region, member), now):
            ended.append(member)
    return ended


def say_why(member: Member) -> None:
    """What EC2 shows of an instance that has shut itself down."""
    member.instance._reason = ""
    member.instance.state_reason.code = _REASON
    member.instance.state_reason.message = f"{_REASON}: Instance initiated shutdown"


def stops(member: Member) -> bool:
    """Whether a shutdown only stops it."""
    return str(member.instance.instance_initiated_shutdown_behavior or "stop") == "stop"


def _is_past(tags: dict[str, str], now: datetime) -> bool:
    if KEEP_TAG in tags:
        return False
    try:
        end = datetime.strptime(tags.get(EXPIRES_TAG, ""), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return end <= now
