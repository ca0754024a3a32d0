"""The formats of files; mistakes in them stand in tests/bad_inputs."""

import json

import pandas as pd
import pytest

from bayescale.runs import read_runs

RECORDS = [
    {"run": "a", "params": 7e7, "tokens": 1e9, "loss": 3.0},
    {"run": "b", "params": 1.6e8, "tokens": 2e9, "loss": 2.9},
]
CSV = "run,params,tokens,loss\na,70M,1B,3.0\nb,160M,2B,2.9\n"
FORMATS = {
    "runs.csv": CSV,
    "UPPER.CSV": CSV,
    "runs.tsv": CSV.replace(",", "\t"),
    "tabs.csv": CSV.replace(",", "\t"),
    "crlf.csv": CSV.replace("\n", "\r\n"),
    "bom.csv": "\ufeff" + CSV,
    "blank-lines.csv": "\n\n" + CSV.replace("\n", "\n\n") + ",,,\n",
    "spare-cells.csv": CSV.replace("\n", ",\n"),
    "quoted.csv": '"run","params","tokens","loss"\n"a","70000000","1,000,000,000","3"\n"b",160M,2B," 2.9 "\n',
    "index.csv": ",run,params,tokens,loss\n0,a,70M,1B,3.0\n1,b,160M,2B,2.9\n",
    "records.json": json.dumps(RECORDS),
    "columns.json": json.dumps({name: [row[name] for row in RECORDS] for name in RECORDS[0]}),
    "pandas.json": json.dumps({name: {i: row[name] for i, row in enumerate(RECORDS)} for name in RECORDS[0]}),
    "runs.jsonl": "\n".join(json.dumps(row) for row in RECORDS) + "\n\n",
    "runs.ndjson": "\n".join(json.dumps(row) for row in RECORDS),
}


@pytest.mark.parametrize("name", FORMATS)
def test_formats(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(FORMATS[name].encode())
    runs = read_runs(path)
    assert runs.attrs["source"] == str(path)
    pd.testing.assert_frame_equal(runs[["run", "params", "tokens", "loss"]], pd.DataFrame(RECORDS))


def test_parquet(tmp_path):
    pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")
    path = tmp_path / "runs.parquet"
    pd.DataFrame(RECORDS).to_parquet(path)
    pd.testing.assert_frame_equal(read_runs(path)[["run", "params", "tokens", "loss"]], pd.DataFrame(RECORDS))


def test_what_a_csv_holds_survives_a_round_trip(tmp_path):
    runs = read_runs(pd.DataFrame(RECORDS).assign(note=['with, comma and "quotes"', "two\nlines"]))
    runs.to_csv(tmp_path / "runs.csv", index=False)
    pd.testing.assert_frame_equal(read_runs(tmp_path / "runs.csv"), runs, check_dtype=False)


def test_records_may_lack_keys(tmp_path):
    path = tmp_path / "runs.jsonl"
    path.write_text('{"params": 7e7, "tokens": 1e9, "loss": 3}\n{"params": 8e7, "flops": 4.8e17, "loss": 2.9}\n')
    assert read_runs(path)["tokens"].tolist() == pytest.approx([1e9, 1e9])


def test_json_may_hold_nan(tmp_path):
    path = tmp_path / "runs.json"
    path.write_text('[{"params": 7e7, "tokens": 1e9, "loss": NaN}, {"params": 8e7, "tokens": 1e9, "loss": 3}]')
    with pytest.raises(ValueError, match=r"'loss' is blank in 1 of 2 rows \(row 1\)"):
        read_runs(path)


def test_a_missing_file_names_the_nearest(tmp_path):
    (tmp_path / "runs.csv").write_text(CSV)
    with pytest.raises(ValueError, match=r"There is no file .*rnus\.csv; in .* nearest: runs\.csv\."):
        read_runs(tmp_path / "rnus.csv")
    with pytest.raises(ValueError, match=r"the folder .*nowhere does not exist either: check the path"):
        read_runs(tmp_path / "nowhere" / "runs.csv")
    with pytest.raises(ValueError, match="is a folder; give one file"):
        read_runs(tmp_path)


def test_a_name_too_long_for_the_system():
    with pytest.raises(ValueError, match=r"x\.\.\. cannot be read: "):
        read_runs("x" * 5000 + ".csv")


def test_a_file_without_an_extension(tmp_path):
    (tmp_path / "runs").write_text(CSV)
    with pytest.raises(ValueError, match=r"runs ends in '', which is not a known format \(\.csv"):
        read_runs(tmp_path / "runs")


def test_deep_and_huge_json(tmp_path):
    for name, text in {"deep.json": "[" * 200_000, "huge.json": "[" + "9" * 5000 + "]"}.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(ValueError, match=rf"{name}"):
            read_runs(tmp_path / name)


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    def read_parquet(path):
        raise ImportError("Unable to find a usable engine")

    monkeypatch.setattr("pandas.read_parquet", read_parquet)
    (tmp_path / "runs.parquet").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match=r"\AParquet files need pyarrow: pip install bayescale\[parquet\]"):
        read_runs(tmp_path / "runs.parquet")
