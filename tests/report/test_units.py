"""How numbers are written."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayescale.report import units

CASES = {
    "count": {5.0: "5", 250: "250", 999.6: "1k", 1000: "1k", 393_000: "393k", 14.8e6: "14.8M", 7e10: "70B",
              9.996e11: "1T", 1.4e12: "1.4T", 999e12: "999T", 1e15: "1e15", 5.76e23: "5.76e23", 0: "0",
              29533901585.673: "29.5B", 0.3: "0.3", math.inf: "inf", None: "-"},
    "flop": {3.2e21: "3.2e21", 1e22: "1e22", 3.5e13: "3.5e13", 123_456: "1.23e5", 500: "500", math.inf: "inf"},
    "rate": {0.0006: "6e-4", 0.00025: "2.5e-4", 0.02: "0.02", 0: "0", 6e-5: "6e-5"},
    "number": {1.665: "1.665", 1e-5: "1e-5", 0.00012: "0.00012", 29533901585.673: "2.953e10", 12_345: "12340",
               999_999: "1e6", -0.25: "-0.25", 0: "0", 7: "7", math.inf: "inf", -math.inf: "-inf"},
    "level": {1.6649: "1.665", 0.0123456: "0.01235", 1e-5: "1e-5", 0: "0", 2950: "2.95k", 3e10: "30B", 12: "12.000"},
    "percent": {0.049: "4.9%", 0.37: "37%", 12: "1,200%", 0.9997: ">99.9%", 0.997: "99.7%", 1: "100%", 0: "0%",
                0.0002: "0.02%", 1e-7: "<0.001%", 0.0999: "10%", -0.013: "-1.3%"},
    "probability": {0.46: "0.46", 0.001: "<0.01", 0.999: ">0.99", 0: "0.00", 1: "1.00"},
    "thousands": {12_340.6: "12,340", 950: "950", 2.5e6: "2.5M", 999_990: "1M", 1.234: "1.234", 0.25: "0.25"},
    "dollars": {2.5e6: "$2.5M", 12_344: "$12,340", 2.5: "$2.50", 2: "$2", 0.0031: "$0.0031", 950: "$950", 0: "$0"},
    "nats": {0.00412: "0.0041 nats/token", 1e-5: "1e-5 nats/token"},
    "decades": {1.5849: "1.58", 0: "0.00", 0.003: "0.003", 3: "3.00"},
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_written(name):
    write = getattr(units, name)
    assert {value: write(value) for value in CASES[name]} == CASES[name]
    assert write(math.nan) == write(None) == "-"


def test_between():
    assert units.between(252e3, 627e3, units.count) == "252k-627k"
    assert units.between(1e-5, 3e-5) == "1e-5 to 3e-5"
    assert units.between(-0.5, 2.0) == "-0.500 to 2.000"
    assert units.between(math.nan, 2.0) == "-"
    assert units.between(1.66512, 1.66534) == "1.6651-1.6653", "a narrow band is not written as a point"
    assert units.between(2.0, 2.0) == "2.000-2.000"


def test_apart():
    assert units.apart([0.2134, 0.2101, 0.2166], lambda value: f"{value:.2g}") == ["0.213", "0.21", "0.217"]


WRITERS = [getattr(units, name) for name in CASES if name != "probability"]


@given(st.floats(-1e30, 1e30, allow_subnormal=False), st.sampled_from(WRITERS))
def test_no_zero_and_few_digits(value, write):
    text = write(value)
    digits = re.sub(r"e-?\d+|\D", "", text).lstrip("0")
    assert len(digits) <= 7, text
    assert value == 0 or digits, f"{value!r} is written as {text}"
