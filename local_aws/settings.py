"""What can be switched on in the local AWS. Everything is off, and every delay zero, by default.

Plain values: they travel as JSON between a test (or the command line) and the server process.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from local_aws.errors import LocalAwsError

RuleKind = Literal["error", "delay", "drop_request", "drop_reply"]

# The services that talk in JSON, and not in forms and XML.
OF_JSON = ("ssm", "pricing", "servicequotas", "tagging")


@dataclass(frozen=True)
class Rule:
    """One fault for the calls that it matches; use the constructors below rather than this.

    `operation` is `RunInstances`, `ec2:RunInstances`, `iam:*` or `*`. Of the matching calls (counted from
    1 since the faults were set) the rule takes those whose number is in `nth`, or all if `nth` is empty; of
    these, the share `share`, decided by the seed, the operation and the number; and at most `times` in all.
    """

    kind: RuleKind
    operation: str = "*"
    nth: tuple[int, ...] = ()
    share: float = 1.0
    times: int | None = None
    code: str = "InternalError"
    message: str = "An internal error has occurred"
    status: int = 500
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise LocalAwsError(f"the share of calls {self.share} is not between 0 and 1")
        if not 0 <= self.seconds < math.inf:
            raise LocalAwsError(f"{self.seconds} seconds are no time that a call can take")
        if self.kind not in ("error", "delay", "drop_request", "drop_reply"):
            raise LocalAwsError(f"no such kind of fault: {self.kind}")


@dataclass(frozen=True)
class Capacity:
    """At most `count` live instances of `instance_type` fit into `zone` (`*`: of any, in each of any).

    `market` is `spot` or `on-demand` for room that only those have; with `*` both share it.
    """

    count: int
    instance_type: str = "*"
    zone: str = "*"
    market: str = "*"

    def __post_init__(self) -> None:
        if self.market not in ("*", "spot", "on-demand"):
            raise LocalAwsError(f"no such market: {self.market}", "say spot or on-demand")


@dataclass(frozen=True)
class Quota:
    """At most `vcpus` run in a region on a market, `spot` or `on-demand`, in all families together.

    `families` are the beginnings of the types that the quota is for, such as `("g", "vt")`; none: all types.
    """

    vcpus: int
    market: str = "on-demand"
    families: tuple[str, ...] = ()


def _option(default: Any, help_text: str) -> Any:
    return field(default=default, metadata={"help": help_text})


@dataclass(frozen=True)
class Conditions:
    """What Switches and Faults have in common. Seconds unless the name ends in `_ms`; shares from 0 to 1."""

    latency_ms: float = _option(0.0, "Milliseconds that every call takes at least.")
    throttle: bool = _option(False, "Enforce the request rates that AWS publishes for EC2, and some for IAM.")
    enforce_iam: bool = _option(
        False, "Authorise each call by the policies of the user or role whose keys sign it."
    )
    propagation_s: float = _option(
        0.0, "Seconds until EC2 knows a new instance profile, or its new role, and a trust policy a new role."
    )
    lag_s: float = _option(0.0, "Seconds until EC2's describe calls show what was written.")
    iam_lag_s: float = _option(0.0, "Seconds until IAM's get and list calls show what was written.")
    iam_page: int = _option(
        0,
        "Items that a page of profiles or account details of IAM has at most; 0: as many as asked for.",
    )
    tag_index_lag_s: float = _option(
        0.0, "Seconds until the tagging API shows the tags of instance profiles as they were written."
    )
    boot_s: float = _option(0.0, "Seconds that an instance stays pending.")
    boot_failure_share: float = _option(0.0, "Share of new instances that terminate instead of running.")
    status_s: float = _option(0.0, "Seconds that status checks stay initializing after a start.")
    impaired_share: float = _option(0.0, "Share of new instances whose status checks fail.")
    user_data_s: float = _option(0.0, "Seconds that user data takes, at the first boot of an instance.")
    user_data_failure_share: float = _option(0.0, "Share of new instances whose user data fails.")
    stop_s: float = _option(0.0, "Seconds that an instance stays stopping.")
    terminate_s: float = _option(0.0, "Seconds that an instance stays shutting-down.")
    associate_s: float = _option(0.0, "Seconds that an association stays associating or disassociating.")
    modify_s: float = _option(0.0, "Seconds that a modification of a volume is modifying.")
    optimize_s: float = _option(0.0, "Seconds that it is optimizing then, until it is completed.")
    modification_failure_share: float = _option(0.0, "Share of modifications of volumes that fail.")
    terminated_visible_s: float = _option(3600.0, "Seconds that a terminated instance is still shown.")
    error_share: float = _option(0.0, "Share of calls that are answered with HTTP 500 or 503.")
    drop_request_share: float = _option(
        0.0, "Share of calls whose connection drops before they are executed."
    )
    drop_reply_share: float = _option(0.0, "Share of calls that are executed and whose reply is lost.")
    seed: int = _option(0, "Decides which calls a share hits.")

    def __post_init__(self) -> None:
        """Raises LocalAwsError for a share, a time or a number that there cannot be."""
        for item in fields(Conditions):
            value = getattr(self, item.name)
            option = f"--{item.name.replace('_', '-')} {value}"
            if item.name.endswith("_share") and not 0 <= value <= 1:
                raise LocalAwsError(f"{option}: a share is between 0 and 1")
            if item.name != "seed" and not 0 <= value < math.inf:
                raise LocalAwsError(f"{option}: has to be a number that is not below 0")


@dataclass(frozen=True)
class Switches(Conditions):
    """The options of `up`, one to one: each field is an option, its `metadata["help"]` the help text."""

    capacity: str = _option(
        "", "Room per type, zone and market, such as t3.micro:us-east-1a=3,t3.small:spot=0,*=100."
    )
    kms_alias: str = _option(
        "", "KMS aliases that exist, such as alias/disks,alias/logs; alias/aws/ebs does."
    )
    deny: str = _option("", "Operations refused for lack of permission, such as RunInstances,iam:Create*.")
    fault: str = _option(
        "",
        "Faults of single calls: KIND:OPERATION[#N][@SHARE], separated by commas; KIND is 500, 503, "
        "drop-request or drop-reply. RunInstances' second call and a tenth of IAM's: "
        "drop-reply:RunInstances#2,500:iam:*@0.1.",
    )

    def faults(self) -> Faults:
        """The same as faults, which a test can extend. Raises LocalAwsError for texts that say nothing."""
        return Faults(
            **{item.name: getattr(self, item.name) for item in fields(Conditions)},
            capacity=tuple(_read_capacity(text) for text in _parts(self.capacity)),
            kms_aliases=tuple(_parts(self.kms_alias)),
            rules=(*map(denied, _parts(self.deny)), *map(_read_fault, _parts(self.fault))),
        )


@dataclass(frozen=True)
class Faults(Conditions):
    """All that can be switched on: conditions, limits of capacity, quotas, and rules for single calls."""

    capacity: tuple[Capacity, ...] = ()
    quotas: tuple[Quota, ...] = ()
    rules: tuple[Rule, ...] = ()
    # Aliases of KMS keys beside that of AWS, since no key can be made here.
    kms_aliases: tuple[str, ...] = ()

    def to_json(self) -> str:
        """As text for the server."""
        return json.dumps(dataclasses.asdict(self))

    @staticmethod
    def from_json(text: str) -> Faults:
        """From what `to_json` wrote. Raises LocalAwsError for unknown names."""
        data: dict[str, Any] = json.loads(text)
        known = {item.name for item in fields(Faults)}
        unknown = sorted(set(data) - known)
        if unknown:
            raise LocalAwsError(
                f"no such switch: {', '.join(unknown)}", f"known are {', '.join(sorted(known))}"
            )
        data["capacity"] = tuple(Capacity(**item) for item in data.get("capacity", ()))
        data["quotas"] = tuple(
            Quota(**{**item, "families": tuple(item["families"])}) for item in data.get("quotas", ())
        )
        data["kms_aliases"] = tuple(data.get("kms_aliases", ()))
        data["rules"] = tuple(Rule(**{**item, "nth": tuple(item["nth"])}) for item in data.get("rules", ()))
        return Faults(**data)


def error(
    operation: str,
    code: str = "InternalError",
    message: str = "An internal error has occurred",
    *,
    status: int = 500,
    nth: int | tuple[int, ...] = (),
    share: float = 1.0,
    times: int | None = None,
) -> Rule:
    """Matching calls are not executed and answered with this AWS error (default: HTTP 500)."""
    return Rule("error", operation, _numbers(nth), share, times, code, message, status)


def unavailable(
    operation: str, *, nth: int | tuple[int, ...] = (), share: float = 1.0, times: int | None = None
) -> Rule:
    """Matching calls are not executed and answered with HTTP 503, code `Unavailable`."""
    text = "The service is unavailable. Please try again shortly."
    return Rule("error", operation, _numbers(nth), share, times, "Unavailable", text, 503)


def denied(operation: str, *, nth: int | tuple[int, ...] = (), times: int | None = None) -> Rule:
    """Matching calls are refused: with `UnauthorizedOperation` by EC2, `AccessDenied` by IAM and STS,
    `AccessDeniedException` by the others."""
    text = "You are not authorized to perform this operation."
    return Rule("error", operation, _numbers(nth), 1.0, times, "AccessDenied", text, 403)


def drop_request(
    operation: str, *, nth: int | tuple[int, ...] = (), share: float = 1.0, times: int | None = None
) -> Rule:
    """The connection drops before the call is executed."""
    return Rule("drop_request", operation, _numbers(nth), share, times)


def drop_reply(
    operation: str, *, nth: int | tuple[int, ...] = (), share: float = 1.0, times: int | None = None
) -> Rule:
    """The call is executed and the connection drops before its reply is sent."""
    return Rule("drop_reply", operation, _numbers(nth), share, times)


def delay(
    operation: str,
    seconds: float,
    *,
    nth: int | tuple[int, ...] = (),
    share: float = 1.0,
    times: int | None = None,
) -> Rule:
    """Matching calls take this many seconds longer."""
    return Rule("delay", operation, _numbers(nth), share, times, seconds=seconds)


def _numbers(nth: int | tuple[int, ...]) -> tuple[int, ...]:
    return (nth,) if isinstance(nth, int) else tuple(nth)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _read_capacity(text: str) -> Capacity:
    match = re.fullmatch(r"([^:=]+)(?::(?!(?:spot|on-demand)=)([^:=]+))?(?::(spot|on-demand))?=(\d+)", text)
    if match is None:
        raise LocalAwsError(
            f"cannot read the capacity '{text}'", "write it as t3.micro:us-east-1a=3 or :spot=3"
        )
    return Capacity(int(match[4]), match[1], match[2] or "*", match[3] or "*")


def _read_fault(text: str) -> Rule:
    match = re.fullmatch(
        r"(500|503|drop-request|drop-reply):([A-Za-z0-9:*]+)(?:#(\d+))?(?:@([0-9.]+))?", text
    )
    if match is None:
        raise LocalAwsError(f"cannot read the fault '{text}'", "write it as drop-reply:RunInstances#2")
    kind, operation = match[1], match[2]
    nth = (int(match[3]),) if match[3] else ()
    share = float(match[4]) if match[4] else 1.0
    if kind == "500":
        return error(operation, nth=nth, share=share)
    if kind == "503":
        return unavailable(operation, nth=nth, share=share)
    drop = drop_request if kind == "drop-request" else drop_reply
    return drop(operation, nth=nth, share=share)
