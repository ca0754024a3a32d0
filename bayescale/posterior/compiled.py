"""Where PyTensor keeps what it compiles: its own folder, or a temporary one if that cannot be written."""

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path


def ensure_compile_folder() -> None:
    """Give PyTensor a temporary folder, before it is imported, if it could not write to the one in the user's home."""
    flags = os.environ.get("PYTENSOR_FLAGS", "")
    if "pytensor" in sys.modules or "compiledir" in flags:
        return
    try:
        own = Path.home() / ".pytensor"
        own.mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=own):
            return
    except (OSError, RuntimeError):
        folder = tempfile.mkdtemp(prefix="bayescale-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["PYTENSOR_FLAGS"] = ",".join(filter(None, [flags, f"base_compiledir={folder}"]))
