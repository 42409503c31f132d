"""A plan that is not the approved one is refused, with what may be the reason."""

from __future__ import annotations

import pytest
from rich.console import Console

from provisioner.cli.expect import Approved
from provisioner.errors import Refused
from provisioner.model import Action, Address, Change, Plan

CHANGE = Change(Address("role", "x"), Action.CREATE, "")
TO_DESTROY = "or is it the digest of a plan to destroy? then give it to `destroy`"
TO_APPLY = "or is it the digest of a plan to apply? then give it to `apply`"


@pytest.mark.parametrize("changes", [(), (CHANGE,)], ids=["nothing to do", "something to do"])
@pytest.mark.parametrize(("is_to_destroy", "hint"), [(False, TO_DESTROY), (True, TO_APPLY)])
def test_a_digest_may_be_meant_for_the_other_command(
    is_to_destroy: bool, hint: str, changes: tuple[Change, ...]
) -> None:
    plan = Plan("dev", "us-east-1", "123456789012", changes, destroy=is_to_destroy)
    with pytest.raises(Refused) as error:
        Approved("0" * 40).require(plan, Console(quiet=True))
    assert hint in (error.value.hint or "")
    assert ("nothing to do any more" in (error.value.hint or "")) is (not changes)
