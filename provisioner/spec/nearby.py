"""Which file was meant by a name that is none, such as that of an environment, or one without its folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from provisioner.spec.files import FileProblem, files_beside, locate, read_source
from provisioner.spec.wording import Suggestions, listed

SUFFIXES = (".yaml", ".yml")
FOLDER_CONFIGURATION = "provisioner.yaml"
MAX_FOLDERS = 50
MAX_READ = 20
MAX_BYTES = 64 * 1024
MAX_NAMED = 3


def hint_about(given: str) -> str | None:
    """What to write in place of `given`, which is no file; None where nothing is like it."""
    path = Path(given)
    suggestions = Suggestions()
    if meant := suggestions.near(path.name, files_beside(path)):
        return f"did you mean {path.with_name(meant)}?"
    specs = list(_specs(path.parent))
    by_name = {name: spec for spec in reversed(specs) for name in (spec.name, spec.stem)}
    of_environment = (spec for spec in specs[:MAX_READ] if _describes(spec, path.name))
    close = suggestions.near(path.name, by_name, cutoff=0.8)
    if found := by_name.get(path.name) or next(of_environment, None) or by_name.get(close or ""):
        return f"did you mean {found}?"
    if path.suffix in SUFFIXES:
        return None
    return f"specs are files, such as {listed([str(spec) for spec in specs[:MAX_NAMED]]) or f'{given}.yaml'}"


def _specs(folder: Path) -> Iterator[Path]:
    """What may be specs, by their names, in the folder and in those right below it."""
    try:
        with os.scandir(folder) as entries:
            below = sorted(entry.name for entry in islice(entries, 1000) if entry.is_dir())
    except OSError:
        return
    visible = [name for name in below if not name.startswith(".")]
    for beside in (folder, *(folder / name for name in visible[:MAX_FOLDERS])):
        for name in files_beside(beside / "*"):
            if name.endswith(SUFFIXES) and name != FOLDER_CONFIGURATION and not name.startswith("."):
                yield beside / name


def _describes(spec: Path, environment: str) -> bool:
    """Whether a file says that it is the spec of an environment."""
    try:
        text = read_source(locate(str(spec)), MAX_BYTES)
    except FileProblem:
        return False
    pattern = rf"(?m)^environment:[ \t]*[\"']?{re.escape(environment)}[\"']?[ \t]*(#.*)?\r?$"
    return re.search(pattern.encode(), text) is not None
