"""Settings: frozen dataclasses <-> TOML <-> `--set a.b=c`.

In:  a dataclass type, a TOML file, a list of overrides
Out: a checked dataclass; the same as TOML text; the text under each field as its documentation
Knows nothing of what the settings mean.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import math
import textwrap
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from bertie.core.errors import ConfigError

C = TypeVar("C")


def from_dict(cls: type[C], values: Mapping[str, Any], where: str = "recipe") -> C:
    """A dataclass from nested dicts. An unknown field or a value of the wrong type is a ConfigError that names both."""
    types_of = typing.get_type_hints(cls)
    fields = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - fields)
    if unknown:
        raise ConfigError(f"{where}: unknown setting {unknown[0]!r}; there are {', '.join(sorted(fields))}")
    made = {name: _value(types_of[name], value, f"{where}.{name}") for name, value in values.items()}
    try:
        return cls(**made)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error


def to_dict(settings: Any) -> dict[str, Any]:
    """Nested dicts of plain values, without the fields that are None (TOML has no null)."""
    return {
        field.name: to_dict(value) if dataclasses.is_dataclass(value) else value
        for field in dataclasses.fields(settings)
        if (value := getattr(settings, field.name)) is not None
    }


def override(settings: C, assignments: Sequence[str]) -> C:
    """`["optimizer.rate=1e-4"]` on top of `settings`; the right side is read as TOML, else as a string."""
    values = to_dict(settings)
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        if not equals:
            raise ConfigError(f"--set {assignment!r}: expected NAME=VALUE, for example --set optimizer.rate=3e-5")
        *parents, last = path.strip().split(".")
        node = values
        for parent in parents:
            node = node.setdefault(parent, {})
            if not isinstance(node, dict):
                raise ConfigError(f"--set {assignment!r}: {parent!r} is a value and has no settings below it")
        node[last] = _literal(text.strip())
    return from_dict(type(settings), values, "--set")


def load_toml(cls: type[C], path: Path) -> C:
    """Settings from a TOML file; ConfigError names the file and what is wrong."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as TOML: {error}") from error
    return from_dict(cls, values, str(path))


def field_docs(cls: type[Any]) -> dict[str, str]:
    """The string that stands under each field, inherited ones too: one text for `--help`, the docs and the reader."""
    docs: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if dataclasses.is_dataclass(base):
            docs |= _own_docs(base)
    return docs


def _own_docs(cls: type[Any]) -> dict[str, str]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    body = typing.cast(ast.ClassDef, tree.body[0]).body
    docs = {}
    for field, text in pairwise(body):
        is_text = (
            isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str)
        )
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and is_text:
            docs[field.target.id] = inspect.cleandoc(text.value.value)  # type: ignore[attr-defined]
    return docs


def _literal(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _value(expected: Any, value: Any, where: str) -> Any:
    """`value` as the field's type; numbers widen (3 is a fine float), nothing else is converted in silence."""
    if isinstance(value, float) and not math.isfinite(value):  # a run writes its settings as JSON, which has no such
        raise ConfigError(f"{where}: found {value}, expected a finite number; give one, or leave the setting out")
    origin, arguments = typing.get_origin(expected), typing.get_args(expected)
    if origin in (types.UnionType, typing.Union):
        return _union(arguments, value, where)
    if origin is typing.Literal:
        return _choice(arguments, value, where)
    if dataclasses.is_dataclass(expected) and isinstance(value, Mapping):
        return from_dict(typing.cast(type[Any], expected), value, where)
    if origin in (tuple, list, dict):
        return _collection(origin, arguments, value, where)
    if expected is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if expected is Any or (isinstance(value, expected) and (expected is bool or not isinstance(value, bool))):
        return value
    raise ConfigError(f"{where}: expected {getattr(expected, '__name__', expected)}, found {value!r}")


def _choice(options: tuple[Any, ...], value: Any, where: str) -> Any:
    if value in options:
        return value
    raise ConfigError(f"{where}: {value!r} is not one of {', '.join(map(str, options))}")


def _collection(origin: type[Any], arguments: tuple[Any, ...], value: Any, where: str) -> Any:
    if origin is dict and isinstance(value, Mapping):
        return {str(key): _value(arguments[1], item, f"{where}.{key}") for key, item in value.items()}
    if origin is list or arguments[-1] is Ellipsis:
        value = _listed(arguments[0], value)
    if origin is not dict and isinstance(value, (list, tuple)):
        return origin(_value(arguments[0], item, where) for item in value)
    raise ConfigError(f"{where}: expected a {'table' if origin is dict else 'list'}, found {value!r}")


def _listed(member: Any, value: Any) -> Any:
    """One value is a list of one, and a text one of what its commas part: `wandb`, `synonym,swap`, `64,128`."""
    if isinstance(value, str):
        parts = [part.strip() for part in value.split(",") if part.strip()]
        return [_literal(part) for part in parts] if member in (int, float) else parts
    return value if isinstance(value, (list, tuple, Mapping)) else [value]


def _union(arguments: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in arguments:
        return None
    problems = []
    for option in arguments:
        if option is type(None):
            continue
        try:
            return _value(option, value, where)
        except ConfigError as error:
            problems.append(str(error))
    raise ConfigError(problems[-1])
