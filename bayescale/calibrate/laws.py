"""`fit_laws`: the laws that a table can support, each fitted, and their average, weighted by how well each forecasts larger runs.

For one far plan the medians of reasonable laws differ by more than the band of any of them, and which law is the best one differs from
table to table. So the default answer rests on several.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from ..errors import InputError, given
from ..posterior import average_fits, failed_checks, fit
from ..progress import steps
from ..runs import select_rows
from ..runs.problems import counted
from ..runs.values import parse_column
from ..spec import load_spec
from ..spec.density import has_density
from ..spec.spec import ModelSpec
from .drift import let_drift
from .forward import forward_scores, law_holds, missed, weigh

AUTO = "auto"
_ONE_EPOCH = ("skaling", "profile")
_REPEATS, _ONE_PASS = ("repeated", "repeated-rising"), 1.05
_BREAKS = (0, 1, 2)
_KHAT = 0.7  # below which weighted draws estimate means well (Vehtari et al. 2024, JMLR 25:72); a fit alone has a stricter limit
_HOLDS = 2.0  # log odds from which a law is taken to hold over the whole table (`forward.law_holds`)


def fit_laws(
    runs: pd.DataFrame,
    models: str | Sequence[str | ModelSpec] | Mapping[str, ModelSpec] = AUTO,
    *,
    x: str | None = None,
    changes: Mapping[str, Any] | None = None,
    priors: str = "learnt",
    where: str | Sequence[str] = (),
    family: str | None = None,
    best_of: str | Sequence[str] = (),
    all_rows: bool = False,
    random_seed: int = 1,
    **sample_kwargs: Any,
) -> xr.DataTree:
    """Fit several laws, and average them by how well each forecasts the larger runs of the table from the smaller ones.

    Parameters
    ----------
    runs : pandas.DataFrame
        One row per run, from `read_runs`.
    models : str, sequence of str or ModelSpec, or mapping of str to ModelSpec
        Names of models, or models. "auto" takes those that the table can support: of params and tokens `skaling`, of which
        `chinchilla` is the special case k = 1, and `profile`; the two laws of repeats if any run saw its data more than once; for a curve
        along `x`, `power` and the broken law with 0, 1 and 2 breaks.
    x : str, optional
        Column of a curve's one input.
    changes : mapping, optional
        What is changed in every model, such as ``{"noise": {"fade": 0}}``.
    priors : str
        "vague" leaves out what was learnt from other suites, as `ModelSpec.with_priors`.
    where : str or sequence of str
        Filters on rows.
    family : str, optional
        The family to fit, if there are several.
    best_of : str or sequence of str
        As for `fit`.
    all_rows : bool
        As for `fit`.
    random_seed : int
        Seed of all fits.
    **sample_kwargs
        As for `fit`.

    Returns
    -------
    xarray.DataTree
        As from `average_fits`, with one fit per law, each on all rows. The root's `laws` is a JSON list of each law's `name`, `weight`,
        `forward_score` (mean log density of a run beyond a cut, averaged over the cuts; null without a cut), `passed` and `note`; `cuts`
        that of the numbers of runs before and beyond each cut. A law whose check failed has weight 0, unless all of them did.

    Raises
    ------
    ValueError
        As for `fit`, or if the models explain different columns.

    Examples
    --------
    >>> idata = fit_laws(read_runs("runs.csv"))  # doctest: +SKIP
    >>> allocate(idata, 1e23)  # doctest: +SKIP

    Notes
    -----
    Weights are in proportion to exp(n_cuts x score / (n_cuts + 3)): `calibrate.forward` says why. Where a law holds over the whole table
    (`forward.law_holds`), all laws are fitted without fade, and weights are in proportion to exp(n_cuts x score).

    Laws of params and tokens drift as these forecasts suggest (`forward.own_drift`), instead of by their models' own drift; and where the
    errors were smaller than bands allow, later ones keep a share of the posterior's spread (`forward.kept_spread`, `posterior.spread`) and
    of that drift, unless it is 0.1% or more beyond the usual. A law whose k-hat lies between 0.5 and 0.7 keeps its weight.
    ``changes={"drift": {"per_decade": 0.0075, "spread": 1.0}}`` keeps both as they are.
    """
    chosen = {"where": where, "family": family, "best_of": best_of, "all_rows": all_rows}
    specs = specs_for(runs, models, x=x, changes=changes, priors=priors, **chosen)
    fits, left = _fits(runs, specs, auto=_is_auto(models), random_seed=random_seed, **chosen, **sample_kwargs)
    specs = {name: specs[name] for name in fits}
    rows = _common_rows(runs, specs, chosen)
    scores, why = _scores(rows, specs, random_seed)
    odds = law_holds(specs, rows, scores, random_seed=random_seed) if scores.shape[1] else 0.0
    if odds > _HOLDS:  # a clean sweep, rare enough to fit twice
        specs = {
            name: spec.changed({"noise": {"fade": 0.0}}) if spec.noise.fade_runs else spec
            for name, spec in specs.items()
        }
        fits, left = _fits(runs, specs, auto=_is_auto(models), random_seed=random_seed, **chosen, **sample_kwargs)
        specs = {name: specs[name] for name in fits}
        scores, why = _scores(rows, specs, random_seed)
    failed = {name: failed_checks(idata) for name, idata in fits.items()}
    weights = _weights(scores, [name for name, checks in failed.items() if checks], in_full=odds > _HOLDS)
    let_drift(fits, scores, weights, holds=odds > _HOLDS)
    idata = average_fits(fits, weights)
    notes = {name: f"its check failed ({', '.join(checks)})" if checks else "" for name, checks in failed.items()}
    means = scores.mean(axis=1)
    laws = [
        {
            "name": name,
            "weight": weights[name],
            "forward_score": float(means[name]) if scores.shape[1] else None,
            "passed": not failed[name],
            "note": notes[name],
        }
        for name in fits
    ]
    said = {key: text for one in reversed(fits.values()) for key, text in json.loads(one.attrs["notes"]).items()}
    said |= {f"law_{name}": f"Law '{name}' has weight 0: {note}." for name, note in notes.items() if note}
    said |= {f"law_{name}": f"Law '{name}' is left out: {text}" for name, text in left.items()}
    said |= {"cuts_missed": missed(scores, weights), "in_full": _in_full_said(odds)}
    first = next(iter(fits.values()))
    fitted = int(first["observed_data"].sizes["run"])
    idata.attrs.update(
        laws=json.dumps(laws),
        cuts=json.dumps([{"before": int(n), "beyond": fitted - int(n)} for n in scores.columns]),
        weighted_by=why,
        **{key: first.attrs[key] for key in ("left_out", "dropped", "where", "family", "source")},
        notes=json.dumps({key: text for key, text in said.items() if text}),
    )
    return idata


def _in_full_said(odds: float) -> str:
    """Return the sentence on laws that hold over the whole table; an empty one if that is not known."""
    if odds <= _HOLDS:
        return ""
    return (
        "The laws hold over the whole table: the smaller runs forecast the larger ones better if all count in full "
        f"(log odds {odds:.1f}), so they do here; {given(fade=load_spec(_ONE_EPOCH[0]).noise.fade)} makes small runs count less."
    )


def specs_for(
    runs: pd.DataFrame,
    models: str | Sequence[str | ModelSpec] | Mapping[str, ModelSpec] = AUTO,
    *,
    x: str | None = None,
    changes: Mapping[str, Any] | None = None,
    priors: str = "learnt",
    **chosen: Any,
) -> dict[str, ModelSpec]:
    """Return the models that `fit_laws` fits, by name; arguments as there, `chosen` are those that select rows."""
    specs = _auto(runs, x, changes or {}, chosen) if _is_auto(models) else _named(models, x)
    return {name: spec.with_priors(priors).changed(dict(changes or {})) for name, spec in specs.items()}


def _is_auto(models: Any) -> bool:
    return isinstance(models, str) and models == AUTO


def _auto(
    runs: pd.DataFrame, x: str | None, changes: Mapping[str, Any], chosen: dict[str, Any]
) -> dict[str, ModelSpec]:
    """Return the models that a table can support."""
    if x is not None:
        broken = {
            f"breaks_{n}": load_spec("bnsl").changed({"inputs": {"x": x}, "options": {"breaks": n}}) for n in _BREAKS
        }
        return {"power": load_spec("power").changed({"inputs": {"x": x}}), **broken}
    first = load_spec(_ONE_EPOCH[0]).changed(dict(changes))
    rows, _ = select_rows(runs, inputs=first.inputs, response=first.response, repeats=True, **chosen)
    if "unique_tokens" in rows:
        unique = parse_column(rows["unique_tokens"])[0]
        if (unique > 0).all() and (parse_column(rows["tokens"])[0] > _ONE_PASS * unique).any():
            return {name: load_spec(name) for name in _REPEATS}
    return {name: load_spec(name) for name in _ONE_EPOCH}


def _named(models: Any, x: str | None) -> dict[str, ModelSpec]:
    """Return models by name."""
    if isinstance(models, Mapping):
        found = dict(models)
    else:
        listed = [models] if isinstance(models, str | ModelSpec) else list(models)
        pairs = [(Path(one).stem, load_spec(one)) if isinstance(one, str) else (one.law, one) for one in listed]
        found = dict(pairs)
        if len(found) < len(pairs):
            twice = next(name for name, _ in pairs if [one for one, _ in pairs].count(name) > 1)
            raise InputError(f"`models` has '{twice}' twice: give each model once, or a mapping of name to model.")
    if not found:
        raise InputError(f"`models` must name at least one model, e.g. chinchilla. Got {models!r}.")
    if x is not None:
        found = {name: spec.changed({"inputs": {next(iter(spec.inputs)): x}}) for name, spec in found.items()}
    return found


def _fits(
    runs: pd.DataFrame, specs: Mapping[str, ModelSpec], *, auto: bool, **settings: Any
) -> tuple[dict[str, xr.DataTree], dict[str, str]]:
    """Fit each law; also return why some are left out, of those that the table need not have."""
    fits: dict[str, xr.DataTree] = {}
    left: dict[str, str] = {}
    quick = auto and settings.get("engine", "auto") in ("auto", "fast")
    for name, spec in steps(specs.items(), "Fitting laws"):
        if not (quick and name in _ONE_EPOCH):
            fits[name] = _eased(fit(spec, runs, **settings))
            continue
        idata = _eased(fit(spec, runs, **{**settings, "engine": "fast"}))
        if failed_checks(idata):
            left[name] = f"its draws were not accepted; {given(model=name)} tries harder, which takes minutes."
        else:
            fits[name] = idata
    if not fits:  # one law at any price
        name = next(iter(specs))
        fits[name] = fit(specs[name], runs, **settings)
        left.pop(name, None)
    return fits, left


def _eased(idata: xr.DataTree) -> xr.DataTree:
    """Return a fit with the limit of k-hat for a law of an average: to leave the law out moves answers by more than its draws are off."""
    rows = json.loads(idata.attrs["check"])
    near = [row for row in rows if row["name"] == "khat" and not row["passed"] and row["value"] < _KHAT]
    if not near:
        return idata
    for row in near:
        row |= {"threshold": _KHAT, "passed": True, "advice": ""}
    idata.attrs["check"] = json.dumps(rows)
    idata["sample_stats"].attrs["khat_limit"] = _KHAT  # for a check of the file
    return idata


def _common_rows(runs: pd.DataFrame, specs: Mapping[str, ModelSpec], chosen: dict[str, Any]) -> pd.DataFrame:
    """Return the rows that all laws fit."""
    first = next(iter(specs.values()))
    repeats = all(spec.get_law().keeps_repeats for spec in specs.values())
    return select_rows(runs, inputs=first.inputs, response=first.response, repeats=repeats, **chosen)[0]


def _scores(rows: pd.DataFrame, specs: Mapping[str, ModelSpec], random_seed: int) -> tuple[pd.DataFrame, str]:
    """Return the laws' forward scores, and the sentence on what the weights rest on."""
    none = pd.DataFrame(index=list(specs), dtype=float)
    if len(specs) == 1:
        return none, "There is one law."
    slow = [name for name, spec in specs.items() if not has_density(spec)]
    if slow:
        return (
            none,
            f"Weights are equal: models like '{slow[0]}', sampled by NUTS alone, are not fitted again to part of the runs.",
        )
    scores = forward_scores(specs, rows, random_seed=random_seed)
    if not scores.shape[1]:
        return (
            scores,
            f"Weights are equal: {counted(len(rows), 'run')} are too few to fit some and forecast larger ones.",
        )
    cuts = counted(scores.shape[1], "cut")
    return scores, f"Weights are by forecasts of the larger runs from the smaller ones, at {cuts}."


def _weights(scores: pd.DataFrame, failed: Sequence[str], *, in_full: bool) -> dict[str, float]:
    """Return the weights of all laws; those that failed have 0, unless all of them did."""
    names = [str(name) for name in scores.index]
    usable = [name for name in names if name not in failed] or names
    return dict.fromkeys(names, 0.0) | weigh(scores.loc[usable], in_full=in_full)
