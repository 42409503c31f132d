"""Which regions a command is about that reads no spec."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from provisioner.errors import UsageError

if TYPE_CHECKING:
    from provisioner.aws.client import Aws
    from provisioner.aws.connect import Options

_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")
# Where the regions of an account are asked for if nothing names one: it cannot be switched off.
# https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html
_FIRST = "us-east-1"


class Where(NamedTuple):
    """The regions as the command line names them: each, all that are switched on, and those left out."""

    named: tuple[str, ...] = ()
    every: bool = False
    skipped: str = ""

    def connect(self, options: Options, of_specs: Iterable[str] = ()) -> tuple[Aws, list[str]]:
        """A reading connection, and the names of the regions. Raises UsageError and AwsError.

        `of_specs`: the regions of the specs that are given, which are meant where nothing names others.
        """
        from provisioner.cli.common import check_regions, connect_in

        skipped = [region.strip() for region in self.skipped.split(",") if region.strip()]
        check_regions("--region", self.named)
        check_regions("--skip-region", skipped)
        if self.every and self.named:
            raise UsageError("--all-regions is every region, so it does not go with --region")
        if skipped and not self.every:
            raise UsageError("--skip-region goes with --all-regions")
        own = next((os.environ[name] for name in _VARIABLES if os.environ.get(name)), "")
        regions = list(dict.fromkeys(self.named or of_specs)) or ([own] if own else [])
        if not regions and not self.every:
            raise UsageError("which region is meant?", "say --region REGION, or --all-regions")
        aws = connect_in(regions[0] if regions else _FIRST, options)
        if not self.every:
            return aws, regions
        from provisioner.account.contents import switched_on

        return aws, [region for region in switched_on(aws) if region not in skipped]
