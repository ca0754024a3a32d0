"""What the decision commands print for people, and how they refuse."""

import pytest

PRICES = ["--accelerator", "H100-SXM", "--mfu", "0.4", "--usd-per-gpu-hour", "2.5"]


def said(run, *words):
    code, out, err = run(*words)
    assert code == 0, err
    assert all(len(line) <= 80 for line in out.splitlines())
    return " ".join(out.split())


def test_an_explanation_for_people(run, fit_file, tmp_path):
    out = said(run, "explain", fit_file, "--flops", "1e22", "--plan", "ours=5B,300B", "--out", tmp_path / "plans.csv")
    for words in (
        "Plans, loss and regret in nats/token",
        "20 tokens/param",
        "ours",
        "P(best)",
        "correlation: of ranks",
    ):
        assert words in out
    assert "Without one run" in out and "The nearest rival is" in out
    assert (tmp_path / "plans.csv").read_text().startswith("plan,params,tokens")


def test_overheads_for_people(run, fit_file, tmp_path):
    out = said(
        run, "overhead", fit_file, "--params-ratio", "0.5", "--params-ratio", "0.01", "--out", tmp_path / "o.csv"
    )
    assert "extra compute" in out and "never" in out and "no amount of data is enough" in out
    assert "0.01: " in out or "0.01, " in out, "its warning"
    assert (tmp_path / "o.csv").is_file()


def test_a_frontier_for_people(run, fit_file, tmp_path):
    picture = tmp_path / "frontier.png"
    out = said(
        run,
        "pareto",
        fit_file,
        "--flops",
        "1e21",
        "--flops",
        "1e22",
        "--params-ratio",
        "1",
        "--params-ratio",
        "2",
        "--plot",
        picture,
    )
    assert "Plans that no other plan beats" in out and "are beaten and not shown" in out
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_picture_replaces_no_fit(run, fit_file):
    code, _, err = run("pareto", fit_file, "--plot", fit_file)
    assert code == 2 and err.startswith(f"error: --plot {fit_file} would overwrite a fit")


def test_an_allocation_of_everything(run, fit_file, tmp_path):
    shapes = tmp_path / "shapes.csv"
    shapes.write_text("params,width\n500M,1024\n1B,2048\n2B,2560\n")
    costs = tmp_path / "costs.toml"
    costs.write_text(
        'accelerator = "H100-SXM"\nusd_per_gpu_hour = 2.5\nmfu = 0.4\nmfu_prefill = 0.4\nmfu_decode = 0.02\n'
    )
    out = said(
        run, "allocate", fit_file, "--usd", "20000", "--costs", costs, "--inference-tokens", "1e11:0.4", "--prompt-share", "0.8",
        "--shapes", shapes, "--risk", "cvar:0.1", "--target-loss", "2.5",
    )  # fmt: skip
    for words in ("$20,000", "P(target)", "P(best shape)", "P(overspend)", "risk cvar:0.1", "limited by shapes"):
        assert words in out


def test_the_price_of_certainty(run, fit_file):
    out = said(run, "cheapest", fit_file, "--target-loss", "2.4", "--probability", "0.5", "--probability", "0.9")
    assert "P(target) 0.50 0.90" in out


def test_what_is_worth_its_cost(run, fit_file, tmp_path):
    out = said(run, "worth", fit_file, "--usd-per-nat", "1e6", *PRICES, "--out", tmp_path / "plan.csv")
    assert "$" in out and "GPU-hours" in out and "expected regret" in out
    assert ",net-value," in (tmp_path / "plan.csv").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["allocate", "--usd", "5"], "(--usd-per-gpu-hour)"),
        (["allocate", "--flops", "1e21", "--prompt-share", "0.5"], "give --inference-tokens"),
        (["allocate", "--flops", "1e21", "--inference-tokens", "1e12:much"], "TOKENS:SIGMA"),
        (["allocate", "--flops", "1e21", "--shapes", "none.csv"], "no file"),
        (["allocate", "--flops", "1e21", "--probability", "0.9"], "give --target-loss"),
        (["cheapest", "--target-loss", "1.0", "--probability", "0.9"], "The largest possible is P = 0.00"),
        (["allocate", "--target-loss", "2.0", "--probability", "0.9"], "(bayescale cheapest)"),
        (
            ["allocate", "--flops", "1e21", "--target-loss", "0.5", "--probability", "0.9"],
            "the largest possible is P = 0.00",
        ),
        (["cheapest", "--target-loss", "2.0", "--probability", "0.9", "--risk", "cvar:0.1"], "No such option: --risk"),
        (
            ["cheapest", "--target-loss", "2.0", "--probability", "0.9", "--shapes", "SHAPES"],
            "`shapes` (--shapes) is not used by",
        ),
        (["cheapest", "--target-loss", "2.0"], "--probability"),
        (["cheapest", "--probability", "0.9"], "--target-loss"),
        (["worth"], "`usd_per_nat` (--usd-per-nat)"),
        (["worth", "--usd-per-nat", "1e6"], "(--usd-per-gpu-hour)"),
        (["worth", "--usd-per-nat", "-1", *PRICES], "`usd_per_nat` (--usd-per-nat) must be a positive number"),
        (["worth", "--usd-per-point", "1e6", *PRICES], "`metric` (--metric)"),
        (["explain", "--flops", "1e21", "--shapes", "SHAPES"], "`shapes` (--shapes) is not used by explain"),
        (["explain", "--flops", "1e21", "--plan", "ours=1B"], "NAME=PARAMS,TOKENS"),
        (["explain", "--flops", "1e21", "--risk", "target"], "`risk` (--risk) cannot be `target`"),
        (["pareto", "--flops", "1e28"], "decades of compute"),
        (["overhead", "--params-ratio", "-1"], "`params_ratio`"),
    ],
)
def test_refusals(run, fit_file, tmp_path, words, message):
    (tmp_path / "shapes.csv").write_text("params\n1B\n2B\n")
    words = [tmp_path / "shapes.csv" if word == "SHAPES" else word for word in words]
    code, out, err = run(words[0], fit_file, *words[1:])
    assert code == 2 and not out and message in " ".join(err.split())
    assert len(err.splitlines()) <= 4
