"""The server process of the local AWS; started by `provisioner local up`."""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
from functools import cache
from pathlib import Path
from types import FrameType

from local_aws.client import LOOPBACK
from local_aws.errors import LocalAwsError
from local_aws.needs import install_command
from local_aws.settings import Faults


def main() -> int:
    """Parses the command line and serves until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m local_aws", description=__doc__)
    parser.add_argument("--host", default=LOOPBACK, help=f"refused unless {LOOPBACK}")
    parser.add_argument("--port", type=int, default=0, help="0 for any that is free")
    parser.add_argument("--pid-file", type=Path, help="where to write port and pid")
    parser.add_argument("--faults", default="{}", help="faults as JSON")
    parser.add_argument("--plain", action="store_true", help="moto without corrections, to compare")
    options = parser.parse_args()
    if options.host != LOOPBACK:
        print(f"refusing to listen on {options.host}; it is {LOOPBACK} only", file=sys.stderr)  # noqa: T201
        return 1
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "" if options.plain else "true"
    try:
        from botocore.loaders import JSONFileLoader, Loader

        # Service models of the user's own are not AWS's.
        Loader.CUSTOMER_DATA_PATH = Loader.BUILTIN_DATA_PATH
        # While it is imported moto reads the whole of EC2's three times, and makes nothing that is garbage:
        # both together were half the time that it takes to start.
        plainly = JSONFileLoader.load_file
        JSONFileLoader.load_file = cache(plainly)  # type: ignore[method-assign]
        gc.disable()
        # Imported here because moto reads its environment when it is imported.
        from local_aws.server import serve

        gc.enable()
        JSONFileLoader.load_file = plainly  # type: ignore[method-assign]
        serve(options.port, options.pid_file, Faults.from_json(options.faults), options.plain)
    except ImportError as missing:
        print(f"{missing.name} is not installed; {install_command()}", file=sys.stderr)  # noqa: T201  read by `up`
        return 1
    except LocalAwsError as problem:
        print(f"{problem.message}; {problem.hint}", file=sys.stderr)  # noqa: T201  read by `up`
        return 1
    return 0


def _stop(signum: int, frame: FrameType | None) -> None:
    # At once: there is nothing to save, and tearing down thousands of objects takes seconds.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
