import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayescale.runs import read_plans, read_runs

COUNT = st.floats(1e7, 1e13)
RULE = "compute is 6 x params x tokens for both runs and plans"


def note(ratio, read=read_runs, **columns):
    """The note on flops that are `ratio` times 6 x params x tokens."""
    ratio = np.asarray(ratio, dtype=float)
    params, tokens = np.geomspace(1e8, 1e9, len(ratio)), np.geomspace(1e9, 1e11, len(ratio))
    frame = {"run": [f"r{row}" for row in range(len(ratio))], "params": params, "tokens": tokens}
    frame = pd.DataFrame({**frame, "flops": 6 * params * tokens * ratio, "loss": np.linspace(4, 3, len(ratio))})
    return read(frame.assign(**columns)).attrs["notes"].get("flops")


@given(COUNT, COUNT)
def test_the_third_is_filled(params, tokens):
    row = {"params": params, "tokens": tokens, "flops": 6 * params * tokens}
    for name, value in row.items():
        frame = pd.DataFrame([{other: row[other] for other in row if other != name}])
        plans = read_plans(frame)
        np.testing.assert_allclose(plans[name], value, rtol=1e-12)
        assert f"{name} was filled from" in plans.attrs["notes"]["filled"]
        assert "flops" not in plans.attrs["notes"]


def test_only_blanks_are_filled():
    frame = pd.DataFrame({"params": [1e8, None], "tokens": [1e9, 1e9], "flops": [None, 6e17], "loss": [3.0, 3.1]})
    runs = read_runs(frame)
    assert runs["params"].tolist() == [1e8, 1e8]
    assert runs["flops"].tolist() == [6e17, 6e17]
    assert runs.attrs["notes"]["filled"] == (
        "params was filled from tokens and flops in 1 of 2 rows; flops was filled from params and tokens in 1 of 2 "
        "rows by flops = 6 x params x tokens."
    )


def test_two_blanks_of_three_are_named():
    frame = pd.DataFrame({"params": [1e8, None], "tokens": [1e9, None], "flops": [6e17, 6e17], "loss": [3.0, 3.1]})
    with pytest.raises(
        ValueError, match=r"'params' and 'tokens' are blank in 1 of 2 rows \(row 2\); each row needs two of"
    ):
        read_runs(frame)


def test_flops_that_agree_need_no_note():
    assert note([1.0, 1.3, 0.8, 1.49]) is None


def test_one_note_with_rows_range_and_rule():
    text = note([1.76, 1.65, 1.46, 1.36, 1.15])
    assert "by more than 1.5x in 2 of 5 rows (r0 1.76x, r1 1.65x)" in text
    assert "from 1.15 to 1.76 over all rows, largest in r0 (the smallest model)" in text
    assert RULE in text
    assert "per device" not in text
    assert "resumed" not in text


def test_a_constant_factor_reads_as_per_device():
    text = note([8.0] * 12)
    assert "in 12 of 12 rows; the ratio is 8.00 in every row" in text
    assert "tokens (or the batch) were counted per device, here one of 8.00" in text
    assert note([8.0] * 12, read_plans) == text


def test_a_common_factor_in_few_rows_reads_as_a_resumed_counter():
    ratio = np.where(np.arange(12) % 3 == 2, 8.24, 1.03)
    text = note(ratio)
    assert "in 4 of 12 rows (r2 8.24x, r5 8.24x, r8 8.24x, r11 8.24x)" in text
    assert "4 of 12 rows are a common factor of 8.00 above the rest" in text
    assert "resumed" in text


def test_ratios_below_one_read_as_active_params():
    assert "only a part of them is active" in note([0.05, 0.06, 0.07])


def test_up_to_eight_rows_are_named():
    assert "r7 2.00x)" in note([2.0] * 8 + [1.0] * 9)
    assert "r7" not in note([2.0] * 9 + [1.0] * 9)


def test_filled_rows_are_not_compared():
    frame = pd.DataFrame({"params": [1e8, 2e8], "tokens": [1e9, 1e9], "flops": [None, 9.6e18], "loss": [3.0, 2.9]})
    assert "in 1 of 1 rows" in read_runs(frame).attrs["notes"]["flops"]
