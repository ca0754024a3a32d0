"""`bayescale models` and `bayescale datasets`."""

from ..report.units import count
from .models import Law, print_priors
from .options import Json
from .output import print_json, print_table, print_text


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
    groups = sorted(table.groupby("inputs", sort=False), key=lambda group: -len(group[1]))
    for inputs, rows in groups:
        cells = [[f"  {row.model}", str(row.title)] for row in rows.itertuples()]
        print_table(f"Laws in {inputs}", ["", ""], cells, numeric=False)
    print_text("--json gives their sources; `bayescale fit RUNS --model NAME` fits one.")


def datasets(json_: Json = False) -> None:
    """List the data sets with source, licence, size and how to get them."""
    from ..runs import datasets as list_datasets

    table = list_datasets()
    if json_:
        print_json({"datasets": table.to_dict(orient="records")})
        return
    rows = [
        [
            row["name"],
            count(row["rows"]),
            "yes" if row["available"] else "no",
            # No mark after the name of a repository, which just fits.
            f"loss in {row['loss_unit']}; {row['source'].replace('; ', ' / ')} (licence: {row['licence']}); {row['how']}",
        ]
        for row in table.to_dict(orient="records")
    ]
    print_table("Data sets", ["name", "rows", "here", "what, from where, how to get it"], rows, numeric=False)
    print_text("A name can be given wherever a command takes a table of runs.")
