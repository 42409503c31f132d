"""Decides, call by call, which fault strikes. Knows nothing about HTTP or moto."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatchcase

from local_aws.settings import OF_JSON, Faults, Rule


@dataclass(frozen=True)
class Verdict:
    """What happens to one call: seconds to wait first, an error instead of executing it (code, message,
    status), or a dropped connection before or after executing it."""

    wait_s: float = 0.0
    error: tuple[str, str, int] | None = None
    drop_request: bool = False
    drop_reply: bool = False


class Gate:
    """Counts calls per rule, so that the n-th call of an operation can be hit."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.set(Faults())

    def set(self, faults: Faults) -> None:
        """Replaces the faults and starts counting anew."""
        with self._lock:
            self._faults = faults
            self._rules = tuple(_general_rules(faults)) + faults.rules
            self._seen: Counter[tuple[int, str]] = Counter()
            self._hits: Counter[int] = Counter()

    def judge(self, service: str, operation: str) -> Verdict:
        """The verdict over the next call of an operation."""
        with self._lock:
            faults = self._faults
            hits = [
                rule
                for index, rule in enumerate(self._rules)
                if self._strikes(index, rule, service, operation)
            ]
        errors = [rule for rule in hits if rule.kind == "error"]
        error = None
        if errors:
            code, status = errors[0].code, errors[0].status
            if code == "AccessDenied" and service == "ec2":
                code = "UnauthorizedOperation"
            elif code == "AccessDenied" and service in OF_JSON:
                code, status = "AccessDeniedException", 400
            error = (code, errors[0].message, status)
        return Verdict(
            wait_s=faults.latency_ms / 1000 + sum(rule.seconds for rule in hits if rule.kind == "delay"),
            error=error,
            drop_request=any(rule.kind == "drop_request" for rule in hits),
            drop_reply=any(rule.kind == "drop_reply" for rule in hits),
        )

    def _strikes(self, index: int, rule: Rule, service: str, operation: str) -> bool:
        name = f"{service}:{operation}"
        if not (fnmatchcase(name, rule.operation) or fnmatchcase(operation, rule.operation)):
            return False
        # A share is decided per operation, so that the order in which threads arrive does not matter.
        key = (index, "" if rule.nth else name)
        self._seen[key] += 1
        number = self._seen[key]
        if rule.nth and number not in rule.nth:
            return False
        if rule.times is not None and self._hits[index] >= rule.times:
            return False
        if rule.share < 1 and chance(self._faults.seed, index, name, number) >= rule.share:
            return False
        self._hits[index] += 1
        return True


def _general_rules(faults: Faults) -> list[Rule]:
    rules = []
    if faults.error_share:
        half = faults.error_share / 2
        rules.append(Rule("error", share=half))
        text = "The service is unavailable. Please try again shortly."
        rules.append(Rule("error", share=half, code="Unavailable", message=text, status=503))
    if faults.drop_request_share:
        rules.append(Rule("drop_request", share=faults.drop_request_share))
    if faults.drop_reply_share:
        rules.append(Rule("drop_reply", share=faults.drop_reply_share))
    return rules


def chance(seed: int, *what: object) -> float:
    """A number from 0 up to 1 that is always the same for the same seed and things."""
    text = "|".join(map(str, (seed, *what)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64
