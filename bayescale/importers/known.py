"""The closed set of formats, collected from the files of `formats/` in the order in which they are tried."""

from importlib import import_module
from pkgutil import iter_modules

from . import formats
from .format import Format


def _collected() -> dict[str, Format]:
    """Return format by name: each module of the package, but for what readers share, is one."""
    names = [module.name for module in iter_modules(formats.__path__) if not module.ispkg]
    found: list[Format] = [import_module(f"{formats.__name__}.{name}").FORMAT for name in names]
    return {format.name: format for format in sorted(found, key=lambda format: (format.rank, format.name))}


FORMATS = _collected()
