"""Models as data: the spec in a TOML file in `models/`, its priors, and the graph built from it and a table of runs."""

from .files import formula_spec, list_models, load_spec
from .spec import Drift, ModelSpec, Noise, parse_spec

__all__ = ["Drift", "ModelSpec", "Noise", "formula_spec", "list_models", "load_spec", "parse_spec"]
