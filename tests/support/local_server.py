"""The one way in which tests start a local AWS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import local_aws
from local_aws import LocalAws
from local_aws.process import start


@contextmanager
def running_local_aws(folder: Path, plain: bool = False) -> Iterator[LocalAws]:
    """A local AWS with its files in a folder of its own; `plain`: moto without corrections.

    The variable that names the folder is set only while it is needed: other tests have other folders.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROVISIONER_LOCAL_DIR", str(folder))
        running = start(0, local_aws.Faults(), plain) if plain else local_aws.up(port=0)
    yield running
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROVISIONER_LOCAL_DIR", str(folder))
        assert local_aws.down()
