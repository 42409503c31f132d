"""Read pip-audit's JSON report from stdin, and say what it found and what it could not look up.

pip-audit ends with "No known vulnerabilities found" and 0 also where its service knows none of the packages,
as behind a mirror of PyPI that serves files only. Here that is a failure: what was not checked is not good.
https://github.com/pypa/pip-audit#usage describes the report.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def judge(report: str) -> tuple[list[str], int]:
    """The lines to print about a report, and the exit code: 0 if every package was checked and is good."""
    try:
        packages: list[dict[str, Any]] = json.loads(report)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return ["NOT CHECKED: no answer of the vulnerability service; .venv-audit/pip-audit.log says why"], 1
    checked = [package for package in packages if "vulns" in package]
    lines = [
        f"{package['name']} {package['version']}: {found['id']}, fixed in "
        + (", ".join(found.get("fix_versions", ())) or "no release yet")
        for package in checked
        for found in package["vulns"]
    ]
    unknown = [package["name"] for package in packages if "vulns" not in package]
    if not checked:
        return [f"NOT CHECKED: the vulnerability service knows none of the {len(packages)} packages"], 1
    if unknown:
        lines.append(f"NOT CHECKED: {', '.join(unknown)}")
    return lines or [f"no known vulnerability in {len(checked)} packages"], 1 if lines else 0


def main() -> int:
    """Judge what is on stdin."""
    lines, code = judge(sys.stdin.read())
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return code


if __name__ == "__main__":
    sys.exit(main())
