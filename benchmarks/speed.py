"""Times and peak memory: fits in whole cold processes beside their rivals, start-up of commands, decisions, curves, and fits of
many rows.

The fits are of the 240 points of Chinchilla (data set `chinchilla`); our times are medians of five, those of rivals of up to three. Run it
on an idle machine, by the Python of an environment that `pip install .` made: xarray imports Dask where it is installed (0.5 s), and the
tests install it. Writes results/speed.csv, after each part.

    python benchmarks/speed.py                       # all parts but the table of 100,000 rows; mostly rivals
    python benchmarks/speed.py fits start curves     # some of them; the others keep their rows
    python benchmarks/speed.py rows 100000           # rows of this number alone
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "speed.csv"
COLUMNS = ["part", "what", "seconds", "cpu_seconds", "times_ours", "peak_mb", "limit", "within", "details"]
OURS, RIVALS, REPEATS = 5, 3, 7
LONG = 60.0  # seconds beyond which a process is not repeated
COMMAND = [sys.executable, "-m", "bayescale"]
ROWS = (100, 1000, 10_000)
BREAKS = [(0.2, 3e3, 0.3), (-0.3, 5e4, 0.4)]  # change of slope, place and sharpness of each break of the curves


class Used(NamedTuple):
    """What a process took: seconds by the clock and of all processors, and megabytes at the peak of its largest process."""

    seconds: float
    cpu_seconds: float
    peak_mb: float
    text: str


def run(command: list[str], **environment: str) -> Used:
    """Run a command that must succeed."""
    variables = {**os.environ, "PYTHONPATH": str(HERE.parent), **environment}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package is compiled
    start = time.perf_counter()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdout=out, stderr=errors, env=variables)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - start
        out.seek(0)
        errors.seek(0)
        if process.returncode not in (0, 1):  # 1 is a failed check, which the details show
            raise RuntimeError(f"{' '.join(command)}: {errors.read().decode()[-2000:]}")
        return Used(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, out.read().decode())


def cold(command: list[str], repeats: int, **environment: str) -> Used:
    """Return medians over fresh processes, with the last output; what takes a minute is not repeated."""
    found = [run(command, **environment)]
    while len(found) < repeats and found[0].seconds < LONG:
        found.append(run(command, **environment))
    seconds, cpu, peak, texts = zip(*found, strict=True)
    return Used(statistics.median(seconds), statistics.median(cpu), max(peak), texts[-1])


def row(part: str, what: str, used: Used | float, limit: float = np.nan, details: str = "", **more: Any) -> dict:
    """Return one row of the table."""
    seconds = used.seconds if isinstance(used, Used) else used
    both = {"cpu_seconds": used.cpu_seconds, "peak_mb": used.peak_mb} if isinstance(used, Used) else {}
    within = "" if np.isnan(limit) else str(seconds <= limit)
    return {
        "part": part,
        "what": what,
        "seconds": seconds,
        "limit": limit,
        "within": within,
        "details": details,
        **both,
        **more,
    }


def fits(folder: Path) -> list[dict]:
    """Fits of the 240 points, each in a process of its own."""
    from board.rivals import TOOLS
    from others import read_others

    runs = read_others("chinchilla")
    runs = runs[runs["in_fit"] == 1][["run", "params", "tokens", "loss"]]
    table, cache, out = str(folder / "runs.csv"), str(folder / "compiled"), str(folder / "fit.nc")
    runs.to_csv(table, index=False)
    one = [*COMMAND, "fit", table, "--model", "chinchilla", "--out", out]
    own = {"PYTENSOR_FLAGS": f"base_compiledir={cache}"}
    found = []

    def add(
        what: str, command: list[str], repeats: int, *, limit: float = np.nan, ours: bool = True, **environment: str
    ) -> None:
        used = cold(command, repeats, **environment)
        details = about_fit(Path(out)) if ours else numbers_of(used.text)
        ratio = used.seconds / found[0]["seconds"] if found else 1.0
        found.append(row("fit", what, used, limit, details, times_ours=ratio))
        print(
            f"{what}: {used.seconds:.2f} s ({used.cpu_seconds:.2f} of processors), {ratio:.1f} times, {used.peak_mb:.0f} MB; {details}",
            flush=True,
        )

    run(one)  # compiles the package itself
    add("bayescale fit --model chinchilla", one, OURS, limit=2.0)
    add("bayescale fit (average of laws)", [*COMMAND, "fit", table, "--out", out], OURS, limit=10.0)
    add("bayescale fit --engine nuts, first", [*one, "--engine", "nuts"], 1, **own)
    add("bayescale fit --engine nuts, compiled before", [*one, "--engine", "nuts"], RIVALS, **own)
    add(
        "PyMC, the paper's parameters and its own sampler",
        [sys.executable, str(HERE / "rivals.py"), "pymc", table],
        RIVALS,
        ours=False,
    )
    if find_spec("nutpie"):
        add("nutpie, our graph", [*one, "--nuts-sampler", "nutpie"], RIVALS, **own)
    add(
        "Huber loss, 4,500 starts of L-BFGS",
        [sys.executable, str(HERE / "rivals.py"), "huber", table],
        RIVALS,
        ours=False,
    )
    if TOOLS.is_file():
        simple = [str(TOOLS), str(HERE / "board" / "tools.py"), table]
        add("simple-scaling-laws, with its bootstrap", simple, RIVALS, ours=False)
    else:
        found.append(row("fit", "simple-scaling-laws", np.nan, details="skipped: the package is not installed"))
    return found


def curves(folder: Path) -> list[dict]:
    """Broken laws with 0, 1 and 2 breaks, fitted to a simulated curve of 100 points that has as many, and averaged."""
    from bayescale.laws.bnsl import value

    x, found = np.geomspace(1e2, 1e6, 100), []
    for n in range(len(BREAKS) + 1):
        broken = value(x, a=0.5, b=10.0, c0=0.3, breaks=BREAKS[:n])
        noise = np.random.default_rng(n).standard_normal(100)
        table = folder / f"curve-{n}.csv"
        pd.DataFrame({"steps": x, "loss": broken * np.exp(0.01 * noise)}).to_csv(table, index=False)
        words = ["fit-breaks", str(table), "--at", "steps", "--out", str(folder / "curve.nc")]
        used = cold([*COMMAND, *words], RIVALS)
        found.append(
            row("curve", f"bayescale fit-breaks, curve with {n} breaks", used, 12.0, about_fit(folder / "curve.nc"))
        )
        print(f"fit-breaks, {n} breaks: {used.seconds:.2f} s ({used.cpu_seconds:.2f} of processors)", flush=True)
    return found


def about_fit(path: Path) -> str:
    """Say what the last fit at a path found: effective points, effective draws, failed checks."""
    import arviz_stats as azs

    from bayescale import load_fit
    from bayescale.posterior.store import failed_path, weighed_fits

    failed = failed_path(path)
    path = (
        failed if failed.is_file() and (not path.is_file() or failed.stat().st_mtime > path.stat().st_mtime) else path
    )
    said = []
    for name, one in weighed_fits(load_fit(path)).items():
        checks = pd.DataFrame(json.loads(one.attrs["check"]))
        open_ = checks[(checks["severity"] == "fail") & ~checks["passed"]]["name"]
        text = f"{name} ESS {float(azs.ess(one['posterior'].to_dataset()).to_array().min()):.0f}"
        if "effective_points" in one["sample_stats"]:
            text += f", effective points {float(one['sample_stats']['effective_points']):.0f}"
        else:
            text += f", R-hat {float(azs.rhat(one['posterior'].to_dataset()).to_array().max()):.3f}"
        said.append(text.strip() + (f", failed: {', '.join(open_)}" if len(open_) else ""))
    return "; ".join(said)


def numbers_of(text: str) -> str:
    """Say what a process printed as JSON."""
    return ", ".join(f"{name} {value:.4g}" for name, value in json.loads(text.splitlines()[-1]).items())


def start(folder: Path) -> list[dict]:
    """Start-up of the command line compared with importing pandas, xarray and h5netcdf, and decisions in process."""
    fit, average = str(folder / "small.nc"), str(folder / "average.nc")
    bundled = [*COMMAND, "fit", "kernel-bytes", "--family", "kernel-bytes-mlp", "--where", "sweep in grid,seed"]
    run([*bundled, "--model", "chinchilla", "--out", fit])
    run([*bundled, "--out", average])
    base = cold([sys.executable, "-c", "import pandas, xarray, h5netcdf"], REPEATS).seconds
    found = [row("start", "import bayescale (importtime)", import_seconds(), limit=0.2)]
    for what, words, before, limit in (
        ("bayescale --help", ["--help"], 0.0, 0.6),
        (
            "forecast, above importing pandas, xarray and h5netcdf",
            ["forecast", fit, "--params", "1e6", "--tokens", "1e7"],
            base,
            0.5,
        ),
        ("allocate, above importing pandas, xarray and h5netcdf", ["allocate", fit, "--flops", "1e14"], base, 0.5),
    ):
        used = cold([*COMMAND, *words], REPEATS)
        found.append(row("start", what, used._replace(seconds=used.seconds - before), limit))
    return found + decisions(fit, average)


def import_seconds() -> float:
    """Cumulative import time of bayescale as -X importtime counts it, without the interpreter's start."""
    times = []
    for _ in range(REPEATS):
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-c", "import bayescale"], capture_output=True, text=True
        )
        (line,) = [line for line in done.stderr.splitlines() if line.split("|")[-1].strip() == "bayescale"]
        times.append(int(line.split("|")[1]) / 1e6)
    return statistics.median(times)


def decisions(fit: str, average: str) -> list[dict]:
    """Times of decisions from 4,000 loaded draws: by an average of laws, with all limits at once, along 200 budgets."""
    from bayescale import Budget, CostModel, Demand, Limits, Target, allocate, load_fit, pareto

    idata, several = load_fit(fit), load_fit(average)
    reach = float(np.exp(idata["constant_data"]["log_reach_max"]))
    costs = CostModel(
        "H100-SXM", usd_per_gpu_hour=2.5, mfu=0.4, mfu_prefill=0.4, mfu_decode=0.02, accelerators=8
    )  # made-up prices: they do not affect the time
    limits = Limits(max_params=1e6, max_tokens=1e8, unique_tokens=5e7, days=1)
    budget = Budget(flops=300 * reach, costs=costs, demand=Demand(1e8, 0.5, 0.7))
    asked = {"limits": limits, "target": Target(1.6), "risk": "cvar:0.1"}
    budgets = np.geomspace(reach, 900 * reach, 200)
    return [
        row("decision", "one allocation, average of laws", _median(lambda: allocate(several, 300 * reach)), limit=0.12),
        row("decision", "one allocation, all limits", _median(lambda: allocate(idata, budget, **asked)), limit=0.05),
        row("decision", "frontier of 200 budgets", _median(lambda: pareto(idata, budgets)), limit=2.0),
    ]


def _median(work: Callable[[], object]) -> float:
    times = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def rows(numbers: tuple[int, ...] = ROWS) -> list[dict]:
    """Fit simulated tables of more and more runs, each in a process of its own, and time its parts."""
    found = []
    for n in numbers:
        used = run([sys.executable, __file__, "simulated", str(n)])
        found.append(row("rows", f"{n} runs", used, details=numbers_of(used.text)))
        print(f"{n} runs: {used.seconds:.1f} s, {used.peak_mb:.0f} MB; {found[-1]['details']}", flush=True)
    return found


def simulated(n: int) -> dict[str, float]:
    """Fit a table of n runs simulated from the constants of Besiroglu et al. 2024; seconds of each part, and what is kept."""
    from bayescale import check_fit, fit, load_spec, read_runs, save_fit

    rng = np.random.default_rng(n)
    params = np.exp(rng.uniform(np.log(1e7), np.log(3e9), n))
    tokens = params * np.exp(rng.uniform(np.log(3), np.log(300), n))
    curve = 1.8172 + 482.01 / params**0.3478 + 2085.43 / tokens**0.3658
    loss = curve * np.exp(0.006 * rng.standard_t(8, n))
    times = [time.perf_counter()]
    runs = read_runs(
        pd.DataFrame({"run": [f"r{i}" for i in range(n)], "params": params, "tokens": tokens, "loss": loss})
    )
    times.append(time.perf_counter())
    idata = fit(load_spec("chinchilla"), runs, engine="auto", max_seconds=120, random_seed=1)
    times.append(time.perf_counter())
    check_fit(idata)
    times.append(time.perf_counter())
    with tempfile.TemporaryDirectory() as folder:
        size = save_fit(idata, f"{folder}/fit.nc").stat().st_size
    times.append(time.perf_counter())
    read, whole, check, save = np.diff(times)
    stats, draws = idata["sample_stats"], idata["posterior"].sizes
    return {
        "read": read, "sample": whole - check, "check": check, "save": save, "file_mb": size / 1e6,
        "draws": draws["chain"] * draws["draw"], "effective_points": float(stats.get("effective_points", np.nan)),
    }  # fmt: skip


def keep(found: list[dict]) -> None:
    """Put rows into the table in the place of those with the same name."""
    new = pd.DataFrame(found, columns=COLUMNS)
    if RESULTS.is_file():
        old = pd.read_csv(RESULTS, keep_default_na=False, na_values={name: [""] for name in COLUMNS[2:7]})
        fresh = set(zip(new["part"], new["what"], strict=True))
        kept = [key not in fresh for key in zip(old["part"], old["what"], strict=True)]
        new = pd.concat([old[kept], new])
    RESULTS.parent.mkdir(exist_ok=True)
    new.sort_values("part", kind="stable").to_csv(RESULTS, index=False, float_format="%.3f")


def main() -> None:
    """Run the parts that are asked for, and print the table."""
    words = sys.argv[1:]
    if words[:1] == ["simulated"]:
        print(json.dumps(simulated(int(words[1]))))
        return
    numbers = tuple(int(word) for word in words if word.isdigit()) or ROWS
    parts = (("start", start), ("fits", fits), ("curves", curves), ("rows", lambda _: rows(numbers)))
    with tempfile.TemporaryDirectory() as name:
        for part, work in parts:
            if not words or part in words:
                keep(work(Path(name)))
    print(pd.read_csv(RESULTS).to_string())


if __name__ == "__main__":
    main()
