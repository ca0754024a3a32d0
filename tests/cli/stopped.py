"""A script for tests: run the command in processes of its own and stop each from outside, at a known moment.

It imports the package once and forks for each case, because a new interpreter takes seconds.
"""
# ruff: noqa: F401  (imported once, before the forks)

import json
import os
import signal
import sys
import time

import arviz_stats
import h5netcdf
import pandas
import rich.console
import rich.table

import bayescale.cli.fit
import bayescale.cli.recipes
import bayescale.files
import bayescale.forecasts
import bayescale.posterior
import bayescale.runs
from bayescale import load_fit
from bayescale.cli.main import main


def at(stage, fit, ready):
    """Make the command stop and say so at a stage: reading, sampling or writing."""

    def wait(*_, **__):
        os.write(ready, b"1")
        while True:
            time.sleep(0.01)

    made = load_fit(fit)
    made.attrs |= {"notes": "{}", "left_out": "[]", "dropped": "[]"}
    bayescale.posterior.fit = lambda *_, **__: made
    match stage:
        case "reading":
            bayescale.runs.read_runs = wait
        case "sampling":
            bayescale.posterior.fit = wait
        case "writing":
            bayescale.files.os.fsync = wait


def case(words, stage, number, fit, streams):
    """Return how one command ended, and what it printed."""
    told, ready = os.pipe()
    heard, said = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(said, 2)
        for target, path in streams.items():
            os.dup2(os.open(path, os.O_WRONLY), int(target))
        if "closed" in stage:
            left, right = os.pipe()
            os.close(left)
            os.dup2(right, 1)
        at(stage, fit, ready)
        code = 99
        try:
            main(words)
        except SystemExit as end:
            code = end.code or 0
        try:
            sys.stdout.flush()
        except OSError:
            code = 120
        os._exit(code)
    os.close(said)
    os.close(ready)  # so that reading ends if the child does
    if number and os.read(told, 1):
        os.kill(child, number)
    os.close(told)
    status = os.waitpid(child, 0)[1]
    with os.fdopen(heard, errors="replace") as file:
        return {"code": os.waitstatus_to_exitcode(status), "err": file.read()}


if __name__ == "__main__":
    signal.alarm(300)
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # a job in the background of a shell ignores it, and so would its forks
    cases = json.loads(sys.stdin.read())
    load_fit(cases["no stderr"]["fit"])
    print(json.dumps({name: case(**one) for name, one in cases.items()}))
