"""Makes the README's picture of a plan: fifty servers, a few things changed behind their back."""

from __future__ import annotations

import io
import os
import re
import sys
import tempfile
import threading
from pathlib import Path

import boto3
from rich.console import Console

import local_aws as local
from provisioner.apply import Executor
from provisioner.aws.client import Aws, Target, WritingAws
from provisioner.kinds import KINDS
from provisioner.model import Plan
from provisioner.observe import observe
from provisioner.plan import plan
from provisioner.render.as_text import plan_text
from provisioner.spec import load

SPEC = "specs/fifty-servers.yaml"
WIDTH = 92


def main() -> None:
    """Writes the picture to the file named on the command line."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PROVISIONER_LOCAL_DIR"] = folder
        endpoint = local.up(port=0).endpoint_url
        try:
            made = _plan_after_drift(endpoint)
        finally:
            local.down()
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, highlight=False)
    console.print("[bold]$ make plan SPEC=specs/fifty-servers.yaml LOCAL=1[/]")
    console.print(plan_text(made, WIDTH, local=True), soft_wrap=True)
    svg = console.export_svg(title="provisioner plan")
    # The fonts that rich points to would be fetched from elsewhere; any monospaced font will do.
    svg = re.sub(r"@font-face\s*\{.*?\}", "", svg, flags=re.DOTALL)
    Path(sys.argv[1]).write_text(svg.replace("Fira Code", "DejaVu Sans Mono"), encoding="utf-8")


def _plan_after_drift(endpoint: str) -> Plan:
    environment = load(SPEC, KINDS)
    aws = Aws(Target(environment.region, endpoint_url=endpoint, is_local=True))
    Executor(WritingAws.over(aws), stop=threading.Event()).execute(
        plan(observe(environment, aws, KINDS), KINDS)
    )
    session = boto3.Session("local", "local", region_name=environment.region)
    ec2 = session.client("ec2", endpoint_url=endpoint)
    iam = session.client("iam", endpoint_url=endpoint)
    reservations = ec2.describe_instances()["Reservations"]
    ids = sorted(instance["InstanceId"] for found in reservations for instance in found["Instances"])
    iam.attach_role_policy(RoleName="crunch-worker", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    ec2.create_tags(Resources=ids[:48], Tags=[{"Key": "team", "Value": "somebody"}])
    ec2.terminate_instances(InstanceIds=ids[48:])
    associations = ec2.describe_iam_instance_profile_associations()["IamInstanceProfileAssociations"]
    first = next(association for association in associations if association["InstanceId"] == ids[0])
    ec2.disassociate_iam_instance_profile(AssociationId=first["AssociationId"])
    return plan(observe(environment, aws, KINDS), KINDS)


if __name__ == "__main__":
    main()
