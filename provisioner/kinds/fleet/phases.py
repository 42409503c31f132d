"""In which order the changes of one fleet are made. Those of one phase are made side by side."""

from __future__ import annotations

from enum import IntEnum


class Phase(IntEnum):
    """What comes before what: each phase waits for those before it that are in the plan."""

    # New members are launched meanwhile: nothing has to wait for room.
    CORRECT = 0
    # EC2 takes no tag that the metadata cannot show while it shows tags, nor the other way round.
    TAGS_AND_METADATA = 1
    POWER = 2
    # Those that are down take nobody away, and others' replacements wait until they are as they should be.
    RESTART_STOPPED = 3
    REPLACE = 4
    RESTART = 5
    # The protection of those that go may have to be switched off first.
    TERMINATE = 6
