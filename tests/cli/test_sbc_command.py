"""`bayescale sbc`: the answer first, the table and the picture, and exit 1 if ranks are not uniform."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayescale import load_spec
from bayescale.calibrate import sbc as module

NAMES = ["T", "log_slope", "log_likelihood"]


def ranked(power, n=60):
    """What `sbc` returns, made without a fit: uniform shares, to a power."""
    rng = np.random.default_rng(sum(map(ord, "shares")))
    shares = {name: ("replication", (rng.permutation(n) + 0.5) / n) for name in NAMES}
    fits = {
        "passed": np.arange(n) > 2,
        "fault": np.where(np.arange(n) == 0, "an infinite loss", ""),
        "plausible": np.arange(n) > 5,
    }
    tree = xr.DataTree.from_dict(
        {"prior_sbc": xr.Dataset(shares) ** power, "fits": xr.Dataset({k: ("replication", v) for k, v in fits.items()})}
    )
    tree.attrs |= {"runs": 8, "random_seed": 1}
    return tree


@pytest.fixture
def asked(monkeypatch):
    """The arguments with which the command calls `sbc`; it gets uniform ranks, or those of `power`."""
    found = {"power": 1.0}

    def sbc(spec, **options):
        found.update(spec=spec, **options)
        return ranked(found["power"])

    monkeypatch.setattr(module, "sbc", sbc)
    return found


def test_the_answer_comes_first(asked, run, tmp_path):
    out, plot = tmp_path / "ranks.csv", tmp_path / "ranks.png"
    code, text, _ = run("sbc", "--model", "transfer", "--runs", 9, "--replications", 60, "--out", out, "--plot", plot)
    assert code == 0 and text.startswith("Ranks of all 3 quantities are uniform")
    assert (
        "2 fits were not accepted" in text and "1 table was refused" in text and "10% of the simulated tables" in text
    )
    assert asked["spec"].text == load_spec("transfer").text and asked["runs"] == 9 and asked["replications"] == 60
    assert list(pd.read_csv(out)["quantity"]) == NAMES and plot.stat().st_size > 10_000


def test_ranks_that_are_not_uniform_exit_with_1(asked, run, document):
    asked["power"] = 2.0
    code, text, _ = run("sbc", "--model", "bnsl", "--option", "breaks=2")
    assert code == 1 and text.startswith("Ranks are not uniform for T, log_slope, log_likelihood")
    assert asked["spec"].options["breaks"] == 2
    code, text, _ = run("sbc", "--json")
    assert code == 1 and document(text)["uniform"] is False


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--model", "no-such"], "no-such"),
        (["--plot", "ranks.gif"], "must end in .png"),
        (["--option", "breaks=2"], "breaks"),
    ],
)
def test_mistakes_exit_with_2(asked, run, words, says):
    code, _, err = run("sbc", *words)
    assert code == 2 and says in err and "spec" not in asked
