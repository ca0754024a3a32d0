"""Seconds (of the processor) and peak MB of reading a large CSV of which a filter keeps 200 rows, and a table of 1e5 rows read whole.

Run: python benchmarks/big_table.py [ROWS]; 2,700,000 rows are 280 MB.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

_READ = (
    "import resource, sys; from bayescale.runs import read_runs; runs = read_runs(sys.argv[1], where=sys.argv[2:]);"
    "used = resource.getrusage(resource.RUSAGE_SELF); print(len(runs), round(used.ru_utime, 1), used.ru_maxrss // 1024)"
)


def write(path: Path, rows: int) -> None:
    every = max(1, rows // 200)
    with path.open("w") as file:
        file.write("run,sweep,params,tokens,flops,loss,steps,lr,host,note\n")
        file.writelines(
            f"run-{row:07d},{'log' if row % every else 'grid'},{1e8 + row:.0f},{2e9 + row:.0f},{6 * (1e8 + row) * (2e9 + row):.6e},"
            f"{3 + row / rows:.6f},{row % 5000 + 1},{3e-4 * (1 + row % 7):.6g},node{row % 40:03d},checkpoint of the night\n"
            for row in range(rows)
        )


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 2_700_000
    with tempfile.TemporaryDirectory() as folder:
        for size, where in ((rows, ["sweep=grid"]), (100_000, [])):
            path = Path(folder) / f"{size}.csv"
            write(path, size)
            done = subprocess.run(
                [sys.executable, "-c", _READ, str(path), *where], capture_output=True, text=True, check=True
            )
            kept, seconds, megabytes = done.stdout.split()
            print(f"{path.stat().st_size / 1e6:.0f} MB, {size:,} rows, {kept} used: {seconds} s, {megabytes} MB")


if __name__ == "__main__":
    main()
