"""What an import costs: 500 run folders with 1e5 lines each, of five formats, and the same with a bad file among them.

The target is 60 s and 1 GB on two cores. Writes results/importing.csv, one row per format and one for all.

    python benchmarks/importing.py [folders, 500 by default]
"""

import json
import resource
import shutil
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from bayescale import ImportAnswers, import_runs

RESULTS = Path(__file__).parent / "results"
LINES = 100_000
EVERY = 1000  # lines per evaluation
BATCH = 32_768


def losses(seed: int) -> np.ndarray:
    """Return a noisy training loss per line, a nat apart for each thousand of seeds: equal runs in two formats would be merged."""
    steps = np.arange(1, LINES + 1)
    return 1.8 + seed // 1000 + 8 * steps**-0.3 + np.random.default_rng(seed).normal(0, 0.02, LINES)


def write_lightning(folder: Path, seed: int) -> None:
    """Write metrics.csv and hparams.yaml."""
    loss = losses(seed)
    rows = (
        f"0,,{step},{loss[step]:.5f},{loss[step] if step % EVERY == EVERY - 1 else '':.5}\n" for step in range(LINES)
    )
    folder.joinpath("metrics.csv").write_text("epoch,lr-AdamW,step,train_loss,val_loss\n" + "".join(rows))
    folder.joinpath("hparams.yaml").write_text(
        f"non_embedding_params: 12000000\nbatch_tokens: {BATCH}\nmax_steps: {LINES}\n"
    )


def write_nanogpt(folder: Path, seed: int) -> None:
    """Write a text log with one iteration per line."""
    loss, lines = losses(seed), ["tokens per iteration will be: 32,768\n", "number of parameters: 12.00M\n"]
    for step in range(1, LINES + 1):
        if step % EVERY == 0:
            lines.append(f"step {step}: train loss {loss[step - 1]:.4f}, val loss {loss[step - 1]:.4f}\n")
        lines.append(f"iter {step}: loss {loss[step - 1]:.4f}, time 612.00ms, mfu 2.20%\n")
    folder.joinpath("train.log").write_text("".join(lines))


def write_megatron(folder: Path, seed: int) -> None:
    """Write a text log of Megatron-LM."""
    loss, lines = losses(seed), ["  seq_length ........ 1024\n", "  num_layers ........ 8\n"]
    lines.append(" > number of parameters on (tensor, pipeline) model parallel rank (0, 0): 12000000\n")
    for step in range(1, LINES + 1):
        lines.append(
            f" [2026-01-02 03:12:20] iteration {step:8d}/{LINES:8d} | consumed samples: {step * 32:12d} | learning rate: 3.000000E-03 | "
            f"lm loss: {loss[step - 1]:.6E} | grad norm: 0.512 |\n"
        )
        if step % EVERY == 0:
            lines.append(
                f" validation loss at iteration {step} on validation set | lm loss value: {loss[step - 1]:.6E} | lm loss PPL: 9.0E+01 |\n"
            )
    folder.joinpath("slurm.out").write_text("".join(lines))


def write_history(folder: Path, seed: int) -> None:
    """Write a W&B history with one record per line."""
    loss, lines = losses(seed), []
    for step in range(1, LINES + 1):
        row = {
            "_step": step,
            "_timestamp": 1.7e9 + step,
            "train/loss": round(loss[step - 1], 5),
            "tokens": step * BATCH,
            "global_step": step,
        }
        if step % EVERY == 0:
            row["eval/loss"] = row["train/loss"]
        lines.append(json.dumps(row) + "\n")
    folder.joinpath("history.jsonl").write_text("".join(lines))


def write_tensorboard(folder: Path, seed: int) -> None:
    """Write an event file with one scalar per record."""
    loss, parts = losses(seed), []
    for step in range(1, LINES + 1):
        for tag, value in (
            (b"train/loss", loss[step - 1]),
            *(((b"eval/loss", loss[step - 1]), (b"train/tokens", step * BATCH)) if step % EVERY == 0 else ()),
        ):
            scalar = b"\x0a" + bytes([len(tag)]) + tag + b"\x15" + struct.pack("<f", value)
            summary = b"\x0a" + bytes([len(scalar)]) + scalar
            event = (
                b"\x09"
                + struct.pack("<d", 1.7e9 + step)
                + b"\x10"
                + _varint(step)
                + b"\x2a"
                + bytes([len(summary)])
                + summary
            )
            parts.append(struct.pack("<Q", len(event)) + b"\0\0\0\0" + event + b"\0\0\0\0")
    folder.joinpath("events.out.tfevents.1767322800.toyhost.0").write_bytes(b"".join(parts))


def _varint(value: int) -> bytes:
    parts = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


WRITERS: dict[str, Callable[[Path, int], None]] = {
    "lightning csv": write_lightning,
    "nanogpt": write_nanogpt,
    "megatron": write_megatron,
    "wandb history": write_history,
    "tfevents": write_tensorboard,
}


def make(root: Path, folders: int) -> None:
    """Write the folders; ten different logs of each format are made and copied, since only reading is measured."""
    each = folders // len(WRITERS)
    for kind, (name, write) in enumerate(WRITERS.items()):
        for place in range(each):
            folder = root / name.replace(" ", "-") / f"run-{place:03d}"
            folder.mkdir(parents=True)
            if place < 10:
                write(folder, 1000 * kind + place)
            else:
                shutil.copytree(folder.parent / f"run-{place % 10:03d}", folder, dirs_exist_ok=True)
    (root / "broken").mkdir()
    (root / "broken" / "trainer_state.json").write_text('{"log_history": [{"step": 1, "eval_lo')


def measure(sources: list[Path]) -> dict[str, float]:
    """Return seconds, runs read and the peak memory of this process and of its largest worker, in GB."""
    answers = ImportAnswers(
        params={"run-*": 12e6},  # over those of the logs, which count in two ways
        params_kind="non-embedding",
        batch_tokens={"*": float(BATCH)},
        step_is="updates",
        sequence={"*": 1024.0},
    )
    start = time.perf_counter()
    imported = import_runs(sources, answers, workers=2)
    seconds = time.perf_counter() - start
    memory = [resource.getrusage(who).ru_maxrss / 1e6 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {
        "runs": len(imported.runs),
        "unread": len(imported.report["unread"]),
        "seconds": seconds,
        "memory_gb": memory[0],
        "worker_gb": memory[1],
    }


def main() -> None:
    """Measure each format and all together."""
    folders = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    rows = []
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        make(root, folders)
        size = sum(file.stat().st_size for file in root.rglob("*") if file.is_file()) / 1e9
        for format in WRITERS:
            rows.append({"what": format, **measure([root / format.replace(" ", "-")])})
            print(rows[-1], flush=True)
        rows.append({"what": f"all, {size:.2g} GB", **measure([root])})
        print(rows[-1], flush=True)
    pd.DataFrame(rows).to_csv(RESULTS / "importing.csv", index=False, float_format="%.3g")


if __name__ == "__main__":
    main()
