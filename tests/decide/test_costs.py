"""What compute costs: hand-computed prices, the table of accelerators, and the message for each mistake."""

from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bayescale
from bayescale import CostModel, accelerators, read_costs
from bayescale.laws.formulas import inference

SETTINGS = settings(max_examples=100, derandomize=True, deadline=None)
FULL = {
    "accelerator": "H100-SXM",
    "usd_per_gpu_hour": 2.5,
    "mfu": 0.4,
    "mfu_prefill": 0.5,
    "mfu_decode": 0.01,
    "inference_accelerator": "L40S",
    "inference_usd_per_gpu_hour": 1.25,
    "usd_per_unique_token": 1e-6,
    "accelerators": 1024,
    "tokens_per_accelerator": 2048,
}
NAMES = ("accelerator", "inference_accelerator")
PRICES = ("usd_per_flop", "usd_per_prefill_flop", "usd_per_decode_flop")
HOURS = ("gpu_hours_per_flop", "gpu_hours_per_prefill_flop", "gpu_hours_per_decode_flop")


def test_the_table():
    table = accelerators()
    assert table.index.name == "name" and table.index.is_unique
    assert len({name.casefold() for name in table.index}) == len(table) >= 15
    assert list(table.columns) == ["peak_flops", "memory_bytes", "source", "note"]
    assert table["peak_flops"].between(1e14, 1e16).all() and table["memory_bytes"].between(1e10, 1e12).all()
    assert (table[["source", "note"]].map(len) > 0).all(axis=None)
    assert table.loc[["V100-SXM-16GB", "V100-SXM-32GB"], "note"].str.contains("no bf16").all()


@pytest.mark.parametrize(
    ("name", "peak_flops", "memory_bytes"),
    [
        ("A100-40GB", 312e12, 40e9),
        ("A100-80GB", 312e12, 80e9),
        ("H100-SXM", 989.4e12, 80e9),
        ("H100-PCIe", 756e12, 80e9),
        ("H200", 989.4e12, 141e9),
        ("B200", 2.25e15, 180e9),
        ("TPU-v4", 275e12, 32 * 2**30),
        ("TPU-v5e", 197e12, 16e9),
        ("TPU-v5p", 459e12, 95e9),
        ("TPU-v6e", 918e12, 32e9),
        ("MI300X", 1307.4e12, 192 * 2**30),
        ("Trainium2", 667e12, 96 * 2**30),
        ("H800-SXM", 989.4e12, 80e9),
        ("H20", 148e12, 96e9),
    ],
)
def test_peaks_are_dense(name, peak_flops, memory_bytes):
    cost = CostModel(accelerator=name)
    assert (cost.peak_flops, cost.memory_bytes) == (peak_flops, memory_bytes)


def test_the_table_is_a_copy():
    table = accelerators()
    table.loc["H200", "peak_flops"] = 1.0
    assert accelerators().loc["H200", "peak_flops"] == 989.4e12


def test_prices_by_hand():
    cost = CostModel(**FULL)
    assert cost.gpu_hours_per_flop == pytest.approx(1 / (3600 * 989.4e12 * 0.4))
    assert cost.gpu_hours_per_prefill_flop == pytest.approx(1 / (3600 * 362.05e12 * 0.5))
    assert cost.gpu_hours_per_decode_flop == pytest.approx(1 / (3600 * 362.05e12 * 0.01))
    for price, hours, usd in zip(PRICES, HOURS, (2.5, 1.25, 1.25), strict=True):
        assert getattr(cost, price) == pytest.approx(usd * getattr(cost, hours))


def test_dollars_of_a_life_as_the_law_has_them():
    """`laws.inference.cost_usd` takes prices at the peak and utilisations separately."""
    cost, size = CostModel(**FULL), {"tokens": 1.4e11, "tokens_in": 3e12, "tokens_out": 1e12}
    wanted = inference.cost_usd(
        7e9,
        **size,
        usd_per_flop_train=2.5 / (3600 * 989.4e12),
        usd_per_flop_inference=1.25 / (3600 * 362.05e12),
        mfu_train=0.4,
        mfu_prefill=0.5,
        mfu_decode=0.01,
    )
    reading = 2 * 7e9 * size["tokens_in"] * cost.usd_per_prefill_flop
    writing = 2 * 7e9 * size["tokens_out"] * cost.usd_per_decode_flop
    assert 6 * 7e9 * size["tokens"] * cost.usd_per_flop + reading + writing == pytest.approx(wanted)


def test_inference_is_as_training_where_nothing_is_said():
    cost = CostModel(accelerator="H200", usd_per_gpu_hour=3, mfu=0.4, mfu_prefill=0.4, mfu_decode=0.01)
    assert cost.usd_per_prefill_flop == cost.usd_per_flop
    assert cost.usd_per_decode_flop == pytest.approx(40 * cost.usd_per_flop)
    assert cost.inference_peak_flops is None


@SETTINGS
@given(st.floats(1e9, 1e18), st.floats(1e-3, 1e3), st.floats(1e-4, 1), st.floats(1.01, 100))
def test_a_price_scales_as_its_parts(peak_flops, usd, mfu, factor):
    cost = CostModel(peak_flops=peak_flops, usd_per_gpu_hour=usd, mfu=mfu)
    assert cost.usd_per_flop == pytest.approx(usd * cost.gpu_hours_per_flop)
    assert cost.changed({"usd_per_gpu_hour": usd * factor}).usd_per_flop == pytest.approx(cost.usd_per_flop * factor)
    assert cost.changed({"mfu": mfu / factor}).usd_per_flop == pytest.approx(cost.usd_per_flop * factor)
    assert cost.changed({"peak_flops": peak_flops * factor}).usd_per_flop == pytest.approx(cost.usd_per_flop / factor)


def test_a_name_in_any_case_and_numbers_as_plain_ones():
    cost = CostModel(accelerator="tpu-V5P", accelerators=np.int64(8), usd_per_gpu_hour=np.float32(2))
    assert cost == CostModel(accelerator="TPU-v5p", accelerators=8, usd_per_gpu_hour=2)
    assert cost.accelerator == "TPU-v5p" and type(cost.accelerators) is int and type(cost.usd_per_gpu_hour) is float
    with pytest.raises(FrozenInstanceError):
        cost.mfu = 0.4


def test_given_numbers_stand_before_those_of_the_table():
    cost = CostModel(accelerator="H100-SXM", peak_flops=5e14)
    assert (cost.peak_flops, cost.memory_bytes) == (5e14, 80e9)


def test_another_accelerator_brings_its_own_numbers():
    cost = CostModel(**FULL, peak_flops=5e14)
    other = cost.changed({"accelerator": "b200", "mfu": None, "inference_accelerator": "H200"})
    assert (other.accelerator, other.peak_flops, other.memory_bytes) == ("B200", 2.25e15, 180e9)
    assert other.inference_peak_flops == 989.4e12
    assert (other.mfu, other.usd_per_gpu_hour) == (0.4, 2.5)
    assert cost.changed({"accelerator": "H200", "peak_flops": 4e14}).peak_flops == 4e14
    assert cost.changed({"mfu": 0.5}) == CostModel(**{**FULL, "mfu": 0.5}, peak_flops=5e14)
    assert cost.changed({}) == cost


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("h100", r"`accelerator` must be one of V100-SXM-16GB, .* Did you mean 'H100-SXM' or 'H100-PCIe'\?"),
        ("A100 80GB", r"Did you mean 'A100-80GB'\? For another, give `peak_flops` \(--peak-flops\)\."),
        ("abacus", r"Got 'abacus'\. For another"),
        ("", r"Got ''\. For another"),
        (5, r"Got 5\."),
    ],
)
def test_an_unknown_accelerator(name, message):
    with pytest.raises(ValueError, match=message):
        CostModel(accelerator=name)
    with pytest.raises(ValueError, match=r"`inference_accelerator` must be one of .* give `inference_peak_flops`"):
        CostModel(inference_accelerator=name)


@pytest.mark.parametrize("name", [field.name for field in fields(CostModel) if field.name not in NAMES])
@pytest.mark.parametrize("value", [0, -1, np.nan, np.inf, "2", True, [2.0], 10**400])
def test_numbers_are_positive_and_finite(name, value):
    with pytest.raises(ValueError, match=rf"`{name}` .*must be .*, e\.g\. .*Got "):
        CostModel(**{name: value})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"mfu": 40}, r"`mfu` is a share of the peak and must be in \(0, 1\], e\.g\. 0\.4\. Got 40\."),
        ({"mfu_decode": 1.01}, r"`mfu_decode` is a share"),
        (
            {"peak_flops": 989},
            r"`peak_flops` must be a finite number of FLOP/s, at least 1e\+09, e\.g\. 9\.9e14\. Got 989",
        ),
        ({"memory_bytes": 80}, r"`memory_bytes` must be a finite number of bytes, at least 1e\+06"),
        ({"accelerators": 8.0}, r"`accelerators` must be a whole number > 0, e\.g\. 1024\. Got 8\.0\."),
    ],
)
def test_numbers_in_another_unit(values, message):
    with pytest.raises(ValueError, match=message):
        CostModel(**values)
    assert CostModel(mfu=1).mfu == 1.0


def test_all_that_is_missing_is_named_at_once():
    cases = {
        "usd_per_flop": ("usd-per-gpu-hour", "accelerator", "mfu"),
        "usd_per_prefill_flop": ("usd-per-gpu-hour", "accelerator", "mfu-prefill"),
        "usd_per_decode_flop": ("usd-per-gpu-hour", "accelerator", "mfu-decode"),
        "gpu_hours_per_flop": ("accelerator", "mfu"),
        "gpu_hours_per_prefill_flop": ("accelerator", "mfu-prefill"),
        "gpu_hours_per_decode_flop": ("accelerator", "mfu-decode"),
    }
    for name, options in cases.items():
        with pytest.raises(ValueError, match="give them") as error:
            getattr(CostModel(), name)
        for option in options:
            assert f"`{option.replace('-', '_')}` (--{option})" in str(error.value)
    with pytest.raises(
        ValueError, match=r"need `accelerator` \(--accelerator\) or `peak_flops` \(--peak-flops\): give it"
    ):
        _ = CostModel(mfu=0.4).gpu_hours_per_flop
    with pytest.raises(ValueError, match=r"^The price of training needs `mfu` \(--mfu\): give it\.$"):
        _ = CostModel(accelerator="H200", usd_per_gpu_hour=2).usd_per_flop


@pytest.fixture
def write(tmp_path):
    def _write(text):
        path = tmp_path / "costs.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return _write


def test_a_file_holds_exactly_the_attributes(write):
    text = "\n".join(
        f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}" for key, value in FULL.items()
    )
    assert read_costs(write(text)) == CostModel(**FULL)
    assert read_costs(str(write("\ufeff# nothing known"))) == CostModel()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("usd_per_gpuhour = 2", r"costs\.toml': `usd_per_gpuhour` is not part of .* Did you mean 'usd_per_gpu_hour'\?"),
        ("[training]\nmfu = 0.4", r"costs\.toml': `training` is not part of a cost model, which has accelerator, "),
        ("[mfu]\nvalue = 0.4", r"costs\.toml': `mfu` is a share .* Got \{'value': 0\.4\}\."),
        ('mfu = "0.4"', r"costs\.toml': `mfu` is a share .* Got '0\.4'\."),
        ("accelerators = 8.5", r"costs\.toml': `accelerators` must be a whole number"),
        ("accelerator = 8", r"costs\.toml': `accelerator` must be one of"),
        ("accelerator = true", r"costs\.toml': `accelerator` must be one of"),
        ("mfu: 0.4", r"costs\.toml' is not TOML: "),
        ("mfu = 0.4\nmfu = 0.5", r"costs\.toml' is not TOML: "),
        (b"\xff\xfe", r"costs\.toml' cannot be read as text"),
    ],
)
def test_mistakes_in_a_file(write, text, message):
    with pytest.raises(ValueError, match=message):
        read_costs(write(text))


def test_no_file(tmp_path):
    with pytest.raises(ValueError, match=r"There is no cost file '.*none\.toml'"):
        read_costs(tmp_path / "none.toml")
    with pytest.raises(ValueError, match="There is no cost file"):
        read_costs(tmp_path)


def test_changes_by_unknown_names():
    with pytest.raises(ValueError, match=r"`mfuu` is not part of a cost model.* Did you mean 'mfu'\?"):
        CostModel().changed({"mfuu": None})


def test_public_names():
    assert {"CostModel", "accelerators", "read_costs"} <= set(bayescale.__all__)
    text = CostModel.__doc__
    assert all(field.name in text for field in fields(CostModel))
