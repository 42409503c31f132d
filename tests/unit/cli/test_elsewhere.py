"""What another process tells has nothing in it that only that process knows to be secret."""

from __future__ import annotations

import pytest

from provisioner import secrecy
from provisioner.cli.elsewhere import _without_secrets
from provisioner.many.outcome import Outcome, Trouble, Verdict

SECRET = "recognisable/secret+access/key0123456789"


def test_an_outcome_leaves_a_worker_without_its_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_known", "_passing", "_hidden"):
        monkeypatch.setattr(secrecy, name, getattr(secrecy, name))
    secrecy.learn_secrets(SECRET)
    told = Outcome(
        "a.yaml",
        Verdict.FAILED,
        1,
        f"words {SECRET}",
        trouble=Trouble(f"message {SECRET}", f"hint {SECRET}", None, (f"line {SECRET}",)),
        data={"result": [{"left": f"data {SECRET}"}]},
        subject=(f"It could not be read what is left of a: {SECRET}",),
    )
    shown = repr(_without_secrets(told))
    assert SECRET not in shown
    assert shown.count(secrecy.HIDDEN) == 6
