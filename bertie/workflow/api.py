"""The Python API: the same requests as the command line's, from plain arguments.

In:  arguments named as the options of the command line
Out: the results of the workflow
Knows nothing of how the work is done.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import tomli_w

from bertie.core.errors import ConfigError, UsageError
from bertie.core.stderr import tell
from bertie.data.given_rows import Data, GivenRows, as_data
from bertie.workflow.evaluate import run_evaluation
from bertie.workflow.options import check_options
from bertie.workflow.pretrain import run_pretraining
from bertie.workflow.pretrain_request import PretrainRequest
from bertie.workflow.rate import RateRequest, RateResult, run_rate
from bertie.workflow.request import Loading, Reading, RunRequest, Say, TrainRequest
from bertie.workflow.several import run_trainings
from bertie.workflow.train import TrainResult

R = TypeVar("R", bound=RunRequest)


def train(data: Data, *, settings: dict[str, Any] | None = None, say: Say | None = None, **options: Any) -> TrainResult:
    """Trains on a table of labelled texts and leaves a verified bundle.

    Args:
        data: a file, a folder with train/dev/test files, or `hub:name`; or rows themselves, as a list of mappings or
            a data frame, which are read as a file of the same columns is: the third one is `rows:3` in messages.
            `dev` and `test` are given likewise.
        settings: changes of the recipe by their dotted names, such as `{"training.epochs": 4}`; tables may be nested.
        say: told what is chosen and done, a line at a time; otherwise stderr is.
        options: the other fields of `TrainRequest` and `Reading`: out, model, dev, test, budget, seed, folds, seeds,
            combine, text_column, ...

    Returns:
        The folder of the bundle, its evaluation (the object of `evaluate --json`), and a predictor.

    Raises:
        BertieError: with what was found, where, what was expected and what to do.
    """
    check_options("train", options, TrainRequest, Reading)
    return run_trainings(made(TrainRequest, settings, {"data": data, **options}), say or tell)


def find_rate(
    data: Data, *, settings: dict[str, Any] | None = None, say: Say | None = None, **options: Any
) -> RateResult:
    """Finds a learning rate by a range test of the training that the arguments describe, as `train` takes them.

    `options` may also be the fields of `RateRequest`: lowest, highest, steps, plot. The result's `curve.suggestion` is
    the rate, or None where none was too high.
    """
    check_options("find_rate", options, RateRequest, TrainRequest, Reading)
    own = {name: options.pop(name) for name in (_names(RateRequest) - {"training"}) & set(options)}
    training = made(TrainRequest, settings, {"data": data, **options})
    return run_rate(RateRequest(training=training, **_typed(RateRequest, own)), say or tell)


def pretrain(
    *corpus: str | Path, settings: dict[str, Any] | None = None, say: Say | None = None, **options: Any
) -> TrainResult:
    """Pre-trains on files or folders of raw text, or `hub:name`, and leaves a verified bundle.

    `options` are the other fields of `PretrainRequest`: objective, model, general (a path or several), task, preset,
    tokenizer, out, budget, seed, ...
    """
    check_options("pretrain", options, PretrainRequest)
    return run_pretraining(made(PretrainRequest, settings, {"corpus": corpus, **options}), say or tell)


def evaluate(
    model: str | Path,
    data: Data,
    *,
    metric: str | None = None,
    dtype: str = "float32",
    device: str = "auto",
    **options: Any,
) -> dict[str, Any]:
    """Judges a bundle on labelled rows, named or given as `train` takes them; `dtype` and `device` are those of
    `load`, `options` the fields of `Reading`. The object of `evaluate --json`; nothing is written."""
    check_options("evaluate", options, Reading)
    loading = Loading(model, dtype, device)
    return run_evaluation(loading, as_data(data), Reading(**options), metric=metric, say=tell)


def made(kind: type[R], settings: Mapping[str, Any] | None, options: Mapping[str, Any]) -> R:
    """The request of plain arguments: its fields by their types, what says how files are read as its `reading`, and
    settings behind the `overrides`.

    UsageError, DataError: something else stands where a name or rows are expected. ConfigError: a setting that no
    recipe can say.
    """
    given = dict(options)
    if "reading" in _names(kind):
        given["reading"] = Reading(**{name: given.pop(name) for name in _names(Reading) & set(given)})
    values = _typed(kind, given)
    values["overrides"] = (*values.get("overrides", ()), *_assignments("", settings or {}))
    return kind(**values)


def _typed(kind: type[Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as the fields of a request hold them."""
    types = get_type_hints(kind)
    return {name: _as_field(types[name], name, value) for name, value in given.items()}


def _as_field(expected: Any, name: str, value: Any) -> Any:
    """One argument: a name may be a path, several names one, and where rows may be named they may be given."""
    kinds = get_args(expected) or (expected,)
    if expected == tuple[str, ...]:
        several = [value] if isinstance(value, str | os.PathLike) else value or ()
        return tuple(_as_name(name, one) for one in several)
    if value is None and type(None) in kinds:
        return None
    if GivenRows in kinds:
        return as_data(value, name)
    if Path in kinds:
        return Path(_as_name(name, value))
    return _as_name(name, value) if str in kinds and isinstance(value, os.PathLike) else value


def _as_name(argument: str, value: object) -> str:
    if not isinstance(value, str | os.PathLike):
        raise UsageError(
            f"{argument}: found a {type(value).__name__}, expected a name, as text or as a path; give one of a file or "
            "a folder"
        )
    return os.fsdecode(value)


def _names(settings: type[Any]) -> set[str]:
    return {field.name for field in fields(settings)}


def _assignments(prefix: str, settings: Mapping[str, Any]) -> Iterator[str]:
    """Settings as `--set` takes them: each value as it is written in a recipe."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _assignments(f"{prefix}{name}.", value)
            continue
        try:
            yield f"{prefix}{name}={tomli_w.dumps({'value': value}).removeprefix('value = ').rstrip()}"
        except TypeError as error:
            raise ConfigError(f"settings: {prefix}{name} is {value!r}, which no recipe can say: {error}") from error
