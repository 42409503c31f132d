"""What is explored: the settings of the quick form and of the full one, by what they are about."""

from __future__ import annotations

from tests.model_checking.explorer.world import ONE_ZONE, ONE_ZONE_TWICE, TWO_ZONES, Budget, Setting

# Equal counts stand for two who apply the same spec, different ones also for a spec that changed in between.
UP_TO_2 = [(0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
UP_TO_3 = [*UP_TO_2, (0, 3), (1, 3), (2, 3), (3, 3)]

# What happens within minutes: nothing becomes old, and no wait comes to its end.
AT_ONCE = Budget(minutes=0)
UNTOUCHED = Budget(terminations=0)
SHORT = Budget(terminations=0, shortages=1)
VANISHING = Budget(vanishes=1, minutes=0)
MORE = Budget(crashes=2, terminations=2, minutes=0)

# Each of these is in the full form, or less than one that is.
QUICK = {
    "one zone": [Setting(ONE_ZONE, (1, 1))],
    "two zones": [Setting(TWO_ZONES, (1, 1), budget=AT_ONCE)],
    "one zone with two subnets": [Setting(ONE_ZONE_TWICE, (2, 2), budget=AT_ONCE)],
    "capacity is short": [
        Setting(ONE_ZONE, (1, 2), budget=SHORT, forgets_failures=True),
        Setting(ONE_ZONE, (2, 2), budget=SHORT),
    ],
    "terminated members vanish": [Setting(ONE_ZONE, (1, 1), budget=VANISHING)],
    "lost replies": [Setting(ONE_ZONE, (1, 1), budget=Budget(lost=1))],
}

FULL = {
    "one zone": [Setting(ONE_ZONE, counts) for counts in UP_TO_3],
    "two zones": [
        *(Setting(TWO_ZONES, counts, budget=AT_ONCE) for counts in [*UP_TO_2, (2, 3), (3, 3)]),
        *(Setting(TWO_ZONES, counts, budget=UNTOUCHED) for counts in [*UP_TO_2, (1, 3), (2, 3), (3, 3)]),
    ],
    "one zone with two subnets": [
        *(Setting(ONE_ZONE_TWICE, counts, budget=AT_ONCE) for counts in UP_TO_2),
        *(Setting(ONE_ZONE_TWICE, counts, budget=UNTOUCHED) for counts in [(1, 3), (2, 3), (3, 3)]),
    ],
    "capacity is short": [
        *(Setting(ONE_ZONE, counts, budget=SHORT, forgets_failures=True) for counts in UP_TO_3),
        *(Setting(ONE_ZONE, counts, budget=Budget(shortages=1)) for counts in [(1, 1), (2, 2)]),
    ],
    "terminated members vanish": [
        *(Setting(ONE_ZONE, counts, 1, VANISHING) for counts in [(1, 2), (2, 2), (3, 3)]),
        *(Setting(ONE_ZONE, counts, budget=VANISHING) for counts in [(1, 1), (1, 2), (2, 2), (2, 3)]),
        *(Setting(TWO_ZONES, counts, 1, VANISHING) for counts in [(1, 1), (1, 2), (2, 2)]),
    ],
    "lost replies": [Setting(ONE_ZONE, counts, budget=Budget(lost=1)) for counts in [(1, 1), (1, 2), (2, 2)]],
    "more of everything": [
        *(Setting(ONE_ZONE, counts, budget=MORE) for counts in [(1, 1), (1, 2)]),
        *(Setting(ONE_ZONE, counts, budget=Budget(runs=2)) for counts in [(1, 1), (2, 2)]),
    ],
}
