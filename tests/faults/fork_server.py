"""The fork server whose runs need not wait, and tell on a signal where their threads are.

`clock` in an order is port and token of the local AWS whose clock is moved by as much as the program would
pause (null: it pauses).
"""

from __future__ import annotations

import faulthandler
import threading
from pathlib import Path
from typing import Any

import provisioner.aws.client
import provisioner.kinds.fleet
from local_aws import LocalAws, advance
from provisioner.cli import change as cli_change
from tests.faults import ahead
from tests.faults.runs import TELLING
from tests.support import fork_server
from tests.support.fork_server import Order

# For other threads to get on, where the program believes that seconds have passed.
MOMENT_S = 0.005


def main() -> None:
    """Forks on order until stdin ends."""
    fork_server.warm_up()
    fork_server.serve(_become)


def _become(order: Order) -> None:
    fork_server.redirect(Path(order["folder"]))
    faulthandler.register(TELLING, file=2)
    if order["clock"]:
        _hurry(*order["clock"])
    fork_server.run_to_its_end(order["args"])


class _Moving(threading.Event):
    """Does not wait for seconds to pass, but lets them pass in the local AWS."""

    aws: LocalAws

    def wait(self, timeout: float | None = None) -> bool:
        if timeout is None or self.is_set():
            return super().wait(timeout)
        ahead.run_ahead(timeout)
        advance(self.aws, timeout)
        return super().wait(MOMENT_S)


class _Threading:
    Event = _Moving

    def __getattr__(self, name: str) -> Any:
        return getattr(threading, name)


def _hurry(port: int, token: str) -> None:
    """What the program pauses between two calls passes at once, for the local AWS and so for the program."""
    _Moving.aws = LocalAws(port, 0, token)
    for module in (cli_change, provisioner.aws.client):
        vars(module)["threading"] = _Threading()
    vars(provisioner.kinds.fleet)["datetime"] = ahead.Datetime
