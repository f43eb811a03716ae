"""A bundle in a format that other programs read, proved before it is handed over.

In:  a bundle, the name of a format, a folder to write
Out: the folder, whole or not at all, and a line for the person; BundleError where it would answer otherwise
Knows nothing of the command line, of training, or of how a format stores weights.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from bertie.bundle.checksums import stay_outside
from bertie.bundle.folder import MEMBERS, Model, save_adapter
from bertie.bundle.linear import ENGINE as LINEAR
from bertie.core.errors import BundleError, UsageError
from bertie.core.files import new_folder
from bertie.nn.encoder import Encoder
from bertie.nn.hf_classification import ExportedClassifier, load_classifier, save_classifier
from bertie.predict import Predictor, load, load_torch
from bertie.tasks.classification import Classification
from bertie.text.tokenizer import Tokenizer
from bertie.workflow.learned_columns import DATA

TOLERANCE = 1e-3
"""Largest change of a logit."""
PROBES = ("Short.", "A text of middling length, with numbers: 1, 2, 3.", "一段中文，用来检验两边的结果是否相同。\n" * 4)
"""Checked beside the golden examples; of different lengths, so that padding is always part of the proof."""


def run_export(model: str | Path, format_: str, out: Path) -> str:
    """Writes the bundle `model` to the folder `out`, in one of `FORMATS`; what the person is told."""
    if format_ not in FORMATS:
        raise UsageError(f"format is {format_!r}, expected one of {', '.join(FORMATS)}")
    out = out.resolve()
    _free(out)
    predictor = load(model)
    if not isinstance(predictor, Predictor):
        raise UsageError(
            f"{predictor.name}: counts words (engine {LINEAR}) and has no encoder, so there is nothing that {format_} "
            "could hold; serve it with bertie serve, or train an encoder with bertie train"
        )
    if predictor.members:
        raise UsageError(
            f"{model}: is an ensemble of {len(predictor.members)} models, which no other format holds; export one of "
            f"its members, such as {Path(model) / MEMBERS / '1'}, or train with --combine soup or refit"
        )
    predictor.model.encoder.cpu()
    predictor.task.cpu()
    heavy = [*predictor.model.encoder.parameters(), *predictor.task.parameters()]
    with new_folder(out, sum(weight.nbytes for weight in heavy)) as making:
        if FORMATS[format_] is small and (Path(model) / DATA).is_file():
            shutil.copyfile(Path(model) / DATA, making / DATA)  # it says which columns a file is read by
        said = FORMATS[format_](predictor, making)
    return f"{out}: {said}"


def huggingface(predictor: Predictor, folder: Path) -> str:
    """The folder of AutoModelForSequenceClassification and AutoTokenizer."""
    model, task = predictor.model, predictor.task
    if not isinstance(task, Classification):
        raise UsageError(f"{predictor.name}: does {task.name}; format huggingface takes classification models")
    if model.tuning is not None and not model.tuning.merges:
        raise UsageError(
            f"{predictor.name}: was tuned by {model.tuning.name}, which cannot be merged into an encoder's weights, so "
            "no class of transformers computes it; train with a method that merges, such as lora"
        )
    problem = "multi_label_classification" if task.several else "single_label_classification"
    how = save_classifier(model.encoder, task.head, folder, labels=task.labels, problem=problem)
    model.tokenizer.save(folder, segments=model.encoder.config.type_vocab_size > 1, max_length=model.max_length)
    (folder / "README.md").write_text(_readme(predictor.name, model, task, how), encoding="utf-8")
    difference = _prove(predictor, folder)
    code = ", needs trust_remote_code=True" if how.remote_code else ""
    same = f"logits within {difference:.0e} of the bundle's"
    if _reads_windows(task):
        same += f" up to {model.max_length} tokens, longer texts are cut and not read in windows"
    return f"{how.class_name} for transformers{code}; {same}; see README.md"


def small(predictor: Predictor, folder: Path) -> str:
    """What training changed of its encoder: a small bundle, which needs that encoder to be at hand."""
    model = predictor.model
    if model.tuning is None:
        raise UsageError(
            f"{predictor.name}: does not say how it was tuned; format adapter takes bundles of bertie train"
        )
    save_adapter(model, folder)
    again = load_torch(folder).model.encoder.cpu()  # where there is a GPU it is loaded there
    difference = _apart(model.encoder, again, model)
    if not difference <= TOLERANCE:
        raise BundleError(f"{predictor.name}: the adapter's states differ by {difference:.1e}; nothing was written")
    size = sum(path.stat().st_size for path in folder.iterdir())
    return f"adapter on {model.origin}, {size / 2**20:.2f} MB; states within {difference:.0e} of the bundle's"


FORMATS: dict[str, Callable[[Predictor, Path], str]] = {"huggingface": huggingface, "adapter": small}
"""What a person may ask for. A format writes into a temporary folder, and proves what it wrote."""


def _free(out: Path) -> None:
    """UsageError unless `out` is new or an empty folder, and not inside a bundle."""
    stay_outside(out)
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: is a file; choose a new or empty folder with --out")
    found = sorted(path.name for path in out.glob("*"))
    if found:
        raise UsageError(f"{out}: holds {', '.join(found[:5])}; choose a new or empty folder with --out")


def _prove(predictor: Predictor, folder: Path) -> float:
    """Reads `folder` again and answers with it: the largest change of a logit. BundleError if that is too large.

    transformers is no dependency, so our own layers compute what its class computes; tests hold the two together.
    """
    model = predictor.model
    encoder, head = load_classifier(folder)
    task = Classification.from_description(model.task.description())
    task.head = head
    again = Predictor(replace(model, encoder=encoder, task=task, tokenizer=Tokenizer.from_folder(folder)))
    rows = [example["row"] for example in model.golden]
    rows += [dict.fromkeys(predictor.task.columns, text) for text in PROBES]
    before, after = _logits(predictor, rows), _logits(again, rows)  # (R, C) each
    difference = float((before - after).abs().max())
    if not difference <= TOLERANCE:  # NaN is refused as well
        raise BundleError(
            f"{predictor.name}: the export's logits differ by {difference:.1e} from the bundle's, at most {TOLERANCE} "
            "is allowed; nothing was written. This is a fault of the export: please report it with the bundle's encoder"
        )
    return difference


def _apart(one: Encoder, other: Encoder, model: Model) -> float:
    """The largest difference between the states of two encoders."""
    texts = model.tokenizer.encode_batch(PROBES, None, model.max_length)
    with torch.inference_mode():
        pairs = [(one(ids), other(ids)) for text in texts for ids in [torch.tensor([text.ids])]]
    return max(float((mine - theirs).abs().max()) for mine, theirs in pairs)


def _logits(predictor: Predictor, rows: list[dict[str, str]]) -> Tensor:
    batch = predictor.task.collate(predictor.encode(rows), predictor.model.tokenizer.pad_id)
    with torch.inference_mode():
        output: Tensor = predictor.task(predictor.model.encoder, batch)  # (R, C)
    return output


def _readme(name: str, model: Model, task: Classification, how: ExportedClassifier) -> str:
    trust = ", trust_remote_code=True" if how.remote_code else ""
    example = '{"text": "one text", "text_pair": "another text"}' if task.pair else '"a text", "another text"'
    return f"""\
---
library_name: transformers
pipeline_tag: text-classification
---

# {name}

A text classifier by Bertie, for `transformers` (class `{how.class_name}`). It started from `{model.origin}`.

```python
from transformers import pipeline

classify = pipeline("text-classification", model="this/folder"{trust})
classify([{example}], top_k=None, truncation=True)
```

Labels: {", ".join(f"`{label}`" for label in task.labels)}

{"".join(f"- {note}{chr(10)}" for note in _notes(model, task, how))}"""


def _reads_windows(task: Classification) -> bool:
    """Whether the bundle reads all of a long text, which no class of transformers does."""
    return task.settings.long_texts == "windows"


def _notes(model: Model, task: Classification, how: ExportedClassifier) -> list[str]:
    notes = [f"`truncation=True` cuts texts at {model.max_length} tokens, as in training; without it long texts fail."]
    if _reads_windows(task):
        notes = [
            f"`truncation=True` cuts texts at {model.max_length} tokens; without it longer texts fail. The bundle "
            f"reads all of such a text in overlapping parts (each reads {task.settings.overlap:.0%} of the one before "
            "again) and answers with the mean of their logits. To get its answers here, cut long texts into such parts "
            "and average the logits."
        ]
    if task.pair:
        notes.append("A row is a pair of texts: `text` is the column `text_a`, `text_pair` the column `text_b`.")
    if task.several:
        notes.append(
            "Several labels a text (`problem_type` is `multi_label_classification`): scores are independent, "
            f"and a label is given from {task.threshold:g} on."
        )
    if how.pooling_layer:
        notes.append(
            "The last layer is not the encoder's: it computes the mean of the token states, so that a stock class "
            'gives the same logits (`"bertie_pooling_layer": true` in config.json). The folder is meant for inference, '
            "in float32; bfloat16 is coarse, and float16 overflows to NaN. To train on, start from the bundle."
        )
    if how.remote_code:
        notes.append("No stock class has this head, so modeling_bertie.py comes with it; read it before you trust it.")
    return notes
