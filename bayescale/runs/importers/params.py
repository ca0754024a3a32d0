"""Params: what is logged, with its kind; one kind for all runs of a table."""

from ..columns import plain
from . import keys
from .answers import ImportAnswers, of_run
from .log import Log, number_of
from .rows import Row, Table, is_used


def put_params(row: Row, log: Log, answers: ImportAnswers) -> None:
    """Collect the counts of params by kind; which kind the table gives is settled once for all runs."""
    given = of_run(answers.params, log.run)
    if "params" in row.values:  # by --set, --name or --map
        row.kinds[answers.params_kind or "unknown"] = row.values.pop("params")
        row.origins["params"] = row.origins.get("params", "")
    for column, kind in (("params_non_embedding", "non-embedding"), ("params_total", "total"), ("params", "unknown")):
        fact = log.facts.get(column)
        found = (fact.value, fact.key) if fact else keys.config_value(log.config, column) or _last(log, column)
        value = number_of(found[0]) if found else None
        if found and value and value > 0:
            row.kinds.setdefault(kind, value)
            row.origins.setdefault("params" if kind != "total" else "params_total", found[1])
    if "params_total" in row.values:
        row.kinds["total"] = row.values["params_total"]
    if given is not None and "unknown" not in row.kinds and (not row.kinds or answers.params_kind):
        row.kinds.setdefault(answers.params_kind or "unknown", float(given))
        row.origins.setdefault("params", "--params")
    if answers.params_kind and "unknown" in row.kinds:
        row.kinds.setdefault(answers.params_kind, row.kinds.pop("unknown"))


def _last(log: Log, column: str) -> tuple[float, str] | None:
    for key, (_, values) in log.series.items():
        if plain(key) in keys.CONFIG[column] and len(values):
            return float(values[-1]), key
    return None


def settle_params(table: Table, answers: ImportAnswers) -> None:
    """Give all runs the same kind of params, and ask where no kind is known of all."""
    rows = [row for row in table.rows if is_used(row, answers)]
    for row in rows:
        if not row.kinds:
            _from_flops(row)
    complete = [row for row in rows if row.kinds]
    wanted = [answers.params_kind] if answers.params_kind else ["non-embedding", "active", "unknown", "total"]
    shared = [kind for kind in wanted if complete and all(kind in row.kinds for row in complete)]
    kind = shared[0] if shared else ""
    common = max(wanted, key=lambda item: sum(item in row.kinds for row in complete))
    for row in rows:
        if not row.kinds and "flops" in row.values and row.format.startswith("spreadsheet"):
            continue  # they follow by 6ND, which `read_runs` does and says
        if not row.kinds:
            table.questions.ask(
                "params", f"no count was logged.{_shape(row)}", "--params COUNT (or RUN=COUNT)", row.run
            )
        elif not kind and common not in row.kinds:
            table.questions.ask(
                "params",
                f"these runs have {' and '.join(row.kinds)} params, others {common} ones; all must count the same.",
                f"--params-kind KIND where '{common}' is what they are, else --params RUN=COUNT with it",
                row.run,
            )
    for row in rows:
        if "total" in row.kinds:
            row.put("params_total", row.kinds["total"], row.origins.get("params_total", row.origins.get("params", "")))
        if kind and kind != "total" and kind in row.kinds:
            row.values["params"] = row.kinds[kind]
        elif kind == "total":
            row.origins.pop("params", None)
    table.params_kind = kind or answers.params_kind or "unknown"


def _from_flops(row: Row) -> None:
    """Take params from the Trainer's own 6 x params x tokens."""
    flops, tokens = row.values.get("flops"), row.values.get("tokens")
    if row.format != "hf trainer" or not flops or not tokens or "total_flos" in str(row.origins.get("tokens")):
        return
    row.kinds["non-embedding"] = flops / (6 * tokens)
    row.origins["params"] = "total_flos / (6 x tokens)"


def _shape(row: Row) -> str:
    layers, width = row.values.get("layers"), row.values.get("width")
    if not layers or not width:
        return ""
    return f" Its shape suggests 12 x layers x width^2 = {12 * layers * width**2:.3g} without embeddings."
