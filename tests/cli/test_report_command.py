"""`bayescale report`: one file in three formats, its answer on the terminal, and refusals before any work."""

import json

import pytest

from bayescale.report import build


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    """Pictures have tests of their own, and take most of the time."""
    monkeypatch.setattr(build, "drawings", lambda found: {})


def test_it_writes_a_page_and_prints_the_answer(run, light_file, tmp_path):
    code, out, err = run("report", light_file, "--flops", "1e22", "--out", tmp_path / "page.html")
    assert code == 0
    html = (tmp_path / "page.html").read_text()
    assert html.startswith("<!doctype html>") and "What to train next" in html
    assert out.startswith("Train a model of ") and "What would change it:" in out
    assert f"is in {tmp_path / 'page.html'}" in err


def test_markdown_and_json_say_the_same(run, light_file, tmp_path, document):
    asked = ("report", light_file, "--flops", "1e22")
    assert run(*asked, "--format", "md", "--out", tmp_path / "page.md")[0] == 0
    code, out, _ = run(*asked, "--format", "json", "--out", tmp_path / "page.json", "--json")
    printed, written = document(out), json.loads((tmp_path / "page.json").read_text())
    assert code == 0 and printed.pop("report").endswith("page.json") and printed.pop("format") == "json"
    assert written.pop("bayescale_json") == 1
    for each in (printed, written):  # the command of each is its own
        each["sections"].pop()
    assert printed == written
    text = (tmp_path / "page.md").read_text()
    assert all(fact["label"] in text for fact in printed["facts"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--format", "pdf"), "--format must be one of html, md, json"),
        (("--probability", "0.9"), "--probability needs a loss to reach: give --target-loss"),
        (("--inference-tokens", "1e12"), "needs a budget that pays for it"),
        (("--flops", "1e30"), "decades of compute beyond the largest fitted run"),
        (("--plan", "ours"), "--plan takes NAME=VALUE"),
    ],
)
def test_mistakes_are_told(run, light_file, tmp_path, words, said):
    code, _, err = run("report", light_file, *words, "--out", tmp_path / "page.html")
    assert code == 2 and said in " ".join(err.split())
    assert not (tmp_path / "page.html").exists()


def test_a_fit_is_not_overwritten(run, light_file):
    before = light_file.read_bytes()
    code, _, err = run("report", light_file, "--out", light_file)
    assert code == 2 and "would overwrite a fit" in err
    assert light_file.read_bytes() == before
