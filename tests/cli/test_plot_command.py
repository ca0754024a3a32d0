"""`bayescale plot`: a picture as a file, and its refusals."""

import json
from xml.etree import ElementTree


def test_the_command_draws_an_svg(run, fit_file, tmp_path):
    code, out, _ = run("plot", "laws", fit_file, "--plan", "1B,20B", "--out", tmp_path / "laws.svg", "--json")
    printed = json.loads(out)
    assert code == 0 and printed["picture"] == "laws" and "1B params, 20B tokens" in printed["caption"]
    assert ElementTree.parse(tmp_path / "laws.svg").getroot().get("role") == "img"
    for words, said in (
        (("lozz", fit_file), "Pictures are loss: "),
        (("laws", fit_file, "--plan", "1B"), "--plan takes PARAMS,TOKENS"),
        (("loss", fit_file, "--out", tmp_path / "x.gif"), "must end in"),
        (("calibration", fit_file), "CSV table"),
        (("curve", fit_file), "does not suit"),
        (
            ("isoflop", fit_file, "--flops", "1e60", "--out", tmp_path / "far.svg"),
            "beyond the largest fitted run, more than 3",
        ),
        (("laws", fit_file, "--plan", "1e30,1e30", "--out", tmp_path / "far.svg"), "check the number"),
        (("laws", fit_file, "--plan", "1e14,1e14", "--out", tmp_path / "far.svg"), "--max-extrapolation"),
    ):
        code, _, error = run("plot", *words)
        assert code == 2 and said in error
    assert not (tmp_path / "far.svg").exists()
