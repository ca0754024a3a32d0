"""What the house is built to: short modules and bodies, few arguments, refusals by one exception. The layers are held by `lint-imports`."""

import ast
from pathlib import Path

import pytest

from bayescale.laws import LAWS

PACKAGE = Path(__file__).resolve().parents[1] / "bayescale"
MODULES = sorted(PACKAGE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in MODULES}
MODULE_LINES, BODY_LINES, ARGUMENTS = 350, 60, 10
MANY_ARGUMENTS = ("laws", "cli")  # constants of a law, options of a command


def name_of(path):
    return str(path.relative_to(PACKAGE))


def functions(path):
    return [node for node in ast.walk(TREES[path]) if isinstance(node, ast.FunctionDef)]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_is_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MODULE_LINES


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_body_is_short(path):
    long = {}
    for function in functions(path):
        body = function.body[1:] if ast.get_docstring(function) else function.body
        lines = function.end_lineno - body[0].lineno + 1 if body else 0
        if lines > BODY_LINES:
            long[function.name] = lines
    assert not long


@pytest.mark.parametrize(
    "path", [path for path in MODULES if path.relative_to(PACKAGE).parts[0] not in MANY_ARGUMENTS], ids=name_of
)
def test_a_public_function_has_few_arguments(path):
    counted = {f.name: len(f.args.args) + len(f.args.kwonlyargs) for f in functions(path) if f.name[0] != "_"}
    assert not {name: count for name, count in counted.items() if count > ARGUMENTS}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_what_is_refused_is_an_input_error(path):
    """Any other ValueError or TypeError is taken for a bug of ours, and exits with 3."""
    raised = [node.exc for node in ast.walk(TREES[path]) if isinstance(node, ast.Raise) and node.exc]
    names = [ast.unparse(exc.func if isinstance(exc, ast.Call) else exc) for exc in raised]
    assert not {"ValueError", "TypeError"} & set(names)


@pytest.mark.parametrize("path", sorted((PACKAGE / "laws").glob("*.py")), ids=name_of)
def test_a_fitted_law_needs_no_formula_that_nobody_fits(path):
    froms = [node for node in ast.walk(TREES[path]) if isinstance(node, ast.ImportFrom)]
    assert not [node for node in froms if "formulas" in f"{node.module}.{'.'.join(name.name for name in node.names)}"]


def test_what_sets_a_law_apart_stays_with_it():
    """Outside `laws` no module asks for a law by its name: what differs is a part of `Law`."""
    laws = {law.name for law in LAWS.values()}
    for path in MODULES:
        if path.relative_to(PACKAGE).parts[0] in ("laws", "published", "calibrate", "cli"):
            continue
        if name_of(path) == "decide/problem/repeats.py":  # its question is of Chinchilla's law alone
            continue
        compared = [node for node in ast.walk(TREES[path]) if isinstance(node, ast.Compare)]
        for node in compared:
            sides = [node.left, *node.comparators]
            names = [side.value for side in sides if isinstance(side, ast.Constant)]
            about = " ".join(ast.unparse(side) for side in sides)
            assert not (laws & set(names) and "law" in about), f"{name_of(path)}:{node.lineno}"
