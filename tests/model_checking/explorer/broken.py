"""The protocol, broken on purpose; what finds nothing here proves nothing there."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from itertools import chain

from provisioner.kinds.fleet.observed import ObservedFleet
from provisioner.model import Call, Environment, Plan
from tests.model_checking.explorer.applier import Protocol, Run, real_plan
from tests.model_checking.explorer.cloud import FACTS, Answer


def _random(call: Call, who: str, _: Run) -> Call:
    """A token that is drawn for every launch, as one is by those that derive it from nothing."""
    return _renamed(call, f"{_digest(who)[:8]}-{_digest(who)[8:16]}-0")


def _with_count(call: Call, _: str, __: Run) -> Call:
    """Two who ask for different numbers have different tokens."""
    *_, epoch, choice, number = call.params["ClientToken"].split("-")
    return _renamed(call, f"{epoch}-{_digest(choice, str(call.params['MaxCount']))[:8]}-{number}")


def _with_ids(call: Call, _: str, run: Run) -> Call:
    """The members that are visible in the zone in place of the launch's number."""
    zone = call.params["Placement"]["AvailabilityZone"]
    visible = {sight.id for sight in (*(run.shown or ()), *chain(*(launch.ids for launch in run.earlier)))}
    ids = sorted(name for name in visible if FACTS[name][0].zone == zone)
    salt = call.params["ClientToken"].rsplit("-", 1)[1]
    named = _digest(zone, call.params["SubnetId"], *ids)
    return _renamed(call, f"{named[:8]}-{named[8:16]}-{salt}")


def _renamed(call: Call, name: str) -> Call:
    """The launch with another token, which still says whose it is in place of its epoch, choice and number.

    The replay of one that has it already stays as it is; it is no launch of t3.micro without a profile.
    """
    real = f"([0-9a-f]{{20}}-[0-9a-f]{{12}})-{_digest('')[:8]}-{_digest('t3.micro')[:8]}-.*"
    ours = re.fullmatch(real, call.params["ClientToken"])
    return replace(call, params={**call.params, "ClientToken": f"{ours[1]}-{name}"}) if ours else call


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _ends_when_used_up(answer: Answer) -> Answer:
    """A used-up token is a failure like any other, and never leads to the next one."""
    return answer._replace(error="UsedUp") if answer.error == "IdempotentInstanceTerminated" else answer


def _without_partly_seen(desired: Environment, observed: ObservedFleet) -> Plan:
    return real_plan(desired, replace(observed, partly_observed=()))


RANDOM_TOKEN = Protocol("a random token", sent=_random)
COUNT_INSIDE = Protocol("the count inside the token", sent=_with_count)
NO_SALT = Protocol("no next number when a token is used up", answered=_ends_when_used_up)
NO_REPLAY = Protocol("no replay of a launch that is partly visible", plan=_without_partly_seen)

# What the numbers have replaced: not broken on purpose, and safe where each zone has one subnet, every launch
# gets what it asked for, and what is terminated stays visible.
VISIBLE_IDS = Protocol("the ids of visible members inside the token, in place of a number", sent=_with_ids)
