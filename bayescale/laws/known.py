"""The closed set of laws that a model file may name, collected from the other modules of this folder: each may have a tuple `LAWS`."""

import pkgutil
from collections.abc import Iterator
from importlib import import_module

from .law import Law


def _found() -> Iterator[Law]:
    folder = __name__.rpartition(".")[0]
    for module in pkgutil.iter_modules(import_module(folder).__path__):
        if not module.ispkg and f"{folder}.{module.name}" != __name__:
            yield from getattr(import_module(f"{folder}.{module.name}"), "LAWS", ())


LAWS: dict[str, Law] = {law.name: law for law in sorted(_found(), key=lambda law: law.name)}
