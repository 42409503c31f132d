"""Talks to a running local AWS about what is not AWS: faults, the record of calls, the clock."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from local_aws.errors import LocalAwsError
from local_aws.record import CallRecord
from local_aws.settings import Faults

LOOPBACK = "127.0.0.1"
CONTROL_PATH = "/_local"
TOKEN_HEADER = "X-Provisioner-Token"  # nosec B105 # the name of a header


@dataclass(frozen=True)
class LocalAws:
    """A running local AWS. `token` is what its control interface asks for; it is in the state folder."""

    port: int
    pid: int
    token: str = field(default="", repr=False)

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


@dataclass(frozen=True)
class Authorization:
    """One thing that policies were asked about for a call: whether `principal` may do `action` on `resource`.

    `call` is a number that all those of one call have. `context`: the condition keys that had a value, as a
    text or a list of texts.
    """

    call: int
    principal: str
    operation: str
    action: str
    resource: str
    context: Mapping[str, Any]
    allowed: bool


def authorizations(local: LocalAws) -> list[Authorization]:
    """What policies were asked about since the start or the last `clear_authorizations`, oldest first."""
    return [Authorization(**item) for item in control(local, "authorizations")["authorizations"]]


def clear_authorizations(local: LocalAws) -> None:
    """Forgets what policies were asked about."""
    control(local, "authorizations/clear", {})


def advance(local: LocalAws, seconds: float) -> None:
    """Moves the local AWS's clock forward: pending instances boot, lag passes, buckets refill."""
    control(local, "advance", {"seconds": seconds})


def clock_ahead(local: LocalAws) -> float:
    """By how many seconds its clock was moved forward."""
    return float(control(local, "clock")["ahead_s"])


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


def add_image(
    local: LocalAws,
    name: str,
    owner: str = "amazon",
    architecture: str = "x86_64",
    created: datetime | None = None,
    region: str = "us-east-1",
) -> str:
    """Adds a public image of `amazon`, `self` or an account, created now unless `created` says otherwise, and
    returns its id."""
    body = {"name": name, "owner": owner, "architecture": architecture, "region": region}
    body["created"] = created.isoformat() if created else ""
    answer: dict[str, str] = control(local, "images", body)
    return answer["image_id"]


def deprecate_image(local: LocalAws, image_id: str, at: datetime, region: str = "us-east-1") -> None:
    """Sets when an image is deprecated, whosever it is, also in the past. Raises LocalAwsError if there is no
    such image."""
    control(local, "images/deprecate", {"image_id": image_id, "at": at.isoformat(), "region": region})


def remove_image(local: LocalAws, image_id: str, region: str = "us-east-1") -> None:
    """Deregisters an image, whosever it is. Raises LocalAwsError if there is no such image."""
    control(local, "images/remove", {"image_id": image_id, "region": region})


def set_parameter(local: LocalAws, name: str, value: str, region: str = "us-east-1") -> None:
    """Moves a public parameter of SSM on to a value, as AWS does when there is a newer image."""
    control(local, "parameters", {"name": name, "value": value, "region": region})


def roles_in_use(local: LocalAws, region: str = "us-east-1") -> dict[str, str]:
    """Whose credentials the running instances have: instance id and unique id of a role, which may be gone.

    AWS shows this to nobody.
    """
    answer: dict[str, dict[str, str]] = control(local, "credentials", {"region": region})
    return answer["roles"]


def set_status(local: LocalAws, instance_id: str, status: str) -> None:
    """Makes both status checks of a running instance fail (`impaired`) or pass (`ok`), from now until it is
    stopped. Raises LocalAwsError if there is no such instance or status, or it is not running."""
    control(local, "status", {"instance_id": instance_id, "status": status})


def end_user_data(local: LocalAws, instance_id: str, result: str) -> None:
    """Says how the user data of an instance ends: it has `finished` or `failed` by now, or it `hangs`.

    Raises LocalAwsError if there is no such instance or result.
    """
    control(local, "user-data", {"instance_id": instance_id, "result": result})


def reclaim(local: LocalAws, instance_ids: Iterable[str]) -> None:
    """Takes Spot Instances back as AWS does: they terminate. Raises LocalAwsError, and takes none, if one of
    them is not there, not Spot or terminated."""
    control(local, "reclaim", {"instance_ids": list(instance_ids)})


def control(local: LocalAws, path: str, body: Any = None, timeout: float = 30.0) -> Any:
    """One request to the control interface, as JSON both ways: a GET, or a POST if there is a body.

    Raises LocalAwsError if the local AWS does not answer or refuses.
    """
    # Imported here, because every command imports this module, and this takes longer than all of it.
    import urllib.error
    import urllib.request

    request = urllib.request.Request(
        f"{local.endpoint_url}{CONTROL_PATH}/{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json", TOKEN_HEADER: local.token},
    )
    try:
        no_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with no_proxy.open(request, timeout=timeout) as reply:
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
