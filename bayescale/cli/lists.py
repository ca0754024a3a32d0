"""`bayescale models` and `bayescale datasets`."""

from ..report.units import count
from .models import Law, print_priors
from .options import Json
from .output import print_json, print_table


def models(law: Law = None, json_: Json = False) -> None:
    """List the bundled models, or show the roles and priors of a formula."""
    from ..spec import formula_spec, list_models
    from ..spec.own import sampled_roles

    if law is not None:
        spec = formula_spec(law)
        if json_:
            keys = ("sampled", "role", "prior", "is")
            roles = sampled_roles(spec.law, tuple(spec.inputs), spec.priors)
            print_json(
                {"law": law, "inputs": spec.inputs, "priors": [dict(zip(keys, row, strict=True)) for row in roles]}
            )
        else:
            print_priors(spec)
        return
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
