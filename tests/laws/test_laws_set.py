"""What holds for every law of the closed set."""

import dataclasses
import inspect
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import bayescale.laws
from bayescale.laws import LAWS
from bayescale.laws.law import Sizing, all_anchors, compute

SMALL = ("loss", "accuracy")  # inputs that are not counts


@pytest.mark.parametrize("name", LAWS)
def test_its_parts_fit_together(name):
    law = LAWS[name]
    rng = np.random.default_rng(sum(map(ord, name)))
    inputs = {key: rng.uniform(0.2, 0.9, 7) if key in SMALL else np.exp(rng.uniform(18, 25, 7)) for key in law.inputs}
    anchors = law.anchors(inputs, np.log(rng.uniform(2, 4, 7)))
    assert all(isinstance(value, float) and np.isfinite(value) for value in anchors.values())
    constants = law.constants(dict.fromkeys(law.sampled, 0.5), anchors)
    if name == "approach-1":  # its N*(C) is taken from the envelope of the draws, after sampling
        constants |= {"log_G": -2.0, "params_exponent": 0.5, "curvature": 0.04}
    assert set(law.loss_constants) <= set(constants)
    assert not set(constants) & set(law.sampled), "a constant would hide a sampled parameter in the posterior"
    loss = law.loss(**inputs, **{key: constants[key] for key in law.loss_constants})
    assert loss.shape == (7,) and np.isfinite(loss).all()
    assert law.level in law.sampled or not law.level
    assert law.name == name
    assert set(inspect.signature(law.reach).parameters) == set(law.inputs)
    assert law.sizes_models or law.sizing == Sizing(), "closed forms of a choice that the law does not make"
    assert law.gives_loss or law.profile is None or law.surface is None
    if law.surface:
        assert set(law.surface.cells) <= set(law.inputs) and set(law.surface.exponents) <= set(law.sampled)
    assert law.with_options({}).sampled == law.sampled and bool(law.options) == (law.configured is not None)
    if law.critical_batch:
        assert law.critical_batch in constants
    if law.sizing.exponents:
        alpha, beta = law.sizing.exponents(**{key: constants[key] for key in law.loss_constants})
        assert alpha > 0 and beta > 0


@pytest.mark.parametrize("name", [name for name, law in LAWS.items() if law.level and not law.surface])
def test_the_whole_loss_is_proportional_to_its_level(name):
    law = LAWS[name]
    inputs = {key: np.geomspace(1e8, 1e11, 5) for key in law.inputs}
    sampled, anchors = dict.fromkeys(law.sampled, -0.5), law.anchors(inputs)
    one, three = (law.constants({**sampled, law.level: level}, anchors) for level in (1.0, 3.0))
    losses = [law.loss(**inputs, **{key: c[key] for key in law.loss_constants}) for c in (one, three)]
    np.testing.assert_allclose(losses[1], 3 * losses[0], rtol=1e-12)


def test_laws_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        LAWS["power"].name = "other"


def test_compute():
    assert compute(70e9, 1.4e12) == pytest.approx(5.88e23)


def test_reach_of_the_runs():
    inputs = {"params": np.array([1e8, 1e9]), "tokens": np.array([5e11, 2e10])}
    anchors = all_anchors(LAWS["chinchilla"], inputs)
    assert anchors["log_reach_max"] == pytest.approx(np.log(6 * 1e8 * 5e11))
    assert set(anchors) == {"log_params_mean", "log_tokens_mean", "log_reach_max"}
    assert all_anchors(LAWS["power"], {"x": np.array([2.0, 8.0])})["log_reach_max"] == pytest.approx(np.log(8))


def test_no_two_laws_share_a_name():
    folder = Path(bayescale.laws.__file__).parent
    modules = [
        import_module(f"bayescale.laws.{path.stem}")
        for path in folder.glob("*.py")
        if path.stem not in ("__init__", "known")
    ]
    assert sum(len(getattr(module, "LAWS", ())) for module in modules) == len(LAWS)
