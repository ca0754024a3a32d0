"""What tables come as: separators, decimal marks, units in headers, nested JSON, wide tables, pipes, and great length."""

import io
import json
import os
import subprocess
import sys
import threading
import types

import numpy as np
import pandas as pd
import pytest

from bayescale.runs import read_runs
from bayescale.runs.delimited import BLOCK

HEADER = "run,params,tokens,loss"
ROWS = [("a", "70000000", "1000000000", "3.125"), ("b", "160000000", "2000000000", "2.9")]


def written(tmp_path, text, name="runs.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("separator", [";", "\t", ","])
def test_decimal_points_with_any_separator(separator, tmp_path):
    text = "\n".join(separator.join(cells) for cells in [HEADER.split(","), *ROWS])
    runs = read_runs(written(tmp_path, text))
    assert runs["loss"].tolist() == [3.125, 2.9] and "decimal" not in runs.attrs["notes"]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_decimal_commas_are_read_and_said(separator, tmp_path):
    rows = [[cell.replace(".", ",") for cell in cells] for cells in ROWS]
    text = "\n".join(
        separator.join(cells) for cells in [[*HEADER.split(","), "dose"], *([*cells, "0,5"] for cells in rows)]
    )
    runs = read_runs(written(tmp_path, text))
    assert runs["loss"].tolist() == [3.125, 2.9] and runs["dose"].tolist() == [0.5, 0.5]
    assert "Decimal commas were read" in runs.attrs["notes"]["decimal"]


def test_cells_for_both_marks_are_left_to_the_message(tmp_path):
    with pytest.raises(ValueError, match=r"'loss' has 1 unparsable value \(row 2 \(b\)\)"):
        read_runs(written(tmp_path, "run;params;tokens;loss\na;7e7;1e9;3.12\nb;1e8;2e9;2,9\n"))


def test_units_of_headers_are_factors_and_said(tmp_path):
    runs = read_runs(
        written(tmp_path, "N (M),D (B),FLOPs (1E21),loss (bits)\n70,1.4,0.000588,4.1\n160M,2.8,0.002688,3.9\n")
    )
    assert runs["params"].tolist() == [7e7, 1.6e8] and runs["tokens"].tolist() == [1.4e9, 2.8e9]
    assert runs["flops"].tolist() == pytest.approx([5.88e17, 2.688e18])
    assert "'D (B)' was multiplied by 1e+09" in runs.attrs["notes"]["units"]
    assert runs.attrs["loss_unit"] == "bits/token" and runs["loss"].tolist() == [4.1, 3.9]


def test_raw_counts_under_a_unit_stay(tmp_path):
    runs = read_runs(written(tmp_path, "params (B),tokens (B),loss\n7e7,1,3\n1e8,2,2.9\n"))
    assert runs["params"].tolist() == [7e7, 1e8] and runs["tokens"].tolist() == [1e9, 2e9]
    assert "raw counts already" in runs.attrs["notes"]["units"]


def test_common_names(tmp_path):
    runs = read_runs(
        written(tmp_path, "job_name,model,num_model_params,compute_budget,loss\na,m,7e7,4.2e17,3\nb,m,7e7,8.4e17,2.9\n")
    )
    assert runs["run"].tolist() == ["a", "b"] and runs["tokens"].tolist() == pytest.approx([1e9, 2e9])


def test_a_batch_in_sequences_becomes_tokens_only_with_steps(tmp_path):
    with_steps = read_runs(
        written(tmp_path, "params,tokens,loss,gbsz,steps\n7e7,4096e6,3,16,62500\n8e7,8192e6,3,32,62500\n")
    )
    assert (
        with_steps["batch_tokens"].tolist() == [16 * 4096, 32 * 4096] and "4096" in with_steps.attrs["notes"]["batch"]
    )
    without = read_runs(written(tmp_path, "params,tokens,loss,gbsz\n7e7,1e9,3,16\n8e7,2e9,3,32\n"))
    assert "batch_tokens" not in without and "not in tokens" in without.attrs["notes"]["batch"]


@pytest.mark.parametrize("name", ["runs.jsonl", "runs.json"])
def test_nested_records_are_columns_with_dots(name, tmp_path):
    records = [{"params": 7e7, "tokens": 1e9, "loss": 3, "train": {"lr": 0.1, "opt": {"b": 2}}, "curve": [[1, 2]]}] * 2
    records = [{**record, "run": run} for run, record in zip("ab", records, strict=True)]
    text = json.dumps(records) if name.endswith("n") else "\n".join(map(json.dumps, records))
    runs = read_runs(written(tmp_path, text, name), {"lr": "train.lr"})
    assert runs["lr"].tolist() == [0.1, 0.1] and runs["train.opt.b"].tolist() == [2, 2] and "curve" not in runs
    assert "'curve'" in runs.attrs["notes"]["lists"]


def test_a_wide_table_becomes_long(tmp_path):
    runs = read_runs(written(tmp_path, "model,100,200,400\na,3.1,2.9,\nb,3.2,3.0,2.7\n"), wanted=["scale", "value"])
    assert runs["scale"].tolist() == [100, 200, 100, 200, 400] and runs["value"].tolist() == [3.1, 2.9, 3.2, 3.0, 2.7]
    assert "The table is wide" in runs.attrs["notes"]["wide"]


def test_columns_without_a_known_name_are_enough_if_they_are_wanted(tmp_path):
    path = written(tmp_path, "dose,answer\n1,2\n2,3\n")
    with pytest.raises(ValueError, match="No known column has values"):
        read_runs(path)
    assert read_runs(path, wanted=["dose", "answer"])["answer"].tolist() == [2, 3]


def test_rows_that_a_filter_drops_are_not_checked_and_rows_keep_their_numbers(tmp_path):
    path = written(tmp_path, f"{HEADER}\na,1e8,1e9,oops\nb,1e8,2e9,3\nc,1e8,3e9,2.9\nd,1e8,4e9,-1\n")
    runs = read_runs(path, where=["tokens>1e9", "tokens<4e9"])
    assert runs["run"].tolist() == ["b", "c"] and "2 of 4 rows" in runs.attrs["notes"]["where"]
    with pytest.raises(ValueError, match=r"row 4 \(d\)"):
        read_runs(path, where="tokens>1e9")
    unnamed = written(tmp_path, "params,tokens,loss\n1e8,1e9,3\n1e8,2e9,3\n")
    assert read_runs(unnamed, where="tokens=2B")["run"].tolist() == ["run-2"]
    with pytest.raises(ValueError, match="None of 2 rows passes the filter 'tokens>5e9'"):
        read_runs(unnamed, where="tokens>5e9")


@pytest.mark.parametrize(
    "where", ["flops>7e17", "N!=1e8", "family in x, y", "note=a b", "tokens not in 1e9", "D<=2B", "run=r1"]
)
def test_filters_keep_the_same_rows_early_and_late(where):
    cells = {"N": ["1e8", "200M", "3e8"], "D": ["1B", "2e9", "3e9"], "loss": ["3", "2.9", "2.8"]}
    table = pd.DataFrame({"run": ["r1", "r2", "r3"], "family": ["x", "z", "y"], "note": ["a b", "7", ""], **cells})
    from bayescale.runs.where import keep_where

    late = read_runs(table)
    expected = late["run"][keep_where(late, where)].tolist()
    assert read_runs(table, where=where)["run"].tolist() == expected


def test_a_long_file_reads_as_a_short_one(tmp_path):
    rows = 2 * BLOCK + 7
    body = [
        f"r{row},{1e8 + row:.0f},{1e9 + row:.0f},{2 + 1 / (row + 1):.6f},{'x' if row == rows - 1 else row}\n"
        for row in range(rows)
    ]
    runs = read_runs(written(tmp_path, f"{HEADER},note\n" + "".join(body)))
    assert (
        runs["params"].to_numpy().tolist() == [1e8 + row for row in range(rows)]
        and runs["run"].iloc[-1] == f"r{rows - 1}"
    )
    assert runs["note"].tolist() == [*(str(row) for row in range(rows - 1)), "x"]


def test_a_large_table_needs_little_memory(tmp_path):
    """30 MB, of which a filter keeps 200 rows: no more than a fraction of the file stays in memory."""
    row = "r,100000000,{},2.5,log," + "x" * 60 + "\n"
    path = tmp_path / "large.csv"
    with path.open("w") as file:
        file.write(f"{HEADER},sweep,note\n")
        file.writelines(
            row.format(1_000_000_000 + at).replace("log", "log" if at % 1500 else "grid") for at in range(300_000)
        )
    assert path.stat().st_size > 27e6
    code = (
        "import resource, sys; from bayescale.runs import read_runs; before = resource.getrusage(resource.RUSAGE_SELF);"
        "runs = read_runs(sys.argv[1], where='sweep=grid'); after = resource.getrusage(resource.RUSAGE_SELF);"
        "print(len(runs), (after.ru_maxrss - before.ru_maxrss) / 1024, after.ru_utime - before.ru_utime)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    rows, megabytes, seconds = map(float, done.stdout.split())
    assert rows == 200 and megabytes < 80 and seconds < 15


def test_a_pipe_is_read_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    text = f"{HEADER}\n" + "\n".join(",".join(cells) for cells in ROWS)
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=(text,))
    writer.start()
    assert read_runs(tmp_path / "pipe")["run"].tolist() == ["a", "b"]
    writer.join()


@pytest.mark.parametrize("kind", ["csv", "json", "jsonl"])
def test_standard_input(kind, monkeypatch):
    table = pd.DataFrame({"run": ["a", "b"], "params": [7e7, 8e7], "tokens": [1e9, 2e9], "loss": [3.0, 2.9]})
    text = table.to_csv(index=False) if kind == "csv" else table.to_json(orient="records", lines=kind == "jsonl")
    stdin = types.SimpleNamespace(buffer=io.BytesIO(text.encode()), closed=False, isatty=lambda: False)
    monkeypatch.setattr(sys, "stdin", stdin)
    assert read_runs("-")["run"].tolist() == ["a", "b"]
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(closed=False, isatty=lambda: True))
    with pytest.raises(ValueError, match="which is a terminal"):
        read_runs("-")


def test_devices_are_refused():
    with pytest.raises(ValueError, match="is a device or a socket"):
        read_runs("/dev/zero")


def test_copies_are_found_among_many_rows():
    many = np.arange(50_000)
    table = pd.DataFrame({"params": 1e8 + many, "tokens": 1e9 + many, "loss": 3.0, "note": "x"})
    table = pd.concat([table, table.iloc[[7]]], ignore_index=True)
    with pytest.raises(
        ValueError, match=r"1 row repeats an earlier row in every column \(row 50001; the first repeats row 8\)"
    ):
        read_runs(table)
