"""open_lm: the folder of a run, with `params.txt` and `checkpoints/results.jsonl`."""

from pathlib import Path

from ..format import Format
from ..log import FINISHED, Fact, Log, number_of, series_of
from .reading.safe import head_text, read_json_lines, read_text

TITLE = "open_lm"
_CONFIG = ("accum_freq", "epochs", "global_batch_size", "lr", "seed", "seq_len", "train_num_samples", "wd")


def recognises(path: Path) -> bool:
    """Return whether the path is such a folder."""
    results = path / "checkpoints" / "results.jsonl"
    return path.is_dir() and results.is_file() and '"train_tokens"' in head_text(results)


def read(path: Path) -> list[Log]:
    """Return the run; in an evaluation, `tokens` is the size of its set and `train_tokens` the number of training tokens."""
    file = path / "params.txt"
    lines = read_text(file).split("\n") if file.is_file() else []
    config = {key: value.strip() for key, _, value in (line.partition(": ") for line in lines)}
    kept = {key: config[key] for key in _CONFIG if key in config}
    batch, sequence = (number_of(kept.get(key, "")) for key in ("global_batch_size", "seq_len"))
    rows, epochs = [], []
    for record in read_json_lines(path / "checkpoints" / "results.jsonl"):
        tokens, loss = number_of(record.get("train_tokens")), number_of(record.get("loss"))
        if tokens is None or loss is None or record.get("average"):  # loss of averaged weights: a different recipe
            continue
        data = record.get("val_data")
        name = Path(str(data[0] if isinstance(data, list) and data else data or "")).name
        step = tokens / (batch * sequence) if batch and sequence else tokens
        rows.append((step, {f"valid/{name}/loss": loss, "train/tokens": tokens}))
        epochs.append(number_of(str(record.get("checkpoint_path", "")).removesuffix(".pt").rsplit("_", 1)[-1]))
    planned = number_of(kept.get("epochs", ""))
    done = max((epoch for epoch in epochs if epoch is not None), default=None)
    state = (
        ""
        if planned is None or done is None
        else FINISHED
        if done >= planned
        else f"checkpoint {done:.0f} of {planned:.0f}"
    )
    facts = {"batch_tokens": Fact(batch * sequence, "global_batch_size x seq_len")} if batch and sequence else {}
    # open_lm calls a slice of its data an epoch: this is not repetition
    config_left = {key: value for key, value in kept.items() if key != "epochs"}
    rows.sort(key=lambda row: row[0])
    return [
        Log(
            run=config.get("name") or path.resolve().name,
            source=path.name,
            format=TITLE,
            series=series_of(rows),
            config=config_left,
            facts=facts,
            state=state,
        )
    ]


FORMAT = Format(
    "open-lm",
    TITLE,
    recognises,
    read,
    rank=90,
    on_folders=True,
    takes=("params.txt", "out.log", "checkpoints", "stats*"),
)
