"""The files of a spec are on another machine: what is there is seen, moved and destroyed without them."""

from __future__ import annotations

import json

from tests.support.cloud import Cloud
from tests.support.program import Program
from tests.support.specs import PROBE, WRITE, having

MINE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJUbSMnzStCLmP8sBYExnDW33R8AhRajCmrBQpm5nsQO"
SPEC = having(
    PROBE,
    expires="8h",
    roles__worker__inline_policies={"write": {"file": "write.json"}},
    key_pairs={"me": {"file": "me.pub"}},
    fleets__worker__user_data={"file": "setup.sh"},
    fleets__worker__key_name="me",
)


def test_without_the_files_all_but_a_change_works(program: Program, cloud: Cloud) -> None:
    files = {"write.json": json.dumps(WRITE), "me.pub": MINE, "setup.sh": "#!/bin/sh\n"}
    spec = program.write(SPEC)
    for name, content in files.items():
        (spec.parent / name).write_text(content)
    assert program.apply(spec).code == 0
    with_files = program.plan(spec, "--destroy").data
    for name in files:
        (spec.parent / name).unlink()
    for command in ("plan", "apply --yes", "validate", "drift"):
        assert "the file setup.sh does not exist" in program.run(*command.split(), spec).words
    commands = ["status", "hosts", "ssh-config", "inventory", "permissions", "plan --destroy"]
    commands.append("list --region us-east-1")
    for command in commands:
        ran = program.run(*command.split(), spec)
        assert ran.code == 0, ran.words
        assert "another key" not in ran.words
    assert program.run("extend", "--yes", spec, "2h").code == 0
    assert program.plan(spec, "--destroy").data["digest"] == with_files["digest"]
    assert program.destroy(spec).code == 0
    assert (cloud.ids(), cloud.roles()) == ([], [])
