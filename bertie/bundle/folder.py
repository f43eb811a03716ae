"""A bundle on disk: written whole or not at all, and proved when it is loaded.

    bundle.json       format, version, engine and dtype, task with its labels, maximal length, origin of the encoder
    model/            the encoder in the Hugging Face format, and its tokenizer; of a model that gives vectors also how
                      it is pooled and what is put before a text, as sentence-transformers reads it
    head.safetensors  the task's own weights
    tuning.safetensors  what a tuning method added to the encoder, if it did; where it merges, model/ has it in it too
    members/N/        of an ensemble, in the place of these four: bundles of their own; perhaps stack.safetensors
    recipe.toml  metrics.json  data.json  golden.json  README.md (model card)  report.html
    checksums.json    SHA-256 of every file above

In:  a Model and the documents about it; a folder
Out: the folder; the Model again, after sums and golden examples were checked
Knows nothing of training, evaluation or what the documents say.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

import bertie.tasks
import bertie.tuning
from bertie.bundle import adapter, checksums, ensemble
from bertie.bundle.ensemble import Combination, Stack
from bertie.core.config import from_dict, to_dict
from bertie.core.errors import BundleError, UsageError
from bertie.core.files import new_folder, remove_leftovers, storage_errors
from bertie.core.registry import Registry
from bertie.core.version import __version__
from bertie.data import vector_files
from bertie.nn import checkpoint
from bertie.nn.encoder import Encoder
from bertie.objectives.pattern import PatternTask
from bertie.objectives.pretraining import Pretraining
from bertie.tasks.base import Task
from bertie.text.tokenizer import Tokenizer
from bertie.tuning.base import Method, additions, bare

FORMAT = 2
NEW = ".new"
"""The whole new bundle, until it has been moved in."""
OLD = ".old.json"
"""The seal of the bundle that is replaced, until its files are removed."""
TASKS: Registry[Task] = Registry(bertie.tasks, Task, "task")  # type: ignore[type-abstract]
METHODS: Registry[Method] = Registry(bertie.tuning, Method, "tuning method")  # type: ignore[type-abstract]
LANGUAGE_TASKS: dict[str, type[Task]] = {task.name: task for task in (Pretraining, PatternTask)}
"""Tasks that have the head of a language model, by the names in their bundles; no `--task` names them."""
TUNING = "tuning.safetensors"
MEMBERS = "members"
ENSEMBLE = "ensemble/float32"


@dataclass(frozen=True)
class Model:
    """What answers: the parts that training made and a bundle keeps."""

    encoder: Encoder
    task: Task
    tokenizer: Tokenizer
    max_length: int
    """Tokens a sequence, specials included; longer texts are cut and say so."""
    engine: str = "torch/float32"
    """What computes the answers and in which dtype; decides the tolerance of the golden examples."""
    origin: str = "unknown"
    """The checkpoint that training started from."""
    golden: list[dict[str, Any]] = field(default_factory=list)
    tuning: Method | None = None
    """How the encoder was trained, where somebody said so; what it added is in the encoder unless it was merged."""
    added: Mapping[str, Tensor] = field(default_factory=dict)
    """What the method added, where the encoder was read merged: kept beside it when it is written again."""
    members: tuple[Model, ...] = ()
    """Of an ensemble: who answers. What is asked of one model (encoder, task, tokenizer) is the first member's."""
    combination: Combination | None = None
    """How their answers become one."""

    @property
    def together(self) -> tuple[Model, ...]:
        """The models that have weights of their own."""
        return self.members or (self,)


def ensemble_of(members: Sequence[Model], combination: Combination) -> Model:
    """Several models as one, which answers by all of them; UsageError where they answer with different labels."""
    ensemble.refuse_others([member.task for member in members])
    first = members[0]
    return replace(first, engine=ENSEMBLE, golden=[], members=tuple(members), combination=combination)


def save(model: Model, folder: Path, documents: Mapping[str, str], add: Callable[[Path], None] | None = None) -> None:
    """Writes the bundle in a temporary folder and moves it in at the end.

    `documents` maps file names to their text; `add` writes more files into the folder that it is given.
    """
    parts = [part for one in model.together for part in (one.encoder, one.task)]
    weights = [tensor for part in parts for tensor in part.state_dict().values()]

    def write(making: Path) -> None:
        _write_model(model, making)
        for name, text in documents.items():
            (making / name).write_text(text, encoding="utf-8")
        if add is not None:
            add(making)

    put(folder, sum(tensor.nbytes for tensor in weights), write)


def put(folder: Path, size: int, write: Callable[[Path], None]) -> None:
    """A bundle of any engine: what `write` puts into a folder, sealed, then moved in. `size`: its bytes, about.

    The seal goes first and comes last: a bundle whose replacement was cut off is refused, never half old and half new;
    the next one ends it. The caller holds the lock of the folder.
    """
    recover(folder)
    with new_folder(folder / NEW, size) as making:
        write(making)
        checksums.seal(making)
    with storage_errors(folder, 0):
        _move_in(folder)


def _write_model(model: Model, making: Path) -> None:
    """The files of one model, or of the members of an ensemble, each a bundle of its own."""
    for number, member in enumerate(model.members, start=1):
        inside = making / MEMBERS / str(number)
        inside.mkdir(parents=True)
        _write_model(member, inside)
        checksums.seal(inside)
    if model.combination is not None and model.combination.stack is not None:
        model.combination.stack.save(making / ensemble.STACK)
    if not model.members:
        _write_weights(model, making)
    write_json(making / "bundle.json", _description(model))
    write_json(making / "golden.json", model.golden)


def _write_weights(model: Model, making: Path) -> None:
    added = additions(model.encoder) or model.added
    plain = model.tuning.merge(model.encoder) if model.tuning and model.tuning.merges else bare(model.encoder)
    checkpoint.save(plain, making / "model", heads=model.task.heads())
    model.tokenizer.save(making / "model", segments=plain.config.type_vocab_size > 1)
    if model.task.gives_vectors:
        vector_files.write(
            making / "model",
            pooling=model.task.pooling_name,
            prefix=model.task.prefix,
            width=plain.config.hidden_size,
            max_length=model.max_length,
            complete=model.tuning is None or model.tuning.merges,
        )
    _save_head(model, making)
    if added:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in added.items()}, making / TUNING)


def save_adapter(model: Model, making: Path) -> None:
    """Writes what training changed of the encoder that it started from, into a folder that is being made.

    The encoder itself is not in it: `read` finds it by its name, `Model.origin`.
    """
    assert model.tuning is not None, "without a method nothing is known of what changed"
    added = model.added or additions(model.encoder)
    origin = str(Path(model.origin).resolve()) if Path(model.origin).is_dir() else model.origin
    fingerprint = adapter.write(model.encoder, added, model.tuning, origin, making)
    _save_head(model, making)
    base = {"base": {"name": origin, "fingerprint": fingerprint}}
    write_json(making / "bundle.json", _description(model) | base)
    write_json(making / "golden.json", model.golden)
    checksums.seal(making)


def load(folder: Path) -> Model:
    """Checks the sums and reads the model. The caller runs the golden examples: it takes a predictor to do so."""
    checksums.verify(folder)
    return read(folder)


def read(folder: Path) -> Model:
    """Reads the model of a bundle whose sums were checked; BundleError where they do not fit together."""
    description = described(folder)
    if description["engine"] == ENSEMBLE:
        return _read_ensemble(folder, description)
    tuning, base, added = _read_tuning(description.get("tuning")), description.get("base"), dict[str, Tensor]()
    if base:
        assert tuning is not None, "an adapter names the method that made it"
        encoder, place = adapter.attach(folder, base["name"], base["fingerprint"], tuning)
    else:
        place = folder / "model"
        encoder = checkpoint.load(place).encoder
        if tuning and (not tuning.merges or (folder / TUNING).is_file()):
            added = adapter.weights(folder / TUNING)
        if tuning and not tuning.merges:
            tuning.restore(encoder, added)
            encoder.eval()
    name = description["task"]["name"]
    kind = LANGUAGE_TASKS.get(name) or TASKS.get(name)
    task: Task = kind.from_description(description["task"]["description"])
    task.metric = description["task"].get("metric")
    task.build_head(encoder.config.hidden_size)
    _load_head(task, folder / "head.safetensors")
    tokenizer = _tokenizer(place, task, description["tokenizer"])
    checkpoint.refuse_pieces(encoder, tokenizer.vocab_size, place)
    return Model(
        encoder=encoder,
        task=task,
        tokenizer=tokenizer,
        max_length=description["max_length"],
        engine=description["engine"],
        origin=description["origin"],
        golden=read_json(folder / "golden.json"),
        tuning=tuning,
        added=added if tuning and tuning.merges else {},
    )


def _read_ensemble(folder: Path, description: dict[str, Any]) -> Model:
    learners = tuple(tuple(places) for places in description["learners"])
    members = [read(folder / MEMBERS / str(number)) for number in range(1, 1 + sum(map(len, learners)))]
    stack = Stack.load(folder / ensemble.STACK) if description["stacked"] else None
    made = ensemble_of(members, Combination(learners, stack))
    return replace(made, golden=read_json(folder / "golden.json"))


def described(folder: Path) -> dict[str, Any]:
    """What bundle.json says, its engine among it; BundleError where it is of another format."""
    description: dict[str, Any] = read_json(folder / "bundle.json")
    if description.get("format") != FORMAT:
        raise BundleError(
            f"{folder}: bundle format {description.get('format')!r}, this version ({__version__}) reads {FORMAT}; "
            "install the version that wrote it"
        )
    return description


def free(folder: Path, *, overwrite: bool) -> None:
    """UsageError unless a bundle may be written to `folder`: new, empty, or an old bundle to replace."""
    checksums.stay_outside(folder)
    try:
        found = sorted(path.name for path in folder.glob("*") if not _is_ours(path.name))
    except OSError as error:
        why = error.strerror or error
        raise UsageError(f"{folder}: cannot be looked into ({why}); choose another folder with --out") from error
    whole = checksums.SEAL in found or (folder / NEW / checksums.SEAL).is_file()
    if not found and not whole:
        return
    if not whole:
        raise UsageError(
            f"{folder}: holds {', '.join(found[:5])} and is no bundle; choose a new or empty folder with --out"
        )
    if not overwrite:
        raise UsageError(
            f"{folder}: holds a finished bundle; choose another folder with --out, or replace it with --overwrite"
        )


def recover(folder: Path) -> None:
    """Ends what a killed `save` began: moves in the new bundle if it was whole, else removes what there is of it."""
    remove_leftovers(folder, NEW)
    with storage_errors(folder, 0):
        if (folder / NEW / checksums.SEAL).is_file():
            _move_in(folder)
        shutil.rmtree(folder / NEW, ignore_errors=True)


def _is_ours(name: str) -> bool:
    """Whether training or a `save` that was killed left this beside the bundle."""
    return name in (checksums.RUN_FOLDER, NEW, OLD) or name.startswith(f".{NEW}.")


def _move_in(folder: Path) -> None:
    """Replaces the old bundle by the new one, file by file. Cut off anywhere and called again, it goes on.

    Only what the old seal names is removed: whatever else lies in the folder is not ours.
    """
    new, seal, old = folder / NEW, folder / checksums.SEAL, folder / OLD
    if checksums.sealed(folder):
        seal.replace(old)
    removed = checksums.sealed(folder, OLD)
    for name in removed:
        (folder / name).unlink(missing_ok=True)
    for inside in sorted({inside for name in removed for inside in Path(name).parents[:-1]}, reverse=True):
        with contextlib.suppress(OSError):  # something else lies there
            (folder / inside).rmdir()
    old.unlink(missing_ok=True)  # from here on what lies in the folder is new
    for name in [*checksums.sealed(new), checksums.SEAL]:
        if (new / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (new / name).replace(folder / name)
    shutil.rmtree(new)


def _description(model: Model) -> dict[str, Any]:
    tuned = model.tuning and {"name": model.tuning.name, "settings": to_dict(model.tuning)}
    how = model.combination
    return {
        "format": FORMAT,
        "bertie": __version__,
        "engine": model.engine,
        **({"learners": how.learners, "stacked": how.stack is not None} if how else {}),
        "origin": model.origin,
        "max_length": model.max_length,
        **({"tuning": tuned} if tuned else {}),
        "task": described_task(model.task),
        "tokenizer": model.tokenizer.fingerprint,
    }


def described_task(task: Task) -> dict[str, Any]:
    """What bundle.json says of the task."""
    metric = {"metric": task.metric} if task.metric else {}
    return {"name": task.name, "description": task.description(), **metric}


def _read_tuning(description: dict[str, Any] | None) -> Method | None:
    if description is None:
        return None
    return from_dict(METHODS.get(description["name"]), description["settings"], "tuning")


def _tokenizer(folder: Path, task: Task, fingerprint: str) -> Tokenizer:
    """That of the folder, cut as training had it cut."""
    tokenizer = Tokenizer.from_folder(folder)
    if tokenizer.fingerprint != fingerprint and task.han_isolated:
        return Tokenizer.from_folder(folder, han_isolated=True)
    return tokenizer


def _save_head(model: Model, making: Path) -> None:
    head = {name: tensor.detach().cpu().contiguous() for name, tensor in model.task.state_dict().items()}
    save_file(head, making / "head.safetensors")


def _load_head(task: Task, path: Path) -> None:
    weights = adapter.weights(path)
    expected = {name: tuple(tensor.shape) for name, tensor in task.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    if expected != found:
        raise BundleError(f"{path}: found the weights {found}, the task needs {expected}; copy the bundle again")
    task.load_state_dict(weights)


def write_json(path: Path, content: Any) -> None:
    """A document of a bundle that is being made."""
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """The same again; BundleError where it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleError(f"{path}: cannot be read: {error}; copy the bundle again") from error
