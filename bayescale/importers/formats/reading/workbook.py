"""Workbooks, read by python-calamine within limits of size and extent."""

import re
import zipfile
from pathlib import Path
from typing import Any

from ....errors import given
from ....runs.values import one_line
from .headers import known_headers
from .safe import Unreadable

_MOST_CELLS = 5_000_000  # of a sheet, including blank ones
_UNPACKED = 1_000_000_000  # bytes of a workbook


def read_book(path: Path, wanted: str) -> tuple[str, list[list[Any]], set[tuple[int, int]]]:
    """Return the sheet with the most known names, its rows, and the (row, column) of formulas without a stored result."""
    try:
        import python_calamine as calamine
    except ImportError as error:
        raise Unreadable(
            f"{path.name} needs python-calamine: pip install 'bayescale[sheets]', or export it as CSV."
        ) from error
    _check_unpacked(path)
    try:
        book = calamine.load_workbook(str(path))
        names = list(book.sheet_names)
        grids = {name: _grid(book.get_sheet_by_name(name), path.name) for name in names}
    except Unreadable:
        raise
    except Exception as error:  # calamine raises its own types, and errors from Rust
        raise Unreadable(f"{path.name} is not readable as a workbook: {one_line(error)}.") from error
    if wanted and wanted not in names:
        raise Unreadable(
            f"{path.name} has no sheet '{one_line(wanted)}'; there are: {', '.join(map(one_line, names))}."
        )
    scores = {name: known_headers(grid) for name, grid in grids.items() if not wanted or name == wanted}
    best = max(scores, key=lambda name: scores[name])
    equal = [name for name, score in scores.items() if score == scores[best] and score]
    if len(equal) > 1:
        raise Unreadable(
            f"{path.name} has {len(equal)} sheets with runs: {', '.join(map(one_line, equal))}. "
            f"Choose one with {given(sheet=one_line(equal[0]))}."
        )
    return best, grids[best], _formulas(path, names.index(best))


def _grid(sheet: Any, name: str) -> list[list[Any]]:
    """Return the cells of a sheet; reject it if a single cell far out would make the grid too large for memory."""
    if sheet.total_height * sheet.total_width > _MOST_CELLS:
        raise Unreadable(
            f"{name} has a sheet of {sheet.total_height} x {sheet.total_width} cells; delete the cells far out, or export it as CSV."
        )
    return list(sheet.to_python(skip_empty_area=False))


def _check_unpacked(path: Path) -> None:
    """Reject a workbook that would fill the memory: a large compressed content, or a cell far out, which makes a huge grid."""
    if not zipfile.is_zipfile(path):
        return  # an .xls file, or something that calamine will reject
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(item.file_size for item in archive.infolist())
            if size > _UNPACKED:
                raise Unreadable(
                    f"{path.name} would unpack to {size:.3g} bytes; more than {_UNPACKED:.3g} are not read."
                )
            for name in archive.namelist():
                if name.startswith("xl/worksheets/") and name.endswith(".xml"):
                    _check_extent(archive.read(name), path.name)
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as error:
        raise Unreadable(f"{path.name} is not readable as a workbook: {one_line(error)}.") from error


def _check_extent(xml: bytes, name: str) -> None:
    places = [(_column(letters), int(row)) for letters, row in re.findall(rb'<c r="([A-Z]{1,3})(\d{1,7})"', xml)]
    width, height = (max((place[axis] for place in places), default=0) for axis in (0, 1))
    if width * height > _MOST_CELLS:
        raise Unreadable(
            f"{name} has a sheet of {height} x {width} cells, most of them blank; delete the cells far out, or export it as CSV."
        )


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _formulas(path: Path, sheet: int) -> set[tuple[int, int]]:
    """Return the cells of an XLSX file that hold a formula without a result, as in files written by scripts."""
    if path.suffix.lower() not in (".xlsx", ".xlsm"):
        return set()
    try:
        with zipfile.ZipFile(path) as archive:
            text = archive.read(f"xl/worksheets/sheet{sheet + 1}.xml").decode("utf-8", "replace")
    except (KeyError, zipfile.BadZipFile, OSError, RuntimeError):
        return set()
    found = set()
    for match in re.finditer(r'<c r="([A-Z]{1,3})(\d{1,7})"[^>]*>(.*?)</c>', text, re.DOTALL):
        if "<f" in match[3] and not re.search(r"<v>[^<]", match[3]):
            found.add((int(match[2]) - 1, _column(match[1].encode()) - 1))
    return found
