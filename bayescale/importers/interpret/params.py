"""Params: the logged counts and their kinds; one kind for all runs of a table."""

from ...laws.law import compute
from ...runs.columns import plain
from .. import keys
from ..log import Log, number_of
from .answers import EVERY, ImportAnswers, named_for
from .rows import Row, Table, is_used


def put_params(row: Row, log: Log, answers: ImportAnswers) -> None:
    """Collect the counts of params by kind; the kind of the table is decided once for all runs.

    A count that the user gives for this run takes precedence; one given for all runs is used for those that log none.
    """
    named = named_for(answers.params, log.run)
    if "params" in row.values:  # by --set, --name or --map
        row.given_params = row.values.pop("params")
    elif named is not None:
        row.given_params = float(named)
        row.origins["params"] = "--params"
    for column, kind in (("params_non_embedding", "non-embedding"), ("params_total", "total"), ("params", "unknown")):
        fact = log.facts.get(column)
        found = (fact.value, fact.key) if fact else keys.config_value(log.config, column) or _last(log, column)
        value = number_of(found[0]) if found else None
        if found and value and value > 0:
            row.kinds.setdefault(kind, value)
            row.origins.setdefault("params" if kind != "total" else "params_total", found[1])
    if "params_total" in row.values:
        row.kinds["total"] = row.values["params_total"]
    every = answers.params.get(EVERY)
    if row.given_params is not None:
        row.kinds = {kind: count for kind, count in row.kinds.items() if kind == "total"}
        row.kinds[answers.params_kind or "given"] = row.given_params
    elif every is not None and not row.kinds and not (log.own_flops and log.own_flops.tokens in log.series):
        row.kinds[answers.params_kind or "unknown"] = float(every)
        row.origins["params"] = "--params"
    if answers.params_kind and "unknown" in row.kinds:
        row.kinds.setdefault(answers.params_kind, row.kinds.pop("unknown"))


def _last(log: Log, column: str) -> tuple[float, str] | None:
    for key, (_, values) in log.series.items():
        if plain(key) in keys.CONFIG[column] and len(values):
            return float(values[-1]), key
    return None


def settle_params(table: Table, answers: ImportAnswers) -> None:
    """Give all runs the same kind of params, and ask if no kind is known for all."""
    rows = [row for row in table.rows if is_used(row, answers)]
    for row in rows:
        if not row.kinds:
            _from_flops(row)
    logged = [row for row in rows if row.kinds and "given" not in row.kinds]
    wanted = [answers.params_kind] if answers.params_kind else ["non-embedding", "active", "unknown", "total"]
    shared = [kind for kind in wanted if logged and all(kind in row.kinds for row in logged)]
    kind = shared[0] if shared else ""
    common = max(wanted, key=lambda item: sum(item in row.kinds for row in logged))
    for row in rows:
        if not row.kinds and "flops" in row.values and row.is_kept_by_hand:
            continue  # `read_runs` fills them by 6ND and says so
        if not row.kinds:
            table.questions.ask("params", f"no count was logged.{_shape(row)}", "--params RUN=COUNT", row.run)
        elif logged and not kind and common not in row.kinds and "given" not in row.kinds:
            table.questions.ask(
                "params",
                f"the log has {' and '.join(row.kinds)} params, others have {common} ones; all must count the same: give {common} ones.",
                f"--params RUN=COUNT{f' or --params-kind {common} if these are' if 'unknown' in row.kinds else ''}",
                row.run,
            )
    for row in rows:
        if "total" in row.kinds:
            row.put("params_total", row.kinds["total"], row.origins.get("params_total", row.origins.get("params", "")))
        if "given" in row.kinds:
            row.values["params"] = row.kinds["given"]
        elif kind and kind != "total" and kind in row.kinds:
            row.values["params"] = row.kinds[kind]
        elif kind == "total" and any("given" in other.kinds for other in rows):
            row.values["params"] = row.kinds["total"]  # as others have counts given by the user
        elif kind == "total":
            row.origins.pop("params", None)
    table.params_kind = kind or answers.params_kind or "unknown"


def _from_flops(row: Row) -> None:
    """Take params from the logger's own FLOP, which are 6 x params x tokens."""
    flops, tokens = row.values.get("flops"), row.values.get("tokens")
    if "--set" in (row.origins.get("flops"), row.origins.get("tokens")):
        return  # only the logger's own counts belong together
    own = row.own_flops
    if own is None or not flops or not tokens or own.flops in str(row.origins.get("tokens")):
        return
    row.kinds["non-embedding"] = flops / compute(1.0, tokens)
    row.origins["params"] = f"{own.flops} / (6 x tokens)"


def _shape(row: Row) -> str:
    layers, width = row.values.get("layers"), row.values.get("width")
    if not layers or not width or layers > 1e4 or width > 1e6:
        return ""
    return f" Its shape suggests 12 x layers x width^2 = {12 * layers * width**2:.3g} without embeddings."
