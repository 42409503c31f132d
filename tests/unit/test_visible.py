"""Words of a command that is shown are, to a shell, what they were."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from provisioner.aws.connect import Options
from provisioner.cli.drift import given_again
from provisioner.cli.next_steps import command
from provisioner.many.spec_file import SpecFile
from provisioner.model import Environment
from provisioner.visible import as_typed, visible

WORDS = [
    "spec.yaml",
    "a b.yaml",
    "it's.yaml",
    "a\nb.yaml",
    "a\\n\n'b'.yaml",
    "\x1b[31mred.yaml",
    "müller.yaml",
    "\u202egpj.yaml",
    "blank\u3164.yaml",
    "\x9b1m é\tx",
    "not-utf8-\udcff\udc80.yaml",
    "$(touch x)`y`\n.yaml",
    "",
]


@pytest.mark.parametrize("word", WORDS)
def test_a_shell_reads_what_was_meant(word: str, tmp_path: Path) -> None:
    typed = as_typed([word, "--local"])
    assert visible(typed) == typed
    script = f"printf '%s\\0' {typed}".encode()
    done = subprocess.run(["bash", "-c", script], capture_output=True, cwd=tmp_path, check=True)
    assert done.stdout.decode(errors="surrogateescape").split("\0")[:-1] == [word, "--local"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("--yes.yaml", "./--yes.yaml"),
        ("-", "./-"),
        ("./-a.yaml", "./-a.yaml"),
        ("a\nb.yaml", r"$'a\nb.yaml'"),
    ],
)
def test_a_path_is_no_option_and_stays_one_line(path: str, shown: str) -> None:
    options = Options(None, None, False, False)
    assert given_again(SpecFile(path), deep=False, options=options) == shown
    assert Environment("shop", "us-east-1", source=path).argument == shown
    assert command("status", SpecFile(path), options) == f"provisioner status {shown}"
