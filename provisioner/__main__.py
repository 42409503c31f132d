"""`python -m provisioner`."""

import sys
from pathlib import Path

# Python puts the working folder before its own packages. Where this package does not come from there, nothing
# else shall: somebody's `click.py` is not what is meant.
if not sys.flags.safe_path and Path(sys.path[0]).resolve() != Path(__file__).resolve().parents[1]:
    del sys.path[0]

from provisioner.cli import main

main()
