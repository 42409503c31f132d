"""Talks to a running local AWS about what is not AWS: faults, the record of calls, the clock."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from provisioner.errors import LocalAwsError
from provisioner.local.record import CallRecord
from provisioner.local.settings import Faults

LOOPBACK = "127.0.0.1"
CONTROL_PATH = "/_local"
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class LocalAws:
    """A running local AWS."""

    port: int
    pid: int

    @property
    def endpoint_url(self) -> str:
        """What to give to an AWS client as its endpoint."""
        return f"http://{LOOPBACK}:{self.port}"


def set_faults(local: LocalAws, faults: Faults) -> None:
    """Replaces all faults by these; `Faults()` switches everything off. Counting of calls starts anew."""
    control(local, "faults", json.loads(faults.to_json()))


def get_faults(local: LocalAws) -> Faults:
    """The faults that are set now."""
    return Faults.from_json(json.dumps(control(local, "faults")))


def calls(local: LocalAws, operation: str | None = None) -> list[CallRecord]:
    """The calls since the start or the last `clear_calls`, oldest first; of one operation if named."""
    records = [CallRecord(**item) for item in control(local, "calls")["calls"]]
    return [record for record in records if operation in (None, record.operation)]


def count_calls(local: LocalAws) -> Counter[str]:
    """How many calls there were of each operation, by names like `ec2:RunInstances`."""
    return Counter(f"{record.service}:{record.operation}" for record in calls(local))


def clear_calls(local: LocalAws) -> None:
    """Forgets the record of calls."""
    control(local, "calls/clear", {})


def advance(local: LocalAws, seconds: float) -> None:
    """Moves the local AWS's clock forward: pending instances boot, lag passes, buckets refill."""
    control(local, "advance", {"seconds": seconds})


def add_instance(
    local: LocalAws,
    instance_id: str = "i-0123456789abcdef0",
    tags: Mapping[str, str] | None = None,
    region: str = "us-east-1",
    instance_type: str = "t3.micro",
) -> str:
    """Starts a running instance that belongs to nobody's spec, with an id of your choice, and returns the id.

    Raises LocalAwsError if the id is taken or malformed.
    """
    body = {"instance_id": instance_id, "tags": dict(tags or {}), "region": region, "type": instance_type}
    answer: dict[str, str] = control(local, "instances", body)
    return answer["instance_id"]


def control(local: LocalAws, path: str, body: Any = None, timeout: float = 30.0) -> Any:
    """One request to the control interface, as JSON both ways: a GET, or a POST if there is a body.

    Raises LocalAwsError if the local AWS does not answer or refuses.
    """
    request = urllib.request.Request(
        f"{local.endpoint_url}{CONTROL_PATH}/{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with _NO_PROXY.open(request, timeout=timeout) as reply:
            return json.loads(reply.read())
    except urllib.error.HTTPError as refused:
        text = refused.read().decode(errors="replace")
        refused.close()
        try:
            message = json.loads(text)["message"]
        except (ValueError, KeyError, TypeError):
            message = f"HTTP {refused.code}"
        raise LocalAwsError(f"the local AWS refused: {message}") from None
    except (OSError, ValueError) as broken:
        hint = "start it with `provisioner local up`"
        raise LocalAwsError(f"no local AWS answers at {local.endpoint_url}: {broken}", hint) from None
