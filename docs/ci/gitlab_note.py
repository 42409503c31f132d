"""The note with the plan of a merge request on GitLab: written once, updated in place, read again to apply.

    gitlab_note.py write SPEC plan.md     in the pipeline of a merge request
    gitlab_note.py digest SPEC            after the merge: prints the digest that the note names, or nothing

https://docs.gitlab.com/api/notes/ describes the calls, and
https://docs.gitlab.com/ci/variables/predefined_variables/ the variables. NOTE_TOKEN is the project's.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

DIGEST = re.compile(r"^provisioner apply .* --expect ([0-9a-f]{40})$", re.MULTILINE)


def call(method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """What GitLab answers about something of the project."""
    address = f"{os.environ['CI_API_V4_URL']}/projects/{os.environ['CI_PROJECT_ID']}/{path}"
    headers = {"PRIVATE-TOKEN": os.environ["NOTE_TOKEN"], "Content-Type": "application/json"}
    request = Request(address, json.dumps(body).encode() if body else None, headers, method=method)
    with urlopen(request, timeout=30) as answer:
        return json.load(answer)


def our_note(merge_request: str, marker: str) -> dict[str, Any] | None:
    """The note that whoever has the token wrote about this spec."""
    me = call_user()
    page = 1
    while notes := call("GET", f"merge_requests/{merge_request}/notes?sort=asc&per_page=100&page={page}"):
        for note in notes:
            if note["author"]["id"] == me and note["body"].startswith(marker):
                found: dict[str, Any] = note
                return found
        page += 1
    return None


def call_user() -> int:
    """The id of whoever has the token."""
    headers = {"PRIVATE-TOKEN": os.environ["NOTE_TOKEN"]}
    with urlopen(Request(f"{os.environ['CI_API_V4_URL']}/user", headers=headers), timeout=30) as answer:
        return int(json.load(answer)["id"])


def write(marker: str, plan: Path) -> None:
    """Write the plan into the note of this merge request."""
    merge_request = os.environ["CI_MERGE_REQUEST_IID"]
    text = plan.read_text(encoding="utf-8") if plan.exists() else ""
    text = text or f"There is no plan: [the log]({os.environ['CI_JOB_URL']}) says why.\n"
    body = {"body": f"{marker}\n{text}"}
    note = our_note(merge_request, marker)
    notes = f"merge_requests/{merge_request}/notes"
    if note:
        call("PUT", f"{notes}/{note['id']}", body)
    else:
        call("POST", notes, body)


def digest(marker: str) -> str:
    """The digest that the note of the merge request names that this commit comes from."""
    merged = call("GET", f"repository/commits/{os.environ['CI_COMMIT_SHA']}/merge_requests")
    numbers = [request["iid"] for request in merged if request["state"] == "merged"]
    if not numbers:
        raise SystemExit("this commit comes from no merge request, so nothing of it was approved")
    note = our_note(str(numbers[0]), marker)
    found = DIGEST.findall(note["body"]) if note else []
    return found[-1] if found else ""


def main() -> None:
    command, spec, *rest = sys.argv[1:]
    marker = f"<!-- plan of {spec} -->"
    if command == "write":
        write(marker, Path(*rest))
    else:
        sys.stdout.write(digest(marker) + "\n")


if __name__ == "__main__":
    main()
