"""`backtest`: hold out the largest runs of a table at several cuts, fit the rest, and score the forecasts and decisions that follow."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from ...runs import select_rows
from ...spec.spec import ModelSpec
from ..chunks import open_folder
from ..laws import AUTO, specs_for
from ..spread import Work, each_piece
from .cell import Judge, Question, tables_of
from .holdout import Holdout, make_cells

_PLACE = ("cut", "size", "repeat", "fitted", "decades_beyond")
_FIRST = ("run", "cut", "size", "repeat", "fitted", "model", "decades_beyond", "loss", "median")


class Backtest(NamedTuple):
    """The tables of `backtest`."""

    forecasts: pd.DataFrame
    decisions: pd.DataFrame
    cells: pd.DataFrame


def backtest(
    runs: pd.DataFrame,
    models: str | Sequence[str | ModelSpec] | Mapping[str, ModelSpec] = AUTO,
    *,
    x: str | None = None,
    changes: Mapping[str, Any] | None = None,
    where: str | Sequence[str] = (),
    family: str | None = None,
    best_of: str | Sequence[str] = (),
    all_rows: bool = False,
    holdout: Holdout | None = None,
    work: Work | None = None,
) -> Backtest:
    """Forecast the larger runs of a table from the smaller ones, and score the forecasts.

    Parameters
    ----------
    runs : pandas.DataFrame
        One row per run, from `read_runs`. A column `split` is ignored: the cuts split the runs.
    models : str, sequence of str or ModelSpec, or mapping of str to ModelSpec
        What is fitted, as for `fit_laws`; by default the average of the laws that each set of smaller runs can support.
    x : str, optional
        Column of a curve's one input.
    changes : mapping, optional
        What is changed in every model.
    where : str or sequence of str
        Filters on rows.
    family : str, optional
        The family to use, if there are several.
    best_of : str or sequence of str
        As for `fit`.
    all_rows : bool
        As for `fit`.
    holdout : Holdout, optional
        Which runs are held out: the cuts, smaller samples, and the seed.
    work : Work, optional
        Where the fits are done (cores, or a Dask cluster), and the folder that keeps finished ones.

    Returns
    -------
    Backtest
        Three tables.

        `forecasts`, one row per fit, model and held-out run: `run`; `cut`, the share of the largest run's compute up to which runs were
        fitted; `size` and `repeat`, how many runs were drawn from these and which draw it was, both 0 if all were fitted; `fitted`, their
        number; `model`, "average" or the law's name; `decades_beyond`, log10 of the held-out run's compute (or of a curve's input) over
        that of the largest fitted run; `loss`, measured, with `median` and for 50, 80 and 90% `lower_90`, `upper_90`, all in the unit of
        the runs; `inside_90` (1 or 0). Of log loss: `error` (natural log of measured over median; 0.01 is about 1%), `pit` (in [0, 1]),
        `crps` and `interval_score` of the 90% band and its `width` (x100, lower is better), `log_score` (nats, higher is better).
        `passed`: whether the check of the fit passed; the forecasts of a fit that failed would have been refused.

        `decisions`, for tables with a measured profile (four or more sizes within 15% of one compute) beyond a cut: of each fit that
        chooses sizes by the loss, what it chose for the largest such budget, and what it forecast of plans trained for long. `cut` to
        `fitted` and `decades_beyond`; `kind`, "size" or "over-training" (of a measured run with 100 to 1,000 tokens per parameter, named by
        `run`), ", limited data" if runs repeat their `unique_tokens`; `budget` (FLOP); `best_params`, the lowest point of a parabola
        through the profile, with its 90% interval from the scatter of the runs, `best_lower`, `best_upper`; `params` of the plan, with the
        90% interval of the best size, `params_lower`, `params_upper`; `regret`, by how much the loss of the plan exceeds the least one as
        measured, with its sd from the same scatter, `regret_sd`; `forecast`, the expected regret that the fit claimed, of over-trained runs
        with a 90% band, `forecast_lower`, `forecast_upper`; all losses in the unit of the runs. `inside`, 1 if the measured best size (or
        the measured regret) lies in the interval (or the band), otherwise 0; `passed`; `note`.

        `cells`, one row per fit: `cut`, `size`, `repeat`, `fitted`, `held_out`, `largest` (compute of the largest fitted run), `passed`,
        `weights` (JSON, of each law), `seconds`, and `fault`, why it could not be made; empty if it could.

    Raises
    ------
    ValueError
        If no cut leaves 5 runs to fit, or as for `fit_laws`.

    Notes
    -----
    Held-out runs of one table err together, so ten of them inside their bands are far fewer than ten independent successes. Over several
    tables, count tables.

    Examples
    --------
    >>> found = backtest(read_runs("runs.csv"), holdout=Holdout(cuts=[0.1]))  # doctest: +SKIP
    >>> summarise_scores(found.forecasts)["coverage_90"]  # doctest: +SKIP
    """
    holdout, work = holdout or Holdout(), work or Work()
    chosen: dict[str, Any] = {"where": where, "family": family, "best_of": best_of, "all_rows": all_rows}
    bare = runs.drop(columns="split", errors="ignore")
    specs = specs_for(bare, models, x=x, changes=changes, **chosen)
    first = next(iter(specs.values()))
    repeats = all(spec.get_law().keeps_repeats for spec in specs.values())
    rows, _ = select_rows(bare, inputs=first.inputs, response=first.response, repeats=repeats, **chosen)
    cells = make_cells(first, rows, holdout)
    question = Question(models, x, dict(changes or {}), family, holdout.each_law)
    place = None
    if work.folder is not None:
        asked = {"cuts": list(holdout.cuts), "sizes": list(holdout.sizes), "repeats": holdout.repeats, "x": x}
        asked |= {"each_law": holdout.each_law, "auto": models == AUTO}
        place, _ = open_folder(work.folder, list(specs.values()), [rows], asked, holdout.random_seed)
    pieces = each_piece(Judge(question), [[cell] for cell in cells], work, place, what="fits")
    found = tables_of(pieces)
    forecasts = found["forecasts"]
    if len(forecasts):
        forecasts = forecasts[[*_FIRST, *(name for name in forecasts if name not in _FIRST)]]
    decisions = found["decisions"]
    if len(decisions):
        decisions = decisions[[*_PLACE, *(name for name in decisions if name not in _PLACE)]]
    return Backtest(forecasts, decisions, found["cells"])
