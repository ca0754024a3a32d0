"""Pieces of work on one machine and on a cluster that loses a worker: none is lost or counted twice, and finished ones are kept."""

import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from bayescale.calibrate import spread as module
from bayescale.calibrate.spread import Work, each_piece
from bayescale.errors import InputError

PIECES = 24


def compute(piece):
    """Leave a trace of who computed a piece, and when."""
    number, folder = piece[0]
    (Path(folder) / f"{number}-{time.monotonic_ns()}").write_text(str(os.getpid()))
    time.sleep(0.05)
    return {"number": np.array([number]), "square": np.array([number**2])}


def pieces_in(folder):
    folder.mkdir()
    return [[(number, str(folder))] for number in range(PIECES)]


def traces_of(folder):
    """The processes that computed pieces, in order of time; a file that is just being written is not there yet."""
    files = sorted(folder.iterdir(), key=lambda path: int(path.name.partition("-")[2]))
    return [int(text) for text in (path.read_text() for path in files) if text]


def whole(found):
    return [int(one["number"][0]) for one in found] == list(range(PIECES)) and all(
        one["square"][0] == one["number"][0] ** 2 for one in found
    )


def test_on_one_machine(tmp_path):
    found = each_piece(compute, pieces_in(tmp_path / "traces"), Work(cores=1, progressbar=False), None, what="pieces")
    assert whole(found) and len(list((tmp_path / "traces").iterdir())) == PIECES


def test_only_what_is_missing_is_computed(tmp_path):
    (tmp_path / "kept").mkdir()
    pieces, work = pieces_in(tmp_path / "traces"), Work(cores=1, progressbar=False)
    each_piece(compute, pieces[:10], work, tmp_path / "kept", what="pieces")
    found = each_piece(compute, pieces, work, tmp_path / "kept", what="pieces")
    assert whole(found) and len(list((tmp_path / "traces").iterdir())) == PIECES


def test_progress_is_shown(tmp_path, capsys):
    each_piece(compute, pieces_in(tmp_path / "traces"), Work(cores=1), None, what="fits")
    assert "fits" in (said := capsys.readouterr().err) and f"{PIECES}/{PIECES}" in said


def test_a_cluster_that_loses_a_worker(tmp_path):
    """A worker is killed half-way: its pieces are computed by the other one, every piece is there once, and all are kept."""
    distributed = pytest.importorskip("distributed", reason="distributed is missing: install the extra `dask`")
    traces, kept = tmp_path / "traces", tmp_path / "kept"
    kept.mkdir()
    pieces = pieces_in(traces)
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        workers, lost = {worker.pid for worker in cluster.workers.values()}, []

        def kill():
            while len(traces_of(traces)) < PIECES // 3:
                time.sleep(0.01)
            lost.append(traces_of(traces)[-1])
            assert lost[0] in workers
            os.kill(lost[0], signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        work = Work(scheduler=cluster.scheduler_address, progressbar=False)
        found = each_piece(compute, pieces, work, kept, what="pieces")
        killer.join()
    assert lost and whole(found)
    assert sorted(path.name for path in kept.iterdir()) == [f"chunk-{i:05d}.npz" for i in range(PIECES)]
    who = traces_of(traces)
    assert len(set(who)) >= 2 and lost[0] in who and os.getpid() not in who
    before = len(who)
    assert whole(each_piece(compute, pieces, Work(cores=1, progressbar=False), kept, what="pieces"))
    assert len(traces_of(traces)) == before


def test_a_scheduler_that_does_not_answer(tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed", reason="distributed is missing: install the extra `dask`")

    def no_answer(address, **_):
        raise OSError("Timed out")

    monkeypatch.setattr(distributed, "Client", no_answer)
    with pytest.raises(InputError, match=r"No Dask scheduler answers at 'tcp://nowhere:1' \(Timed out\)"):
        each_piece(compute, pieces_in(tmp_path / "traces"), Work(scheduler="tcp://nowhere:1"), None, what="pieces")


def test_without_the_package(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"pip install 'bayescale\[dask\]'"):
        Work(scheduler="tcp://nowhere:1")


@pytest.mark.parametrize("cores", [0, True])
def test_cores_that_make_no_sense(cores):
    with pytest.raises(InputError, match="`cores` must be an integer >= 1"):
        Work(cores=cores)
