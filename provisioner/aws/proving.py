"""The door through which it is asked whether calls would be done. Nothing that writes fits through it.

A dry run has `DryRun` set to true whatever was asked for, and only operations of EC2 that take it are sent:
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/CommonParameters.html. Other endpoints than AWS and the
local AWS may not know it, and do what they are asked: to those no dry run is sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from botocore import xform_name

from provisioner.aws.client import Aws
from provisioner.errors import AwsError, ProvisionerError

DRY_RUN = "DryRun"
WOULD_BE_DONE = "DryRunOperation"
_AWS = re.compile(
    r"(^|\.)(amazonaws\.com|amazonaws\.com\.cn|amazonaws\.eu|api\.aws|api\.amazonwebservices\.com\.cn"
    r"|c2s\.ic\.gov|sc2s\.sgov\.gov|cloud\.adc-e\.uk|csp\.hci\.ic\.gov)$"
)
SIMULATE, DECODE = "SimulatePrincipalPolicy", "DecodeAuthorizationMessage"


class ProvingAws(Aws):
    """AWS, for reading, and for asking whether calls would be done."""

    @staticmethod
    def over(aws: Aws) -> ProvingAws:
        """The connections of `aws`, which itself goes on to read only."""
        proving = object.__new__(ProvingAws)
        proving.__dict__.update(aws.__dict__)
        return proving

    def takes_dry_run(self, service: str, operation: str) -> bool:
        """Whether an operation is one of EC2 that can be asked for without being done."""
        if service != "ec2":
            return False
        client = self._client(service, operation)
        if xform_name(operation) not in client.meta.method_to_api_mapping:
            return False
        shape = client.meta.service_model.operation_model(operation).input_shape
        return shape is not None and DRY_RUN in shape.members

    def knows_dry_runs(self) -> bool:
        """Whether what answers for EC2 is AWS, or the local AWS."""
        host = urlsplit(self._client("ec2", "DescribeInstances").meta.endpoint_url).hostname or ""
        return bool(_AWS.search(host)) or self._check.is_of_local_aws

    def dry_run(self, service: str, operation: str, params: Mapping[str, Any]) -> None:
        """Ask EC2 whether it would do this; nothing is done. Raises AwsError, which says why it would not.

        Raises PermissionError for what cannot be asked for without being done.
        """
        if not self.takes_dry_run(service, operation) or not self.knows_dry_runs():
            raise PermissionError(f"{service} {operation} would be done; only dry runs are sent here")
        try:
            self._call(service, operation, {**params, DRY_RUN: True})
        except AwsError as error:
            if error.code != WOULD_BE_DONE:
                raise
        else:
            raise ProvisionerError(
                f"{service} {operation} was answered as if it were no dry run",
                "what answers there does not know DryRun: look at what there is now",
            )

    def simulate(
        self, principal: str, actions: Sequence[str], resource: str, context: Sequence[Mapping[str, Any]]
    ) -> list[Mapping[str, Any]]:
        """IAM's decisions over actions on one resource, by the policies of a user or a role. Raises AwsError.

        https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
        """
        params = {
            "PolicySourceArn": principal,
            "ActionNames": list(actions),
            "ResourceArns": [resource],
            "ContextEntries": list(context),
        }
        return list(
            self._pages(partial(self._call, "iam", SIMULATE), "iam", SIMULATE, "EvaluationResults", params)
        )

    def decode(self, encoded: str) -> Mapping[str, Any]:
        """What a refusal of EC2 says, as an answer with JSON in it. Raises AwsError."""
        return self._call("sts", DECODE, {"EncodedMessage": encoded})
