"""Which files a spec may name, and that reading never waits and never reads what was not judged."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from provisioner.cli.app import cli
from provisioner.errors import SpecError
from provisioner.kinds import KINDS
from provisioner.spec import load

SECRET = "aws_secret_access_key = hunter2"
SPEC = """\
environment: test
region: us-east-1
fleets:
  web: {{count: 1, image: ami-0123456789abcdef0, instance_type: t3.micro, user_data: {{file: "{}"}}}}
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with credentials, and a repository of its own: some people keep their settings in one."""
    home = tmp_path / "home"
    (home / ".aws").mkdir(parents=True)
    (home / ".git").mkdir()
    (home / ".aws/credentials").write_text(SECRET)
    (home / ".netrc").write_text(SECRET)
    (home / "boot.sh").write_text("#!/bin/sh\n")
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.fixture
def repository(home: Path) -> Path:
    """A repository with a submodule and a worktree in it, and a file outside."""
    repository = home / "work/repository"
    for folder in (".git", "specs", "shared/policies", "submodule/specs", "worktree/specs", "deep/er/.aws"):
        (repository / folder).mkdir(parents=True)
    (repository / ".git/config").write_text(SECRET)
    (repository / "submodule/.git").write_text("gitdir: ../.git/modules/submodule\n")
    (repository / "worktree/.git").write_text("gitdir: ../.git/worktrees/worktree\n")
    for file in ("specs/boot.sh", "shared/boot.sh", "submodule/specs/boot.sh", "submodule/boot.sh"):
        (repository / file).write_text("#!/bin/sh\n")
    (repository.parent / "outside.sh").write_text(SECRET)
    return repository


def told(spec: Path, name: str, root: Path | None = None) -> str:
    """What is said of a spec that names this file; empty if it is taken."""
    spec.write_text(SPEC.format(name))
    try:
        load(str(spec), KINDS, str(root) if root else None)
    except SpecError as error:
        said = str(error)
        assert SECRET not in said
        return said.removeprefix(f"{spec}:4:92: fleets.web.user_data.file: the file {name} ")
    return ""


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("specs/s.yaml", "boot.sh"),
        ("specs/s.yaml", "../shared/boot.sh"),
        ("specs/s.yaml", "../shared/../specs/./boot.sh"),
        ("specs/s.yaml", "../submodule/boot.sh"),
        ("submodule/specs/s.yaml", "../boot.sh"),
    ],
)
def test_below_the_repository(repository: Path, spec: str, name: str) -> None:
    assert told(repository / spec, name) == ""


def test_by_its_whole_path(repository: Path) -> None:
    assert told(repository / "specs/s.yaml", str(repository / "shared/boot.sh")) == ""


@pytest.mark.parametrize(
    ("spec", "name", "root"),
    [
        ("specs/s.yaml", "/etc/shadow", ""),
        ("specs/s.yaml", "/proc/self/environ", ""),
        ("specs/s.yaml", "/proc/kmsg", ""),
        ("specs/s.yaml", "/dev/zero", ""),
        ("specs/s.yaml", "/does/not/exist", ""),
        ("specs/s.yaml", "../../outside.sh", ""),
        ("specs/s.yaml", "../../../.aws/credentials", ""),
        ("submodule/specs/s.yaml", "../../shared/boot.sh", "submodule"),
        ("worktree/specs/s.yaml", "../../shared/boot.sh", "worktree"),
    ],
)
def test_outside_of_it(repository: Path, spec: str, name: str, root: str) -> None:
    assert told(repository / spec, name) == (
        f"is outside of {repository / root}, the repository of the spec; "
        "move it there, or give a folder that holds both with --root"
    )


@pytest.mark.parametrize("name", ["../.git/config", "../.GIT/config", "../submodule/.git"])
def test_in_what_is_git_s_own(repository: Path, name: str) -> None:
    assert told(repository / "specs/s.yaml", name) == (
        "is in a folder of Git's own, which may hold credentials; use another file"
    )


@pytest.mark.parametrize(
    ("link", "to", "name"),
    [
        ("specs/link.sh", "/etc/shadow", "link.sh"),
        ("specs/link.sh", "/proc/self/environ", "link.sh"),
        ("specs/link.sh", "../../outside.sh", "link.sh"),
        ("specs/link.sh", "../../not-there.sh", "link.sh"),
        ("specs/link", "/etc", "link/shadow"),
        ("specs/link", "../..", "link/outside.sh"),
        ("link", "..", "../link/outside.sh"),
    ],
)
def test_a_link_that_leads_out_of_it(repository: Path, link: str, to: str, name: str) -> None:
    (repository / link).symlink_to(to)
    assert told(repository / "specs/s.yaml", name).startswith(f"is outside of {repository}, the repository")


def test_links_within_it_are_followed(repository: Path) -> None:
    (repository / "specs/link.sh").symlink_to("../shared/boot.sh")
    (repository / "specs/link").symlink_to("../shared")
    (repository / "specs/round").symlink_to("round")
    assert told(repository / "specs/s.yaml", "link.sh") == ""
    assert told(repository / "specs/s.yaml", "link/boot.sh") == ""
    assert told(repository / "specs/s.yaml", "round") == "cannot be read: Too many levels of symbolic links"
    (repository / "specs/git").symlink_to("../.git")
    assert "Git's own" in told(repository / "specs/s.yaml", "git/config")


def test_without_a_repository_the_folder_of_the_spec_counts(tmp_path: Path) -> None:
    (tmp_path / "specs/files").mkdir(parents=True)
    (tmp_path / "specs/files/boot.sh").touch()
    (tmp_path / "boot.sh").touch()
    assert told(tmp_path / "specs/s.yaml", "files/boot.sh") == ""
    assert told(tmp_path / "specs/s.yaml", "../boot.sh") == (
        f"is outside of {tmp_path / 'specs'}, the folder of the spec; "
        "move it there, or give a folder that holds both with --root"
    )


def test_a_root_takes_its_place(repository: Path) -> None:
    spec = repository / "specs/s.yaml"
    assert told(spec, "../../outside.sh", repository.parent) == ""
    assert told(spec, "../shared/boot.sh", repository / "specs") == (
        f"is outside of {repository / 'specs'}, the folder given with --root; "
        "move it there, or give a folder that holds both with --root"
    )
    assert "Git's own" in told(spec, "../.git/config", repository.parent)
    assert told(spec, "/proc/self/environ", Path("/")) == "is not a file on a disk; use another file"


@pytest.mark.parametrize("name", [".netrc", ".aws/credentials", "work/outside.sh"])
def test_in_the_home_folder_only_what_is_visible_beside_the_spec_counts(
    repository: Path, home: Path, name: str
) -> None:
    assert told(home / "s.yaml", "boot.sh") == ""
    assert told(home / "s.yaml", name) == (
        f"is hidden or in another folder; {home} is too large to take files from all of it; "
        "put the spec and its files into a folder of their own, or give the folder with --root"
    )
    assert told(home / "s.yaml", "work/outside.sh", home) == ""


def test_a_repository_in_the_home_folder_itself_is_none(home: Path) -> None:
    (home / "specs").mkdir()
    assert told(home / "specs/s.yaml", "../.netrc").startswith(f"is outside of {home / 'specs'}")


def test_a_home_folder_within_the_repository(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(repository / "deep/er"))
    (repository / "deep/er/.aws/credentials").write_text(SECRET)
    assert told(repository / "specs/s.yaml", "../deep/er/.aws/credentials") == (
        "is in your home folder, which may hold credentials; move it beside the spec"
    )


def test_only_regular_files(repository: Path) -> None:
    os.mkfifo(repository / "specs/pipe")
    (repository / "specs/large").write_bytes(b"#" * (1024 * 1024 + 1))
    with (repository / "specs/sparse").open("wb") as sparse:
        sparse.truncate(2**40)
    spec = repository / "specs/s.yaml"
    assert told(spec, "pipe") == "is not a regular file; write what it gives to one"
    assert told(spec, "../shared") == "is a folder, not a file"
    assert told(spec, ".") == "is a folder, not a file"
    assert told(spec, "large") == "is larger than 1024 KiB"
    assert told(spec, "sparse") == "is larger than 1024 KiB"
    assert told(spec, "boot.sh/x") == "cannot be read: Not a directory"
    assert told(spec, "x" * 300) == (
        f"{spec}:4:92: fleets.web.user_data.file: the file xxxxxxxxxxxxxxxx… (300 characters) "
        "cannot be read: File name too long"
    )


@pytest.fixture
def swapped(repository: Path) -> Iterator[Path]:
    """A folder that is now itself, and now a link out of the repository, some thousand times a second."""
    swapped, aside, link = (repository / "specs" / name for name in ("files", "aside", "link"))
    (repository.parent / "secret").mkdir()
    (repository.parent / "secret/boot.sh").write_text(SECRET)
    swapped.mkdir()
    (swapped / "boot.sh").write_text("#!/bin/sh\n")
    link.symlink_to(repository.parent / "secret")
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            swapped.rename(aside)
            link.rename(swapped)
            swapped.rename(link)
            aside.rename(swapped)

    thread = threading.Thread(target=swap)
    thread.start()
    yield swapped
    stop.set()
    thread.join()


def test_a_link_put_in_the_way_while_it_is_read(repository: Path, swapped: Path) -> None:
    spec = repository / "specs/s.yaml"
    spec.write_text(SPEC.format("files/boot.sh"))
    read = 0
    for _ in range(150):
        try:
            environment = load(str(spec), KINDS)
        except SpecError:
            continue
        read += 1
        for fleet in environment.resources.values():
            assert SECRET.encode() not in fleet.user_data  # type: ignore[attr-defined]
    assert read


def test_every_command_that_reads_a_spec_takes_a_root() -> None:
    options = {name: {param.name for param in command.params} for name, command in cli.commands.items()}
    reading = {name for name, names in options.items() if names & {"spec", "specs"}}
    assert reading >= {"validate", "plan", "apply", "destroy", "status"}
    assert {name for name, names in options.items() if "root" in names} == reading


@pytest.mark.parametrize("command", ["validate", "show", "permissions"])
def test_a_spec_outside_of_the_root_is_what_is_named(repository: Path, command: str) -> None:
    """And not what may be accepted beside it, which nobody asked for."""
    spec, root = repository / "specs/s.yaml", repository / "shared"
    spec.write_text(SPEC.format("../shared/boot.sh"))
    ran = CliRunner().invoke(cli, [command, str(spec), "--root", str(root)])
    said = f"{ran.output}{ran.exception}"
    assert f"{spec}:1:1: the file is outside of {root}, the folder given with --root; give a folder" in said
    assert "accepted-drift" not in said
    assert ran.exit_code


def test_a_root_reaches_the_reading(repository: Path) -> None:
    spec = repository / "specs/s.yaml"
    spec.write_text(SPEC.format("../../outside.sh"))
    for options, code in ([], 3), (["--root", str(repository.parent)], 0), (["--root", "/nowhere"], 2):
        ran = CliRunner().invoke(cli, ["validate", str(spec), *options])
        assert ran.exit_code == code, ran.output


# The spec itself.


def test_a_spec_by_a_link_counts_as_where_it_really_is(repository: Path, tmp_path: Path) -> None:
    (repository / "specs/s.yaml").write_text(SPEC.format("boot.sh"))
    (tmp_path / "current.yaml").symlink_to(repository / "specs/s.yaml")
    assert load(str(tmp_path / "current.yaml"), KINDS).source == str(tmp_path / "current.yaml")


@pytest.mark.parametrize(
    ("link", "to", "spec"),
    [
        ("specs/s.yaml", "../../outside.sh", "specs/s.yaml"),
        ("specs/s.yaml", "/proc/self/environ", "specs/s.yaml"),
        ("dev", "../../work", "dev/outside.sh"),
        ("submodule/specs/s.yaml", "../../specs/boot.sh", "submodule/specs/s.yaml"),
    ],
)
def test_a_link_in_a_repository_may_not_make_a_spec_of_what_is_outside(
    repository: Path, link: str, to: str, spec: str
) -> None:
    (repository / link).symlink_to(to)
    with pytest.raises(SpecError) as caught:
        load(str(repository / spec), KINDS)
    assert "is a link that leads out of the repository" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_link_out_of_it_is_taken_below_a_root(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text("environment: test\nregion: us-east-1\n")
    (repository / "s.yaml").symlink_to(tmp_path / "spec.yaml")
    assert load(str(repository / "s.yaml"), KINDS, str(tmp_path)).name == "test"


def test_a_spec_is_a_regular_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    reading, writing = os.pipe()
    not_regular = ":1:1: the file is not a regular file; write what it gives to one"
    for path, said in [
        ("pipe", not_regular),
        ("/dev/zero", not_regular),
        (f"/dev/fd/{reading}", not_regular),
        (".", ":1:1: the file is a folder, not a file"),
        (
            "-",
            ":1:1: the file does not exist; a spec is a file: write what comes from standard input to one",
        ),
    ]:
        with pytest.raises(SpecError) as caught:
            load(path, KINDS)
        assert str(caught.value) == path + said
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize("name", ["a" * 300, "a/" * 3000, "a" * 300 + "/spec.yaml"], ids=len)
def test_a_name_that_is_too_long_is_a_problem_of_the_command_line(name: str) -> None:
    with pytest.raises(SpecError, match=r"cannot be read: File name too long|does not exist"):
        load(name, KINDS)


def test_a_text_that_was_pasted_for_a_name_is_not_told(tmp_path: Path) -> None:
    """It may be a key."""
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC.format("-----BEGIN PRIVATE KEY-----\\nMC4CAQAwBQYDK2VwBCIEIA\\n"))
    with pytest.raises(SpecError) as raised:
        load(str(spec), KINDS)
    (problem,) = raised.value.problems
    assert problem.hint == "give the name of a file"
    assert "MC4CAQAw" not in str(problem)
