"""Words of other tools at the command line: what they are here."""

from __future__ import annotations

import click
import pytest

from provisioner.cli.app import cli

TOLD = {
    "delete x.yaml": "Did you mean 'destroy'?",
    "create": "Did you mean 'apply'?",
    "int": "Did you mean 'init'?",
    "deploy x.yaml": "Did you mean 'apply'?",
    "up": "Did you mean 'apply' or 'local up'?",
    "version": "Did you mean '--version'?",
    "diff x.yaml": "Did you mean 'plan'?",
    "preview x.yaml": "Did you mean 'plan'?",
    "local start": "Did you mean 'up'?",
    "plan x.yaml --yes": "plan asks nothing, so leave it out",
    "plan x.yaml -y": "plan asks nothing, so leave it out",
    "apply x.yaml --auto-approve": "Did you mean '--yes'?",
    "plan x.yaml -o x": "Did you mean '--out'?",
    "plan x.yaml --output x": "Did you mean '--out'?",
    "plan x.yaml --region us-east-1": "the spec says it, as `region:`",
    "status x.yaml --account-id 123456789012": "the spec says it, as `account_id:`",
    "aply x.yaml": "Did you mean 'apply'?",
}


@pytest.mark.parametrize("words", TOLD)
def test_what_was_meant(words: str) -> None:
    with pytest.raises(click.ClickException) as caught:
        cli.main(words.split(), prog_name="provisioner", standalone_mode=False)
    assert TOLD[words] in caught.value.format_message()
