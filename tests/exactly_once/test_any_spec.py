"""Any spec to any spec: whatever was there, and whatever others did to it, afterwards it is as the spec says."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .any_spec.deeds import DEEDS
from .any_spec.environments import Spec, environments
from .any_spec.story import Deed, tell

deeds = st.lists(
    st.tuples(st.sampled_from(sorted(DEEDS)), st.integers(0, 30), st.integers(0, 30)), max_size=6
)
pairs = environments().flatmap(lambda first: st.tuples(st.just(first), environments(first)))
slowness = st.sampled_from([0.0, 0.0, 0.0, 8.0])
quickly = settings(
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@given(pairs, deeds, st.booleans(), slowness)
@settings(quickly, max_examples=100)
def test_any_spec(pair: tuple[Spec, Spec], done: Sequence[Deed], later: bool, slow: float) -> None:
    tell(pair[0], done, later, pair[1], slow)
