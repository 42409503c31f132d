"""Exactly the right members, whatever happens in between: the proofs."""

import pytest

# What these modules assert is told in full, as what tests assert is.
for _module in ("racing", "runs", "sweep", "trial", "wire", "killing"):
    pytest.register_assert_rewrite(f"{__name__}.{_module}")
