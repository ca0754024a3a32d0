"""Histories of a resumed job: the order is that of wall time, what was logged last counts, and an import says where steps go back."""

import json
import sqlite3

import numpy as np
import pandas as pd
import pytest

from bayescale.importers.importing import import_runs
from bayescale.importers.interpret.answers import ImportAnswers
from bayescale.importers.known import FORMATS
from bayescale.importers.resumed import Point, in_order, time_of

OLD = [(step, 100.0 + step, 5.0) for step in (1, 2, 3, 4)]  # step, time, loss; resumed from step 2
NEW = [(step, 200.0 + step, 4.0) for step in (3, 5, 6)]
KEPT = ([1, 2, 3, 5, 6], [5.0, 5.0, 4.0, 4.0, 4.0])
LAST_FIRST = [*NEW, *OLD]


def comet(folder):
    path = folder / "run.json"
    path.write_text(
        json.dumps(
            [
                {"metricName": "val_loss", "metricValue": str(loss), "step": step, "timestamp": int(1000 * time)}
                for step, time, loss in LAST_FIRST
            ]
        )
    )
    return path


def aim(folder):
    path = folder / "aim.csv"
    rows = [(step, loss, str(pd.Timestamp(time, unit="s")), "abc", "val_loss") for step, time, loss in LAST_FIRST]
    pd.DataFrame(rows, columns=["step", "value", "time", "run.hash", "metric.name"]).to_csv(path, index=False)
    return path


def mlflow_sqlite(folder):
    path = folder / "mlflow.db"
    with sqlite3.connect(path) as database:
        for table, columns in (
            ("runs", "run_uuid, name, status, lifecycle_stage, start_time"),
            ("metrics", "run_uuid, key, value, timestamp, step, is_nan"),
            ("params", "run_uuid, key, value"),
            ("tags", "run_uuid, key, value"),
            ("latest_metrics", "run_uuid, key, value"),
        ):
            database.execute(f"CREATE TABLE {table} ({columns})")
        database.execute("INSERT INTO runs VALUES ('u', 'a', 'FINISHED', 'active', 0)")
        database.executemany(
            "INSERT INTO metrics VALUES ('u', 'val_loss', ?, ?, ?, 0)",
            [(loss, int(1000 * time), step) for step, time, loss in LAST_FIRST],
        )
    database.close()
    return path


def mlflow(folder):
    run = folder / "0" / "u"
    (run / "metrics").mkdir(parents=True)
    (folder / "0" / "meta.yaml").write_text("experiment_id: '0'\n")
    (run / "meta.yaml").write_text("run_name: a\nstatus: 3\nlifecycle_stage: active\n")
    lines = [f"{int(1000 * time)} {loss} {step}" for step, time, loss in LAST_FIRST]
    (run / "metrics" / "val_loss").write_text("\n".join(lines))
    return folder


def wandb_history(folder):
    path = folder / "history.jsonl"
    rows = [{"_step": step, "_timestamp": time, "val_loss": loss} for step, time, loss in LAST_FIRST]
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def trackio(folder):
    path = folder / "project.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE metrics (run_name, step, timestamp, metrics)")
        database.execute("CREATE TABLE configs (run_name, config)")
        database.executemany(
            "INSERT INTO metrics VALUES ('a', ?, ?, ?)",
            [
                (step, pd.Timestamp(time, unit="s").isoformat(), json.dumps({"val_loss": loss}))
                for step, time, loss in LAST_FIRST
            ],
        )
    database.close()
    return path


def neptune(folder):
    path = folder / "run_part_1.parquet"
    pd.DataFrame(
        [
            {
                "run_id": "a",
                "attribute_path": "val_loss",
                "attribute_type": "float_series",
                "step": step,
                "float_value": loss,
            }
            for step, _, loss in LAST_FIRST
        ]
    ).assign(timestamp=[pd.Timestamp(time, unit="s", tz="UTC") for _, time, _ in LAST_FIRST]).to_parquet(path)
    return path


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("comet", comet),
        ("aim", aim),
        ("mlflow-sqlite", mlflow_sqlite),
        ("mlflow", mlflow),
        ("wandb-history", wandb_history),
        ("trackio", trackio),
        ("neptune", neptune),
    ],
)
def test_old_points_after_new_ones_change_nothing(name, written, tmp_path):
    if name == "neptune":
        pytest.importorskip("pyarrow")
    path = written(tmp_path)
    assert FORMATS[name].recognises(path)
    (log,) = FORMATS[name].logs(path)
    steps, losses = log.series["val_loss"]
    assert (steps.tolist(), losses.tolist()) == KEPT
    (note,) = [text for text in log.notes if "goes back" in text]
    assert "from step 4 to 3" in note and "later in wall time" in note


def test_the_import_says_where_a_history_goes_back(tmp_path):
    answers = ImportAnswers(params={"*": 1e7}, batch_tokens={"*": 1e6}, step_is="updates")
    imported = import_runs(wandb_history(tmp_path), answers)
    assert imported.runs["loss"].tolist() == [4.0] and imported.runs["steps"].tolist() == [6]
    assert any("goes back from step 4 to 3" in text for text in imported.report["warnings"])


def test_without_times_the_order_of_the_file_counts():
    rows, (note,) = in_order([Point(None, step, {"loss": loss}) for step, _, loss in [*OLD, *NEW]], "a.json")
    assert [step for step, _ in rows] == KEPT[0] and "a.json" in note and "further down" in note
    assert in_order([Point(None, step, {"loss": 1.0}) for step in range(5)], "a")[1] == ()


def test_a_late_evaluation_is_not_a_restart():
    points = [Point(None, step, {"train_loss": 3.0}) for step in (1, 2, 3, 4)]
    late = [*points[:3], Point(None, 2, {"val_loss": 2.0}), points[3]]
    rows, notes = in_order(late, "a")
    assert len(rows) == 5 and notes == ()


def test_what_was_not_logged_again_is_kept():
    first = [Point(1.0, step, {"loss": 5.0, "lr": 1.0, "peak": 9.0}) for step in (1, 2, 3)]
    again = [Point(2.0, step, {"loss": 4.0, "lr": 1.0}) for step in (2, 3)]
    rows, _ = in_order([*again, *first], "a")
    assert (3, {"peak": 9.0}) in rows and (3, {"loss": 4.0, "lr": 1.0}) in rows
    assert all(values != {"loss": 5.0, "lr": 1.0, "peak": 9.0} for step, values in rows if step > 1)


def test_many_restarts_take_no_more_than_a_moment():
    steps = np.random.default_rng(0).permutation(50_000)
    rows, notes = in_order([Point(None, float(step), {"loss": 1.0}) for step in steps], "a")
    assert [step for step, _ in rows] == sorted(step for step, _ in rows)
    assert rows[-1][0] == steps[-1] and len(notes) == 5


def test_times_are_numbers_or_dates():
    assert time_of("12.5") == 12.5 and time_of(7) == 7.0
    assert time_of("2026-01-02T00:00:01+00:00") == time_of("2026-01-02 00:00:01")
    assert time_of("yesterday") is None and time_of(None) is None
