"""`bayescale models` and `bayescale datasets`."""

from .options import Json
from .output import count, print_json, print_table


def models(json_: Json = False) -> None:
    """List the bundled models."""
    from ..spec import list_models

    table = list_models().reset_index()
    if json_:
        print_json({"models": table.to_dict(orient="records")})
        return
    rows = [[str(row.model), str(row.inputs), str(row.title)] for row in table.itertuples()]
    print_table("Models (--json gives their sources)", ["model", "inputs", "what"], rows, numeric=False)


def datasets(json_: Json = False) -> None:
    """List the data sets with source, licence, size and how to get them."""
    from ..runs import datasets as list_datasets

    table = list_datasets()
    if json_:
        print_json({"datasets": table.to_dict(orient="records")})
        return
    names = [name for name in table.columns if name != "name"]
    for row in table.to_dict(orient="records"):
        cells = [
            [
                name.replace("_", " "),
                count(row[name]) if name in ("rows", "size") else str(row[name]),
            ]
            for name in names
        ]
        print_table(str(row["name"]), ["", ""], cells, numeric=False)
