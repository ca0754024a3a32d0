"""models/README.md has a row for every model, and no other."""

import re

from bayescale import list_models, load_spec
from bayescale.spec.files import model_folders


def test_each_model_has_a_row():
    text = (model_folders()[-1] / "README.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`([a-z0-9-]+)`", row.split("|")[1])]
    assert sorted(named) == sorted(list_models().index)
    for row in rows:
        names, runs = row.split("|")[1], row.split("|")[5]
        expected = [2 * len(load_spec(name).sampled) for name in re.findall(r"`([a-z0-9-]+)`", names)]
        assert [int(number) for number in runs.split(",")] == expected, names
