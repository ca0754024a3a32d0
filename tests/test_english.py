"""What users and readers see is plain English: none of the turns that CONTRIBUTING.md lists is in the package or the READMEs."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "models/README.md", "bayescale/importers/README.md")
ROW = re.compile(r"^\| `([^`|]+)` \| `([^`|]+)` \|$", re.MULTILINE)
TURNS = dict(ROW.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")))
PATTERNS = {turn: re.compile(rf"(?<!\w){r'\s+'.join(turn.split())}(?!\w)", re.IGNORECASE) for turn in TURNS}


def literals(source):
    """Give the line and text of each string; the parts of an f-string are joined."""
    tree, parts = ast.parse(source), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts |= {id(part) for part in node.values}
            yield node, "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield node, node.value


def found_in(text, first=1, lines=True):
    """Give the line and the turn of each hit."""
    for turn, pattern in PATTERNS.items():
        for hit in pattern.finditer(text):
            yield first + (text.count("\n", 0, hit.start()) if lines else 0), turn


def test_the_table_holds_plain_turns():
    assert len(TURNS) >= 40
    for turn in TURNS:
        assert re.fullmatch(r"[a-z]+(?:[ -][a-z]+)+", turn), turn


def test_a_turn_is_found_across_lines_and_in_parts_of_f_strings():
    (text,) = (text for _, text in literals('y = f"It {x:.2f} times" f" Hangs\\non {x}."') if "times" in text)
    assert list(found_in(text, 2, lines=False)) == [(2, "hangs on")]
    assert list(found_in("a\nIt\nhangs on")) == [(3, "hangs on")]
    assert not list(found_in("It overhangs on the left."))


def test_no_turn_is_in_the_package_or_the_readmes():
    hits = []
    for path in sorted((ROOT / "bayescale").rglob("*.py")):
        for node, text in literals(path.read_text(encoding="utf-8")):
            as_written = text.count("\n") == node.end_lineno - node.lineno
            hits += [(path, *hit) for hit in found_in(text, node.lineno, as_written)]
    for path in [*sorted((ROOT / "models").glob("*.toml")), *(ROOT / page for page in PAGES)]:
        text = re.sub(r"(?m)^[ \t]*#+ ?", "", path.read_text(encoding="utf-8"))
        hits += [(path, *hit) for hit in found_in(text)]
    assert not hits, "\n".join(
        f"{path.relative_to(ROOT)}:{line}: '{turn}': write '{TURNS[turn]}'" for path, line, turn in hits
    )
