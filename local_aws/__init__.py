"""The local AWS: a stand-in for EC2, IAM, STS and SSM on loopback that behaves as AWS documents it.

Light to import: moto and Flask are loaded in the server process only.
"""

from local_aws.client import (
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
    roles_in_use,
    set_faults,
    set_parameter,
    set_status,
)
from local_aws.folder import log_file, state_dir
from local_aws.process import DEFAULT_PORT, down, reset, status, up
from local_aws.record import CallRecord
from local_aws.settings import (
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
    "roles_in_use",
    "set_faults",
    "set_parameter",
    "set_status",
    "state_dir",
    "status",
    "unavailable",
    "up",
]
