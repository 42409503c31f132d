"""What EC2 calls its quotas of running instances, and what to say when they or the room are used up.

https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from provisioner.errors import AwsError
from provisioner.kinds.fleet.call_rules import INSTANCE_QUOTA_CODES
from provisioner.kinds.fleet.spec import SPOT, CapacityOption

STANDARD = "Standard (A, C, D, H, I, M, R, T, Z)"
# The families with quotas of their own, by the letters that their types begin with. All others are standard.
_FAMILIES = {
    "dl": "DL",
    "f": "F",
    "g": "G and VT",
    "gr": "G and VT",
    "hpc": "HPC",
    "inf": "Inf",
    "p": "P",
    "trn": "Trn",
    "u": "High Memory",
    "vt": "G and VT",
    "x": "X",
}


def quota_of(option: CapacityOption) -> str:
    """The name of the quota that a type on a market counts against, as Service Quotas shows it."""
    letters = re.match(r"[a-z]*", option.type)
    family = _FAMILIES.get(letters.group() if letters else "", STANDARD)
    is_spot = option.market == SPOT
    return f"All {family} Spot Instance Requests" if is_spot else f"Running On-Demand {family} instances"


def what_was_said(refused: Mapping[CapacityOption, AwsError]) -> str:
    """Why each choice was refused, in EC2's words; said once where it is the same for all."""
    texts = {option: error.text.rstrip(".") for option, error in refused.items()}
    if len(set(texts.values())) == 1:
        return f"EC2 said: {next(iter(texts.values()))}"
    same: dict[tuple[str, str], list[str]] = {}
    for option, text in texts.items():
        same.setdefault((text, refused[option].code), []).append(str(option))
    each = (f"{', '.join(options)}: {text} ({code})" for (text, code), options in same.items())
    return f"EC2 said of {'; of '.join(each)}"


def way_out(refused: Mapping[CapacityOption, AwsError], later: str) -> str:
    """What to do; `later` is what helps against a lack of room."""
    short = [option for option, error in refused.items() if error.code in INSTANCE_QUOTA_CODES]
    if not short:
        return later
    return _raise_quotas(short) if len(short) == len(refused) else f"{_raise_quotas(short)}; {later}"


def _raise_quotas(capacity_options: Iterable[CapacityOption]) -> str:
    names = dict.fromkeys(map(quota_of, capacity_options))
    what = "this is a quota of the account" if len(names) == 1 else "these are quotas of the account"
    quoted = " and ".join(f'"{name}"' for name in names)
    where = "in Service Quotas (Amazon EC2)"
    return f"{what}, for all zones: ask for more of {quoted} {where}, or ask for less here"
