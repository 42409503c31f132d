"""The command that a document about drift tells people to type looks at the same again."""

from __future__ import annotations

import pytest

from provisioner.aws.connect import Options
from provisioner.cli.common import SpecFile
from provisioner.cli.drift import given_again


@pytest.mark.parametrize(
    ("spec", "deep", "is_local", "given"),
    [
        (SpecFile("a.yaml", None), False, False, "a.yaml"),
        (SpecFile("a.yaml", "the root"), False, False, "a.yaml --root 'the root'"),
        (SpecFile("a b.yaml", "."), True, True, "'a b.yaml' --root . --deep --local"),
    ],
)
def test_it_has_the_options_that_matter(spec: SpecFile, deep: bool, is_local: bool, given: str) -> None:
    assert given_again(spec, deep, Options(None, None, is_local, False)) == given
