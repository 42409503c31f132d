"""The command that a plan, or a document about drift, tells people to type looks at the same again."""

from __future__ import annotations

import pytest

from provisioner.aws.connect import Options
from provisioner.cli.common import SpecFile
from provisioner.cli.drift import given_again
from provisioner.cli.plan import given_again as given_to_apply


@pytest.mark.parametrize(
    ("spec", "deep", "options", "given"),
    [
        (SpecFile("a.yaml", None), False, Options(), "a.yaml"),
        (SpecFile("a.yaml", "the root"), False, Options(), "a.yaml --root 'the root'"),
        (SpecFile("a b.yaml", "."), True, Options(local=True), "'a b.yaml' --root . --deep --local"),
        (
            SpecFile("a.yaml"),
            True,
            Options("the work", "http://127.0.0.1:4566", verbose=True),
            "a.yaml --deep --profile 'the work' --endpoint-url http://127.0.0.1:4566",
        ),
    ],
)
def test_it_has_the_options_that_matter(spec: SpecFile, deep: bool, options: Options, given: str) -> None:
    assert given_again(spec, deep, options) == given
    assert given_to_apply(spec, (), False, deep, (), "", False, options) == given
