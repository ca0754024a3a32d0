"""Data sets by name. Downloads are served from 127.0.0.1; nothing here reaches a network."""

import hashlib
import re
import socket
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayescale.runs import datasets, read_runs
from bayescale.runs.files import read_delimited

MODULE = sys.modules["bayescale.runs.datasets"]  # the package exports a function of the same name
NAMES = list(MODULE.DATASETS)
OTHERS = [name for name in NAMES if name not in ("kernel-bytes", "chinchilla")]
SOURCE = "x,y,color,Model Size,Training FLOP,hex_color,loss\n" + "".join(
    f"{row},{row + 0.5},c,{1e8 * (row + 1)},{1e18 * (row + 1)},#00000{row},{3.9 - 0.2 * row:.1f}\n" for row in range(6)
)


@pytest.fixture
def nothing_here(tmp_path, monkeypatch):
    """No data folder and an empty cache, which is returned."""
    monkeypatch.setenv("BAYESCALE_DATA", str(tmp_path / "no-data"))
    monkeypatch.setattr(MODULE, "_cache", lambda: tmp_path / "cache")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "cache"


class _Quiet(SimpleHTTPRequestHandler):
    asked: list[str]

    def log_message(self, *args):
        self.asked.append(self.path)


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serve the source file of chinchilla; return the list of requested paths."""
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "source.csv").write_text(SOURCE)
    handler = type("Handler", (_Quiet,), {"asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=tmp_path / "www")) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setattr(MODULE, "CHINCHILLA_URL", f"http://127.0.0.1:{http.server_port}/source.csv")
        monkeypatch.setattr(MODULE, "CHINCHILLA_SHA256", hashlib.sha256(SOURCE.encode()).hexdigest())
        yield handler.asked
        http.shutdown()
        thread.join()


def test_the_list_says_what_and_whence():
    table = datasets().set_index("name")
    assert list(table.index) == NAMES
    assert len(table) == 6
    assert list(table.columns) == ["rows", "size", "loss_unit", "source", "licence", "how", "available"]
    assert table.loc["kernel-bytes", ["rows", "licence", "how", "available"]].tolist() == [
        128,
        "Apache-2.0",
        "bundled",
        True,
    ]
    assert "downloaded" in table.loc["chinchilla", "how"]
    assert (table.loc[OTHERS, "how"] == "from the folder BAYESCALE_DATA only").all()
    assert (table["size"] > 0).all()
    assert not (table[["loss_unit", "source", "licence", "how"]] == "").any().any()


def test_what_is_listed_as_available_without_data(nothing_here):
    assert datasets().query("available")["name"].tolist() == ["kernel-bytes"]


def test_the_bundled_file_is_as_listed():
    bundled = resources.files("bayescale.runs") / "data" / "runs.csv"
    listed = MODULE.DATASETS["kernel-bytes"]
    assert len(bundled.read_bytes()) == listed.size
    assert len(read_runs("kernel-bytes")) == listed.rows


def test_data_of_others_is_not_in_the_project():
    checkout = Path(__file__).resolve().parents[2]
    files = {path.name for folder in ("bayescale", "tests") for path in (checkout / folder).rglob("*.csv")}
    assert not files & {MODULE.DATASETS[name].file for name in NAMES[1:]}


@pytest.mark.parametrize("name", NAMES)
def test_shared_data_is_as_listed(name, shared, monkeypatch):
    monkeypatch.setenv("BAYESCALE_DATA", str(shared / "data"))
    listed = MODULE.DATASETS[name]
    assert len(read_runs(name)) == listed.rows
    if name != "kernel-bytes":
        assert (shared / "data" / listed.file).stat().st_size == listed.size


@pytest.mark.parametrize("name", OTHERS)
def test_others_say_where_they_are_looked_for(name, nothing_here):
    listed = MODULE.DATASETS[name]
    with pytest.raises(ValueError, match=re.escape(f"'{name}' is read only from")) as caught:
        read_runs(name)
    for part in ("BAYESCALE_DATA", "no-data has no such file", listed.file, listed.source):
        assert part in str(caught.value)


def test_the_folder_that_is_named_wins(tmp_path, monkeypatch):
    monkeypatch.setenv("BAYESCALE_DATA", str(tmp_path))
    (tmp_path / "chinchilla.csv").write_text("params,tokens,loss\n7e7,1e9,3\n")
    assert len(read_runs("chinchilla")) == 1
    assert datasets().set_index("name").loc["chinchilla", "available"]
    monkeypatch.setenv("BAYESCALE_DATA", "~/data")
    assert MODULE.data_folder() == Path.home() / "data"


@pytest.mark.parametrize("named", [None, ""])
def test_no_folder_unless_it_is_named(monkeypatch, tmp_path, named):
    """Whatever lies beside the package or the working folder."""
    monkeypatch.delenv("BAYESCALE_DATA", raising=False)
    if named is not None:
        monkeypatch.setenv("BAYESCALE_DATA", named)
    monkeypatch.setattr(MODULE, "_cache", lambda: tmp_path / "cache")
    (tmp_path / "shared" / "data").mkdir(parents=True)
    (tmp_path / "shared" / "data" / "overtraining.csv").write_text("params,tokens,loss\n7e7,1e9,3\n")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    assert MODULE.data_folder() is None
    assert datasets().query("available")["name"].tolist() == ["kernel-bytes"]
    with pytest.raises(
        ValueError, match=r"'overtraining' is read only from .*BAYESCALE_DATA.*; the variable is not set\. Source"
    ):
        read_runs("overtraining")


def test_downloads_once(nothing_here, server, capfd):
    runs = read_runs("chinchilla")
    assert runs["run"].tolist() == [f"chinchilla-00{row}" for row in range(6)]
    np.testing.assert_allclose(runs["tokens"], runs["flops"] / (6 * runs["params"]))
    assert runs["in_fit"].tolist() == [0, 0, 0, 1, 1, 1]
    pd.testing.assert_frame_equal(read_runs("chinchilla"), runs)
    assert server == ["/source.csv"]
    assert datasets().set_index("name").loc["chinchilla", "available"]
    assert [path.name for path in nothing_here.iterdir()] == ["svg_extracted_data.csv"]
    assert capfd.readouterr() == ("", "")


def test_a_damaged_copy_is_downloaded_again(nothing_here, server):
    runs = read_runs("chinchilla")
    (nothing_here / "svg_extracted_data.csv").write_text("damaged")
    pd.testing.assert_frame_equal(read_runs("chinchilla"), runs)
    assert len(server) == 2


def test_another_file_than_the_pinned_one_is_refused(nothing_here, server, monkeypatch):
    monkeypatch.setattr(MODULE, "CHINCHILLA_SHA256", "0" * 64)
    with pytest.raises(ValueError, match=r"'chinchilla' could not be downloaded .*127\.0\.0\.1.*BAYESCALE_DATA"):
        read_runs("chinchilla")
    assert not list(nothing_here.glob("*"))
    assert not datasets().set_index("name").loc["chinchilla", "available"]


def test_a_missing_page_is_refused(nothing_here, server, monkeypatch):
    monkeypatch.setattr(MODULE, "CHINCHILLA_URL", MODULE.CHINCHILLA_URL.replace("source", "gone"))
    with pytest.raises(ValueError, match=r"could not be downloaded \(HTTPError: 404"):
        read_runs("chinchilla")


def test_a_refused_connection(nothing_here, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setattr(MODULE, "CHINCHILLA_URL", f"http://127.0.0.1:{port}/source.csv")
    with pytest.raises(
        ValueError, match=r"could not be downloaded \(ConnectionError.*try again, or put chinchilla\.csv"
    ):
        read_runs("chinchilla")
    assert not list(nothing_here.glob("*"))


def test_the_pinned_source_is_the_documented_one(shared):
    text = (shared / "data" / "README.md").read_text(encoding="utf-8")
    commit = re.search(r"raw\.githubusercontent\.com/([^/]+/[^/]+)/([0-9a-f]{40})/(.+)", MODULE.CHINCHILLA_URL)
    assert MODULE.CHINCHILLA_SHA256 in text
    assert all(part in text for part in commit.groups())


def test_reshaping_gives_the_shared_table(shared):
    """Undo the reshaping of the shared table, and do it again."""
    table = pd.read_csv(shared / "data" / "chinchilla.csv")
    source = pd.DataFrame(
        {
            "x": table["svg_x"],
            "y": table["svg_y"],
            "color": "(0, 0, 0)",
            "Model Size": table["params"],
            "Training FLOP": table["flops"],
            "hex_color": table["hex_color"],
            "loss": table["loss"],
        }
    )
    cells = read_delimited(source.to_csv(index=False).splitlines(keepends=True), ",", "source.csv")
    pd.testing.assert_frame_equal(MODULE.reshape_chinchilla(cells)[list(table)], table, rtol=1e-9, check_dtype=False)
