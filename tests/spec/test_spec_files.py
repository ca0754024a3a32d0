"""Where model files are found, and what the ones that ship have in common."""

import shutil

import pytest

from bayescale import list_models, load_spec
from bayescale.laws import LAWS
from bayescale.spec import files

CHECKOUT_MODELS = files._PACKAGE.parent / "models"
SHIPPED = sorted(path.stem for path in CHECKOUT_MODELS.glob("*.toml"))
# A model file but for its title.
UNTITLED = """law = "power"
reference = "Henighan et al. 2020"
inputs = { x = "flops" }
[priors]
T = { dist = "LogNormal", median = 2.5, sigma = 0.8 }
u1 = { dist = "Normal", mu = -1.0, sigma = 1.25 }
log_alpha = { dist = "Normal", mu = -1.6, sigma = 0.7 }
[noise]
dist = "Normal"
sigma = { dist = "HalfNormal", sigma = 0.02 }
"""


@pytest.mark.parametrize("name", SHIPPED)
def test_every_model_that_ships(name):
    spec = load_spec(name)
    assert "arXiv:" in spec.reference
    assert spec.title
    assert set(spec.priors) == set(spec.get_law().sampled)
    assert tuple(spec.inputs) == LAWS[spec.law].inputs
    assert spec.text == (CHECKOUT_MODELS / f"{name}.toml").read_text(encoding="utf-8")
    assert load_spec(CHECKOUT_MODELS / f"{name}.toml") == spec
    if {"params", "tokens"} <= set(spec.inputs) and spec.response == "loss":
        assert spec.drift.per_decade > 0, "a forecast beyond the runs needs a drift"


def test_models_are_listed():
    table = list_models()
    assert table.index.name == "model" and sorted(table.index) == SHIPPED
    assert list(table.columns) == ["title", "law", "inputs", "reference"]
    assert table.loc["chinchilla", "inputs"] == "params, tokens"


def test_each_law_has_a_model():
    assert set(list_models()["law"]) == set(LAWS)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installation with nothing in it: a package folder, in a folder that is a checkout's once `checkout` made it one."""
    monkeypatch.setattr(files, "_PACKAGE", tmp_path / "bayescale")
    (tmp_path / "bayescale").mkdir()
    return tmp_path


def checkout(folder, project='[project]\nname = "bayescale"\n'):
    (folder / "pyproject.toml").write_text(project, encoding="utf-8")


def put(folder, name, title):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.toml").write_text(f'title = "{title}"\n{UNTITLED}', encoding="utf-8")


def put_foreign(folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "resnet.toml").write_text("[model]\ndepth = 50\n", encoding="utf-8")


def test_the_checkout_serves_where_the_package_has_none(package):
    checkout(package)
    put(package / "models", "power", "of the checkout")
    assert load_spec("power").title == "of the checkout"
    assert list(list_models().index) == ["power"]


def test_the_wheel_serves_where_there_is_no_checkout(package):
    put(package / "bayescale" / "models", "power", "of the wheel")
    assert load_spec("power").title == "of the wheel"


def test_the_wheel_serves_alone_even_in_a_checkout(package):
    checkout(package)
    put(package / "models", "power", "of the checkout")
    put(package / "models", "mine", "only in the checkout")
    put(package / "bayescale" / "models", "power", "of the wheel")
    assert load_spec("power").title == "of the wheel"
    assert list(list_models().index) == ["power"]


def test_models_of_others_beside_the_wheel_are_none_of_ours(package):
    """As in site-packages, where any distribution may bring a folder `models`."""
    put(package / "bayescale" / "models", "power", "of the wheel")
    put_foreign(package / "models")
    assert list(list_models().index) == ["power"]
    with pytest.raises(ValueError, match="There is no model 'resnet'"):
        load_spec("resnet")


@pytest.mark.parametrize(
    "project",
    [None, '[project]\nname = "other"\n', "[tool.black]\n", 'project = "bayescale"\n', "[project\n", b"\xff"],
    ids=["no project", "another", "no name", "no table", "no TOML", "no text"],
)
def test_models_of_another_project_are_none_of_ours(package, project):
    put_foreign(package / "models")
    if project is not None:
        (package / "pyproject.toml").write_bytes(project if isinstance(project, bytes) else project.encode())
    assert list_models().empty


def test_unknown_name():
    with pytest.raises(
        ValueError, match=r"There is no model 'chinchila'; the models are .*Did you mean 'chinchilla'\?"
    ):
        load_spec("chinchila")


def test_missing_file(tmp_path):
    with pytest.raises(ValueError, match=r"There is no model file '.*none\.toml'\."):
        load_spec(tmp_path / "none.toml")


def test_a_file_that_is_no_text(tmp_path):
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00title")
    with pytest.raises(ValueError, match=r"bytes\.toml' cannot be read as text"):
        load_spec(tmp_path / "bytes.toml")


def test_a_folder_that_ends_in_toml(tmp_path):
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(ValueError, match="There is no model file"):
        load_spec(tmp_path / "folder.toml")


def test_a_file_by_path(tmp_path):
    shutil.copy(CHECKOUT_MODELS / "power.toml", tmp_path / "my law.toml")
    assert load_spec(tmp_path / "my law.toml") == load_spec("power")
    assert load_spec(str(tmp_path / "my law.toml")) == load_spec("power")
