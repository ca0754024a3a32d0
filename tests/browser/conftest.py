"""A real browser: Debian's Chromium, driven by Playwright; without one these tests are skipped, and say so."""

import importlib.util
import io
import json
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_AXE = "axe-core@4"


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in Path(item.path).parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium():
    """The browser, for the whole session."""
    if importlib.util.find_spec("playwright") is None:
        pytest.skip("Playwright is absent: pip install 'bayescale[browser]'")
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium):
    """Open a file at a width; give its page, and a list of all that the console and the page complained about."""
    contexts = []

    def open_(path, width=1280, **how):
        context = chromium.new_context(viewport={"width": width, "height": 900}, offline=True, **how)
        contexts.append(context)
        page, complaints = context.new_page(), []
        page.on(
            "console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", lambda request: complaints.append(f"asked for {request.url}"))
        page.goto(Path(path).resolve().as_uri())
        return page, complaints

    yield open_
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def axe():
    """The script of axe-core, from the npm registry by its own client; it is no part of the project."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is absent, which brings axe-core")
    with tempfile.TemporaryDirectory() as folder:
        packed = subprocess.run(
            [npm, "pack", _AXE, "--json", "--silent"], cwd=folder, capture_output=True, text=True, timeout=300
        )
        if packed.returncode:
            pytest.skip(f"npm cannot fetch {_AXE}: {packed.stderr.strip()[-200:]}")
        archive = Path(folder) / json.loads(packed.stdout)[0]["filename"]
        with tarfile.open(fileobj=io.BytesIO(archive.read_bytes())) as tar:
            script = tar.extractfile("package/axe.min.js")
            return script.read().decode()
