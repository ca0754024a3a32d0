"""All formats, collected from the files in `formats/` in the order in which they are tried."""

from importlib import import_module
from pkgutil import iter_modules

from . import formats
from .format import Format


def _collected() -> dict[str, Format]:
    """Return the formats by name: each module of the package is one, except for the shared code of the readers."""
    names = [module.name for module in iter_modules(formats.__path__) if not module.ispkg]
    found: list[Format] = [import_module(f"{formats.__name__}.{name}").FORMAT for name in names]
    return {format.name: format for format in sorted(found, key=lambda format: (format.rank, format.name))}


FORMATS = _collected()
