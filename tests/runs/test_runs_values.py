import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayescale.runs import parse_number
from bayescale.runs.values import brief, clean, is_blank, one_line, parse_column


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *[("70B", 7e10), ("1.4T", 1.4e12), ("350M", 3.5e8), ("10k", 1e4), ("7g", 7e9), ("1e21", 1e21)],
        *[("2.6E9", 2.6e9), (" 1,000,000 ", 1e6), ("1,000.5", 1000.5), ("0.61 B", 6.1e8), ("-3", -3.0)],
        *[("+.5", 0.5), ("3.", 3.0), ("70b", 7e10), ("1e-400", 0.0), ("007", 7.0)],
    ],
)
def test_numbers_as_people_write_them(text, number):
    assert parse_number(text) == number


@pytest.mark.parametrize(
    ("text", "message"),
    [
        *[("70,000", "could be a decimal mark"), ("2,34", "could be a decimal mark"), ("1,5B", "decimal mark")],
        *[("", "is not a number"), ("abc", "'abc' is not a number"), ("7BB", "is not a number")],
        *[("7e9B", "is not a number"), ("1_000", "is not a number"), ("٧", "is not a number")],
        *[("nan", "is not a number"), ("inf", "is not a number"), ("1e999", "is too large")],
        *[("1e999999", "is not a number"), ("0x10", "is not a number"), ("1 000", "is not a number")],
    ],
)
def test_other_text_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_number(text)


def test_only_text_is_parsed():
    with pytest.raises(TypeError, match="Got float"):
        parse_number(7.0)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_finite_float_survives_as_text(number):
    assert parse_number(repr(number)) == number


@given(st.text(max_size=12))
def test_any_text_is_a_finite_number_or_a_value_error(text):
    try:
        assert math.isfinite(parse_number(text))
    except ValueError as error:
        assert str(error).isprintable()


def test_columns_of_mixed_cells():
    cells = [7, 7.5, "70B", "", None, np.nan, pd.NA, "n/a", "inf", "-Infinity", Decimal("2.5"), np.int64(3)]
    numbers, unparsable = parse_column(pd.Series(cells, dtype=object))
    expected = [7, 7.5, 7e10, *[np.nan] * 5, np.inf, -np.inf, 2.5, 3]
    np.testing.assert_array_equal(numbers, expected)
    assert not unparsable.any()


def test_cells_that_are_no_numbers():
    cells = [True, "abc", [1], {"a": 1}, 1j, pd.Timestamp("2024-01-01"), object(), Decimal("sNaN"), b"7"]
    numbers, unparsable = parse_column(pd.Series(cells, dtype=object))
    assert np.isnan(numbers).all()
    assert unparsable.all()


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "int8", "float16", "uint64"])
def test_numeric_columns_of_any_type(dtype):
    numbers, unparsable = parse_column(pd.Series([1, 2], dtype=dtype))
    assert numbers.dtype == float
    assert numbers.tolist() == [1, 2]
    assert not unparsable.any()


def test_masked_cells_are_blank_and_huge_integers_infinite():
    assert np.isnan(parse_column(pd.Series([1, None], dtype="Int64"))[0][1])
    assert parse_column(pd.Series([10**400], dtype=object))[0][0] == np.inf


def test_booleans_and_dates_are_no_numbers():
    for cells in (pd.Series([True, False]), pd.Series(pd.to_datetime(["2024-01-01", "2024-01-02"]))):
        assert parse_column(cells)[1].all()


@pytest.mark.parametrize("value", ["", "  ", "NaN", "N/A", "null", "None", "-", None, float("nan"), pd.NaT, pd.NA])
def test_blank(value):
    assert is_blank(value)


@pytest.mark.parametrize("value", [0, "0", "none yet", [], False])
def test_not_blank(value):
    assert not is_blank(value)


def test_values_in_messages():
    assert brief(3) == "3"
    assert brief(np.int64(-(2**63))) == "-9.22337e+18"
    assert brief(2.0) == "2"
    assert brief(10**400) == "an integer beyond 1e308"
    assert brief(True) == "'True'"
    assert brief("a\nb\x00") == "'a b?'"
    assert brief("x" * 50) == f"'{'x' * 37}...'"
    assert one_line("one  two\tthree") == "one two three"
    assert clean(" a\ud800 ") == "a?"
