"""The address from which the Internet sees whoever runs this."""

from __future__ import annotations

import os
from ipaddress import ip_address
from urllib.request import Request, urlopen

from provisioner.errors import ProvisionerError
from provisioner.kinds.security_group.rules import block

# AWS's own, which answers with the address and nothing else.
ENDPOINT = "https://checkip.amazonaws.com/"
VARIABLE = "PROVISIONER_MY_IP"
TIMEOUT_S = 5.0
MAX_BYTES = 100


class MyIpUnknown(ProvisionerError):
    """Why the address is not known."""


def find_my_ip(known: str | None) -> str:
    """The address as a block: what PROVISIONER_MY_IP says, what is `known`, or else what AWS sees.

    Raises MyIpUnknown.
    """
    given = os.environ.get(VARIABLE, "").strip()
    if given:
        try:
            return _as_block(given)
        except ValueError:
            message = f"{VARIABLE} is {given[:MAX_BYTES]!r}, which is no address"
            raise MyIpUnknown(
                message, f"set it to an address such as 203.0.113.7, or unset {VARIABLE}"
            ) from None
    if known:
        return known
    hint = f"set {VARIABLE} to your address, or write it into the spec instead of my_ip"
    try:
        with urlopen(Request(ENDPOINT), timeout=TIMEOUT_S) as answer:
            text = answer.read(MAX_BYTES).decode("ascii").strip()
        return _as_block(text)
    except (OSError, ValueError) as error:
        raise MyIpUnknown(f"my_ip: {ENDPOINT} did not say which address this is: {error}", hint) from error


def _as_block(text: str) -> str:
    """One address as a block. Raises ValueError for what is none, or is one only on some interface."""
    address = ip_address(text.removesuffix("/32" if "." in text else "/128"))
    if getattr(address, "scope_id", None):
        raise ValueError(f"{address} is an address of one interface")
    return str(block(str(address)).value)
