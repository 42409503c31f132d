"""`python -m provisioner`."""

import os
import sys

# Python puts the working folder before its own packages. Where this package does not come from there, nothing
# else shall: somebody's `click.py` is not what is meant, nor a `pathlib.py`, which is why there is none here.
if not sys.flags.safe_path and os.path.realpath(sys.path[0]) != os.path.realpath(f"{__file__}/../.."):
    del sys.path[0]

from provisioner.cli.start import main

main()
