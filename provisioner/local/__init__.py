"""The local AWS: a stand-in for EC2, IAM, STS and SSM on loopback that behaves as AWS documents it.

Light to import: moto and Flask are loaded in the server process only.
"""

from provisioner.local.client import (
    LocalAws,
    add_instance,
    advance,
    calls,
    clear_calls,
    control,
    count_calls,
    get_faults,
    set_faults,
)
from provisioner.local.process import DEFAULT_PORT, down, log_file, reset, state_dir, status, up
from provisioner.local.record import CallRecord
from provisioner.local.settings import (
    Capacity,
    Faults,
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
    "Rule",
    "Switches",
    "add_instance",
    "advance",
    "calls",
    "clear_calls",
    "control",
    "count_calls",
    "delay",
    "denied",
    "down",
    "drop_reply",
    "drop_request",
    "error",
    "get_faults",
    "log_file",
    "reset",
    "set_faults",
    "state_dir",
    "status",
    "unavailable",
    "up",
]
