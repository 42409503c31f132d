"""Makes the README's pictures of a plan as a page: two tiers on the local AWS, after a few edits.

`tools/page_picture.py FOLDER` writes plan-page.png and plan-page-dark.png; chromium and its driver take them.
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import boto3

import local_aws as local

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.support.browser import open_browser  # noqa: E402  not installed, so found beside this folder

SPEC = ROOT / "specs/two-tier.yaml"
# A role that was there before.
LEGACY = (
    "instance_profiles:\n",
    "  nightly-report: {managed_policies: []}\n\ninstance_profiles:\n",
)
# What the pull request changes: a larger type goes through in waves, another key pair takes new members.
EDITS = (
    ("    count: 3\n", "    count: 6\n"),
    ("instance_type: t3.small", "instance_type: t3.medium"),
    ("size_gb: 50\n", "size_gb: 80\n"),
    ("    tenancy: default\n", "    key_name: batch\n"),
    ("Action: [s3:GetObject, s3:ListBucket]", "Action: [s3:GetObject, s3:PutObject]"),
)
WIDTH, HEIGHT = 1180, 1080


def main() -> None:
    """Make the world, plan the edited spec, and take pictures of the page."""
    pictures = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.environ["PROVISIONER_LOCAL_DIR"] = temporary
        try:
            page = _page(folder, local.up(port=0).endpoint_url)
        finally:
            local.down()
        with open_browser(folder / "profile") as browser:
            for name, scheme in (("plan-page", "light"), ("plan-page-dark", "dark")):
                browser.show(page, WIDTH, HEIGHT, scheme)
                taken = browser.command("Page.captureScreenshot", format="png")
                (pictures / f"{name}.png").write_bytes(base64.b64decode(taken["data"]))


def _page(folder: Path, endpoint: str) -> Path:
    """Apply the spec, let somebody change something by hand, and plan it again as it was edited."""
    shutil.copytree(SPEC.parent, folder / "specs")
    spec = folder / "specs/two-tier.yaml"
    text = spec.read_text()
    spec.write_text(text.replace(*LEGACY, 1))
    _run(folder, "apply", "--local", "--yes", "specs/two-tier.yaml")
    session = boto3.Session("local", "local", region_name="us-east-1")
    session.client("ec2", endpoint_url=endpoint).create_key_pair(KeyName="batch")
    iam = session.client("iam", endpoint_url=endpoint)
    iam.attach_role_policy(
        RoleName="shop-dev-nightly-batch", PolicyArn="arn:aws:iam::aws:policy/IAMFullAccess"
    )
    for before, after in EDITS:
        assert before in text, before
        text = text.replace(before, after, 1)
    spec.write_text(text)
    page = folder / "page.html"
    page.write_text(_run(folder, "plan", "--local", "--format", "html", "specs/two-tier.yaml"), "utf-8")
    return page


def _run(folder: Path, *words: str) -> str:
    command = [str(Path(sys.executable).with_name("provisioner")), *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return done.stdout


if __name__ == "__main__":
    main()
