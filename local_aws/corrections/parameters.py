"""Public parameters of SSM, which AWS moves on to newer images.

Systems Manager User Guide, "Discovering public parameters in Parameter Store". moto's are those of its date.
"""

from __future__ import annotations

from moto.ssm.models import Parameter, ssm_backends

from local_aws.call import Call
from local_aws.corrections.registry import check
from local_aws.world import World


@check("ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath")
def stocked(world: World, call: Call) -> None:
    """The region has the parameters that every region has; see stock.py."""
    world.region(call.region)


def move_on(world: World, region_name: str, name: str, value: str) -> None:
    """Makes `value` the latest version of a parameter, which need not have been there."""
    versions = ssm_backends[world.account][region_name]._parameters[name]
    versions.append(
        Parameter(
            account_id=world.account,
            name=name,
            value=value,
            parameter_type="String",
            description=None,
            allowed_pattern=None,
            keyid=None,
            last_modified_date=world.clock.today(),
            version=versions[-1].version + 1 if versions else 1,
            data_type="text",
        )
    )
