"""What a notebook may be told: the parameters it declares, and values checked against them before a run.

Papermill itself only logs an unknown name or a wrong type and reports the default market.
"""

import ast
import hashlib
import json
import math
import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from types import GenericAlias
from typing import Any

import nbformat
import papermill
from nbformat import NotebookNode
from pydantic import ConfigDict, TypeAdapter, ValidationError

from retention_kit.errors import KitError, UsageError, listed, unknown_name

TYPES: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool, "list": list, "dict": dict}
"""The types a parameter can have; a date is an ISO string."""

KERNEL = {"name": "python3", "language": "python", "display_name": "Python 3"}
"""The kernel every notebook runs on, whatever it was last saved with."""


@dataclass(frozen=True)
class Parameter:
    """A parameter as the notebook's `parameters` cell declares it: `name: type = default  # help`."""

    name: str
    type: type | GenericAlias | None
    written_type: str
    default: Any
    help: str


@dataclass(frozen=True)
class Notebook:
    """A notebook that was read once: what is checked is what runs."""

    name: str
    sha256: str
    node: NotebookNode
    parameters: dict[str, Parameter]


def read_notebook(path: Path) -> Notebook:
    """Return the notebook in a file and the parameters it declares.

    Raises
    ------
    UsageError : no such file, not a notebook, no cell tagged `parameters`, nothing declared in it.
    """
    content = _content(path)
    try:
        node = nbformat.reads(content.decode("utf-8"), as_version=4)
        nbformat.validate(node)
    except Exception as why:  # nbformat raises KeyError, AttributeError and others for files of other kinds
        raise UsageError(
            f"{path.name} is not a notebook that can be read.",
            found=type(why).__name__,
            to_try="open it in JupyterLab, and save it again",
        ) from why
    node.metadata["kernelspec"] = dict(KERNEL)
    return Notebook(path.name, hashlib.sha256(content).hexdigest(), node, _declared(node, name=path.name))


def parsed(declared: Mapping[str, Parameter], written: Mapping[str, str]) -> dict[str, Any]:
    """Return values by name from text of the command line, converted by the declared types and no other way.

    `str` is taken as it is; `int` is digits, `float` a decimal number, `bool` true or false,
    `list` and `dict` are JSON.

    Raises
    ------
    UsageError : a name that is not declared (names the near miss), text that is not of the declared type.
    """
    return {name: _value(_known(declared, name), text) for name, text in written.items()}


def checked(declared: Mapping[str, Parameter], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values, each of a declared name and of exactly the declared type.

    Raises
    ------
    UsageError : a name that is not declared (names the near miss), a value of another type.
    """
    for name, value in values.items():
        parameter = _known(declared, name)
        if not _fits(parameter, value):
            raise _wrong_type(parameter, repr(value))
    return dict(values)


def without_paths(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters as they may be published: no folder, address or password, and no twin."""
    return {name: _without_path(value) for name, value in parameters.items() if name != "twin"}


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as why:
        beside = sorted(file.name for file in path.parent.glob("*.ipynb")) if path.parent.is_dir() else []
        error = unknown_name("notebook", path.name, beside)
        raise UsageError(error.what, found=error.found, to_try=error.to_try or "check the path") from why


def _declared(node: NotebookNode, *, name: str) -> dict[str, Parameter]:
    """Return the notebook's parameters by name."""
    if not any("parameters" in cell.metadata.get("tags", []) for cell in node.cells):
        raise UsageError(
            f"{name} has no cell tagged 'parameters', so it cannot be told which market to report.",
            to_try="put them into one cell, each 'name: type = default  # help', and tag it 'parameters'",
        )
    inspected = papermill.inspect_notebook(deepcopy(node))
    return {
        key: Parameter(
            name=key,
            type=_type(found["inferred_type_name"], found["default"]),
            written_type=found["inferred_type_name"].strip(),
            default=_literal(found["default"]),
            help=found["help"],
        )
        for key, found in inspected.items()
    }


def _type(written: str, default: str) -> type | GenericAlias | None:
    """Return the declared type, or the default's where none is declared; None if it is not one of `TYPES`."""
    try:
        if written == "None":
            of_default = type(ast.literal_eval(default))
            return of_default if of_default in TYPES.values() else None
        return _of_annotation(ast.parse(written.strip(), mode="eval").body)
    except (ValueError, SyntaxError, KeyError):
        return None


def _literal(written: str) -> Any:
    """Return the default as the value it is, or as it is written where it is computed."""
    try:
        return ast.literal_eval(written)
    except (ValueError, SyntaxError):
        return written


def _of_annotation(node: ast.expr) -> type | GenericAlias:
    if isinstance(node, ast.Subscript):
        inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        return GenericAlias(_of_annotation(node.value), tuple(_of_annotation(part) for part in inner))
    if isinstance(node, ast.Name):
        return TYPES[node.id]
    raise ValueError("not a type that Papermill can pass")


def _known(declared: Mapping[str, Parameter], name: str) -> Parameter:
    if name not in declared:
        raise unknown_name("parameter", name, declared)
    parameter = declared[name]
    if parameter.type is None:
        raise UsageError(
            f"The parameter '{name}' has no type that can be given from outside.",
            found=parameter.written_type if parameter.written_type != "None" else f"default {parameter.default!r}",
            to_try=f"declare it as one of {listed(TYPES)}; a date is a str such as '2026-01-01'",
        )
    return parameter


def _fits(parameter: Parameter, value: Any) -> bool:
    try:
        TypeAdapter(parameter.type, config=ConfigDict(strict=True)).validate_python(value)
    except ValidationError:
        return False
    return not isinstance(value, float) or math.isfinite(value)


def _value(parameter: Parameter, text: str) -> Any:
    value = _CONVERSIONS[getattr(parameter.type, "__origin__", parameter.type)](text)
    if value is None or not _fits(parameter, value):
        raise _wrong_type(parameter, f"'{text}'")
    return value


def _json(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_number)
    except ValueError:
        return None


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_CONVERSIONS = {
    str: str,
    int: lambda text: int(text) if re.fullmatch(r"[+-]?[0-9]+", text) else None,
    float: lambda text: (
        float(text) if re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text) else None
    ),
    bool: {"true": True, "false": False}.get,
    list: _json,
    dict: _json,
}

_EXAMPLES = {
    str: "text",
    int: "a whole number such as 90",
    float: "a number such as 0.95",
    bool: "true or false",
    list: 'a JSON list such as ["NL", "DK"]',
    dict: 'a JSON object such as {"orders": "orders.parquet"}',
}


def _wrong_type(parameter: Parameter, found: str) -> KitError:
    kind = getattr(parameter.type, "__origin__", parameter.type)
    written = parameter.written_type if parameter.written_type != "None" else kind.__name__
    return UsageError(
        f"The parameter '{parameter.name}' is not of type {written}.",
        found=found,
        to_try=f"{_EXAMPLES[kind]} (default {parameter.default!r})",
    )


def _without_path(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_path(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_path(inner) for inner in value]
    if isinstance(value, str) and "://" in value:
        return value.partition("://")[0] + "://…"
    if isinstance(value, str) and re.search(r"[/\\]", value):
        return re.split(r"[/\\]", value.rstrip("/\\"))[-1]
    return value
