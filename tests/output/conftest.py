"""The same program and the same local AWS as for the tests of the whole."""

from ..whole.conftest import (
    cloud,
    home,
    local_environment,
    local_folder,
    one_cloud,
    program,
    run,
    run_on_aws,
    server,
    session,
    write,
)

__all__ = [
    "cloud",
    "home",
    "local_environment",
    "local_folder",
    "one_cloud",
    "program",
    "run",
    "run_on_aws",
    "server",
    "session",
    "write",
]
