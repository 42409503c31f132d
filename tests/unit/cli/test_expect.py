"""A plan that is not the approved one is refused, with what may be the reason."""

from __future__ import annotations

import pytest
from rich.console import Console

from provisioner.cli.expect import Approved, read_expected
from provisioner.errors import Refused, UsageError
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


@pytest.mark.parametrize("written", ["{}", " {} ", "\n{}\n", "{}\r\n", "\t{}"])
@pytest.mark.parametrize("digits", ["0a" * 20, "0A" * 20])
def test_a_digest_may_have_space_around_it_and_capital_letters(written: str, digits: str) -> None:
    assert read_expected(written.format(digits)) == Approved("0a" * 20)


@pytest.mark.parametrize("text", ["", " ", "\n"])
def test_nothing_is_no_digest(text: str) -> None:
    with pytest.raises(UsageError, match="is empty"):
        read_expected(text)
