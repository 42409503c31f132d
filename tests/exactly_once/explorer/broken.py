"""The protocol, broken on purpose; what finds nothing here proves nothing there."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from itertools import chain

from provisioner.kinds.fleet.seen import SeenFleet
from provisioner.model import Call, Environment, Plan
from tests.exactly_once.explorer.applier import Protocol, Run, real_plan
from tests.exactly_once.explorer.cloud import FACTS, Answer


def _random(call: Call, who: str, _: Run) -> Call:
    """A token that is drawn for every launch, as one is by those that derive it from nothing."""
    return _renamed(call, hashlib.sha256(who.encode()).hexdigest())


def _with_count(call: Call, _: str, __: Run) -> Call:
    """Two who ask for different numbers have different tokens."""
    place, type_, number = (call.params["ClientToken"].split("-") * 3)[:3]
    return _renamed(call, f"{place}-{type_}of{call.params['MaxCount']}-{number}")


def _with_ids(call: Call, _: str, run: Run) -> Call:
    """The members that are visible in the zone in place of the launch's number."""
    zone = call.params["Placement"]["AvailabilityZone"]
    visible = {each.id for each in (*(run.shown or ()), *chain(*(each.ids for each in run.earlier)))}
    ids = sorted(name for name in visible if FACTS[name][0].zone == zone)
    salt = call.params["ClientToken"].rsplit("-", 1)[1]
    named = "\n".join((zone, call.params["SubnetId"], *ids)).encode()
    return _renamed(call, f"by ids {hashlib.sha256(named).hexdigest()[:40]}-{salt}")


def _renamed(call: Call, name: str) -> Call:
    """The launch with another token; the replay of one that has it already stays as it is."""
    is_ours = re.fullmatch("[0-9a-f]{40}-[0-9a-f]{8}-[0-9]+", call.params["ClientToken"])
    return replace(call, params={**call.params, "ClientToken": name}) if is_ours else call


def _ends_when_used_up(answer: Answer) -> Answer:
    """A used-up token is a failure like any other, and never leads to the next one."""
    return answer._replace(error="UsedUp") if answer.error == "IdempotentInstanceTerminated" else answer


def _without_partly_seen(desired: Environment, seen: SeenFleet) -> Plan:
    return real_plan(desired, replace(seen, partly_seen=()))


RANDOM_TOKEN = Protocol("a random token", sent=_random)
COUNT_INSIDE = Protocol("the count inside the token", sent=_with_count)
NO_SALT = Protocol("no next number when a token is used up", answered=_ends_when_used_up)
NO_REPLAY = Protocol("no replay of a launch that is partly visible", plan=_without_partly_seen)

# What the numbers have replaced: not broken on purpose, and safe where each zone has one subnet, every launch
# gets what it asked for, and what is terminated stays visible.
VISIBLE_IDS = Protocol("the ids of visible members inside the token, in place of a number", sent=_with_ids)
