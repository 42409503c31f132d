"""The local AWS: a stand-in for EC2, IAM, STS and SSM on loopback that behaves as AWS documents it.

Light to import: moto and Flask are loaded in the server process only.
"""

from provisioner.local.client import (
    LocalAws,
    add_image,
    add_instance,
    advance,
    calls,
    clear_calls,
    control,
    count_calls,
    deprecate_image,
    get_faults,
    reclaim,
    remove_image,
    set_faults,
    set_parameter,
    set_status,
)
from provisioner.local.folder import log_file, state_dir
from provisioner.local.process import DEFAULT_PORT, down, reset, status, up
from provisioner.local.record import CallRecord
from provisioner.local.settings import (
    Capacity,
    Faults,
    Quota,
    Rule,
    Switches,
    delay,
    denied,
    drop_reply,
    drop_request,
    error,
    unavailable,
)

__all__ = [
    "DEFAULT_PORT",
    "CallRecord",
    "Capacity",
    "Faults",
    "LocalAws",
    "Quota",
    "Rule",
    "Switches",
    "add_image",
    "add_instance",
    "advance",
    "calls",
    "clear_calls",
    "control",
    "count_calls",
    "delay",
    "denied",
    "deprecate_image",
    "down",
    "drop_reply",
    "drop_request",
    "error",
    "get_faults",
    "log_file",
    "reclaim",
    "remove_image",
    "reset",
    "set_faults",
    "set_parameter",
    "set_status",
    "state_dir",
    "status",
    "unavailable",
    "up",
]
