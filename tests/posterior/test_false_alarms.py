"""How often the checks of a law speak on clean tables of that law: almost never if they fail a fit, rarely if they warn."""

import numpy as np
import pytest
import xarray as xr

from bayescale import load_spec
from bayescale.laws import LAWS
from bayescale.posterior.check.follow import end_slopes, follow_checks
from bayescale.posterior.check.residuals import Residuals
from bayescale.posterior.check.rows import _outlying_check

TABLES = 300


def clean(n, rng):
    """The inputs of a table of Chinchilla's law, and its residuals around a posterior that is centred on the truth."""
    params = np.exp(rng.uniform(np.log(3e7), np.log(3e9), n))
    logs = {"params": np.log(params), "tokens": np.log(params) + rng.uniform(np.log(5), np.log(200), n)}
    constants = {"E": 1.8, "A": 480 * np.exp(0.3 * rng.standard_normal((200, 1))), "alpha": 0.35}
    constants |= {"B": 2000 * np.exp(0.3 * rng.standard_normal((200, 1))), "beta": 0.366}
    truth, draws = (
        np.log(LAWS["chinchilla"].loss(*(np.exp(x) for x in logs.values()), **one))
        for one in ({**constants, "A": 480, "B": 2000}, constants)
    )
    sigma = rng.choice([0.002, 0.005, 0.01])
    away = sigma * rng.standard_t(20, n)
    decades = (max(sum(logs.values())) - sum(logs.values())) / np.log(10)
    scale = np.full(n, sigma)
    return logs, Residuals([f"r{i}" for i in range(n)], truth + away, away, scale, decades, sigma, True, draws)


@pytest.mark.slow
@pytest.mark.parametrize("n", [8, 12, 20, 40])
def test_clean_tables_hardly_ever_fail_or_warn(n):
    rng, spec = np.random.default_rng([n, 5]), load_spec("chinchilla")
    said = {"fail": 0, "explained": 0, "residual_pattern": 0, "outlying_rows": 0}
    for _ in range(TABLES):
        logs, residuals = clean(n, rng)
        tree = {"constant_data": xr.Dataset({name: ("run", np.exp(x)) for name, x in logs.items()})}
        rows = [*follow_checks(tree, spec, residuals), _outlying_check(spec, residuals)]
        for row in rows:
            if not row["passed"]:
                said["fail" if row["severity"] == "fail" else row["name"]] += 1
    assert said.pop("fail") <= 0.01 * TABLES
    assert all(count <= limit * TABLES for count, limit in zip(said.values(), (0.02, 0.03, 0.06), strict=True)), said


def test_the_end_of_a_power_law_does_not_steepen():
    rng, steep = np.random.default_rng(4), 0
    for _ in range(400):
        n, sigma = int(rng.choice([8, 12, 20, 40])), rng.choice([0.002, 0.01])
        x = np.linspace(0, rng.uniform(4, 8), n)
        y = np.log(rng.uniform(0, 2) + np.exp(-rng.uniform(0.2, 0.5) * x)) + sigma * rng.standard_t(20, n)
        before, last, chance = end_slopes(x, y)
        steep += bool(before * last > 0 and abs(last) > 1.3 * abs(before) and chance < 0.005)
    assert steep <= 8
