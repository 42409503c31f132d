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

    def check(self) -> None:
        """Raises UsageError for what these cannot mean."""
        from provisioner.cli.common import check_regions

        check_regions("--region", self.named)
        check_regions("--skip-region", self._left_out)
        if self.every and self.named:
            raise UsageError("--all-regions is every region, so it does not go with --region")
        if self._left_out and not self.every:
            raise UsageError("--skip-region goes with --all-regions")

    def connect(self, options: Options) -> tuple[Aws, list[str]]:
        """A reading connection, and the names of the regions. Raises UsageError and AwsError."""
        from provisioner.cli.common import connect_in

        self.check()
        own = next((os.environ[name] for name in _VARIABLES if os.environ.get(name)), "")
        regions = self.named or ([own] if own else [])
        if not regions and not self.every:
            raise UsageError("which region is meant?", "say --region REGION, or --all-regions")
        aws = connect_in(regions[0] if regions else _FIRST, options)
        return aws, self.meant(aws, regions)

    def meant(self, aws: Aws, of_specs: Iterable[str]) -> list[str]:
        """The names of the regions in an account; those of the specs where nothing names others.

        Raises AwsError.
        """
        if not self.every:
            return list(dict.fromkeys(self.named or of_specs))
        from provisioner.account.contents import switched_on

        return [region for region in switched_on(aws) if region not in self._left_out]

    @property
    def _left_out(self) -> list[str]:
        return [region.strip() for region in self.skipped.split(",") if region.strip()]
