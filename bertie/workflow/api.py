"""The Python API: the same requests as the command line's, from plain arguments.

In:  arguments named as the options of the command line
Out: the results of the workflow
Knows nothing of how the work is done.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import tomli_w

from bertie.core.errors import ConfigError
from bertie.core.stderr import tell
from bertie.data.given_rows import Data, as_data
from bertie.workflow.evaluate import run_evaluation
from bertie.workflow.options import check_options
from bertie.workflow.pretrain import run_pretraining
from bertie.workflow.pretrain_request import PretrainRequest
from bertie.workflow.rate import RateRequest, RateResult, run_rate
from bertie.workflow.request import Loading, Reading, Say, TrainRequest
from bertie.workflow.several import run_trainings
from bertie.workflow.train import TrainResult

PRETRAIN_PATHS = ("out", "recipe", "tokenizer", "words")


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
    return run_trainings(_request(data, settings, options), say or tell)


def find_rate(
    data: Data, *, settings: dict[str, Any] | None = None, say: Say | None = None, **options: Any
) -> RateResult:
    """Finds a learning rate by a range test of the training that the arguments describe, as `train` takes them.

    `options` may also be the fields of `RateRequest`: lowest, highest, steps, plot. The result's `curve.suggestion` is
    the rate, or None where none was too high.
    """
    check_options("find_rate", options, RateRequest, TrainRequest, Reading)
    own = {name: options.pop(name) for name in (_names(RateRequest) - {"training"}) & set(options)}
    if own.get("plot") is not None:
        own["plot"] = Path(own["plot"])
    return run_rate(RateRequest(training=_request(data, settings, options), **own), say or tell)


def pretrain(
    *corpus: str | Path, settings: dict[str, Any] | None = None, say: Say | None = None, **options: Any
) -> TrainResult:
    """Pre-trains on files or folders of raw text, or `hub:name`, and leaves a verified bundle.

    `options` are the other fields of `PretrainRequest`: objective, model, general (a path or several), task, preset,
    tokenizer, out, budget, seed, ...
    """
    check_options("pretrain", options, PretrainRequest)
    general = options.pop("general", None) or ()
    options["general"] = tuple(map(str, [general] if isinstance(general, str | Path) else general))
    if options.get("task") is not None:
        options["task"] = str(options["task"])
    options |= {name: Path(options[name]) for name in PRETRAIN_PATHS if options.get(name) is not None}
    overrides = (*options.pop("overrides", ()), *assignments("", settings or {}))
    request = PretrainRequest(corpus=tuple(map(str, corpus)), overrides=overrides, **options)
    return run_pretraining(request, say or tell)


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


def _request(data: Data, settings: dict[str, Any] | None, options: dict[str, Any]) -> TrainRequest:
    reading = Reading(**{name: options.pop(name) for name in _names(Reading) & set(options)})
    options |= {name: Path(options[name]) for name in ("out", "recipe") if options.get(name) is not None}
    overrides = (*options.pop("overrides", ()), *assignments("", settings or {}))
    return TrainRequest(**parts(data, options), reading=reading, overrides=overrides, **options)


def parts(data: Data, options: dict[str, Any]) -> dict[str, Any]:
    """`data`, and what `options` have as `dev` and `test`, which are taken out of them, as requests hold them."""
    beside = {name: options.pop(name) for name in ("dev", "test") if options.get(name) is not None}
    return {name: as_data(value, name) for name, value in {"data": data, **beside}.items()}


def _names(settings: type[Any]) -> set[str]:
    return {field.name for field in fields(settings)}


def assignments(prefix: str, settings: Mapping[str, Any]) -> Iterator[str]:
    """Settings as `--set` takes them: each value as it is written in a recipe."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from assignments(f"{prefix}{name}.", value)
            continue
        try:
            yield f"{prefix}{name}={tomli_w.dumps({'value': value}).removeprefix('value = ').rstrip()}"
        except TypeError as error:
            raise ConfigError(f"settings: {prefix}{name} is {value!r}, which no recipe can say: {error}") from error
