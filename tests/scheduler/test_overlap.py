"""The overlap rules."""

import pytest

from scheduler.overlap import Decision, Overlap, decide


@pytest.mark.parametrize("policy", [policy.value for policy in Overlap])
def test_a_fire_runs_where_nothing_is_open(policy: str) -> None:
    assert decide(policy, open_runs=0) is Decision.RUN


@pytest.mark.parametrize(
    ("policy", "beside_one", "beside_two"),
    [
        ("skip", Decision.SKIP, Decision.SKIP),
        ("allow", Decision.RUN, Decision.RUN),
        ("queue", Decision.HOLD, Decision.SKIP),
        ("replace", Decision.REPLACE, Decision.REPLACE),
    ],
)
def test_a_fire_beside_open_runs(policy: str, beside_one: Decision, beside_two: Decision) -> None:
    assert (decide(policy, open_runs=1), decide(policy, open_runs=2)) == (beside_one, beside_two)


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(ValueError, match="perhaps"):
        decide("perhaps", open_runs=0)
