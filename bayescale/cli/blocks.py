"""Options that several commands share, written once: a parameter marked with a `Block` stands for the options that a function reads.

    Limits = Annotated[Any, Block(read_limits)]

    def allocate(fit: Fit, limits: Limits) -> None: ...

has the options of `read_limits`, and receives what that function returns.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import update_wrapper
from inspect import Parameter, Signature, signature
from typing import Any, get_args

from .options import check_out


@dataclass(frozen=True)
class Block:
    """Marks a parameter that stands for the options of a function and receives what it returns."""

    read: Callable[..., Any]


def expanded(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command with its own options, followed by those of its blocks instead of the parameters that stand for them."""
    own = signature(command, eval_str=True).parameters
    blocks = {name: read for name, parameter in own.items() if (read := _block_of(parameter)) is not None}
    if not blocks:
        return command
    options = {name: signature(read, eval_str=True).parameters for name, read in blocks.items()}
    parameters = [parameter for name, parameter in own.items() if name not in blocks]
    for shared in options.values():
        parameters += shared.values()
    parameters = [parameter.replace(kind=Parameter.KEYWORD_ONLY) for parameter in parameters]

    def call(**given: Any) -> None:
        # A table must not overwrite a file that another option reads.
        check_out(
            given.get("out"), *(value for name, value in given.items() if name != "out" and isinstance(value, str))
        )
        made = {name: read(**{key: given.pop(key) for key in options[name]}) for name, read in blocks.items()}
        command(**made, **given)

    update_wrapper(call, command)
    del call.__wrapped__  # type: ignore[attr-defined]
    call.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return call


def _block_of(parameter: Parameter) -> Callable[..., Any] | None:
    return next((mark.read for mark in get_args(parameter.annotation) if isinstance(mark, Block)), None)
