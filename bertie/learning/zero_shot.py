"""Classification without examples: a text gets the label whose description it is most like.

In:  Few: descriptions of labels, an encoder that nobody has tuned
Out: an ordinary classification model, whose head holds the descriptions
Knows nothing of files, or of how a model is judged.
"""

from __future__ import annotations

import torch

from bertie.core.errors import DataError, UsageError
from bertie.data.batches import Example
from bertie.data.descriptions import says_something
from bertie.evaluation.features import pooled_features
from bertie.learning.belief import Head
from bertie.learning.few import Few
from bertie.nn.heads import normalised
from bertie.training.run import RunFolder
from bertie.workflow.preparation import Notes


def learn_by_descriptions(few: Few, run: RunFolder, notes: Notes) -> Few:
    """Puts the descriptions into the head; nothing is trained, and no example is looked at."""
    if few.task.pair:
        raise DataError(
            f"{few.prepared.splits.train.where(0)}: found pairs of texts, expected one text a row to compare with "
            "descriptions; learn by --by contrastive"
        )
    if not says_something(few.descriptions):
        numbers = ", ".join(text for texts in few.descriptions.values() for text in texts[:1])
        raise UsageError(
            f"the descriptions {numbers} say nothing of what the labels mean; give a file with text,label by "
            "--descriptions"
        )
    head = described_head(few)
    few.task.start_from(head.weight, head.bias)
    for label, texts in few.descriptions.items():
        notes.say(f"{label}: " + "; ".join(texts))
    notes.say("no example was learned from; the floors beside it were fitted on the rows that were drawn")
    return few


def described_head(few: Few) -> Head:
    """Weights over normalised states whose product is the cosine to each label's descriptions / temperature.

    What all descriptions share is taken out: it moves every score alike, and only makes their differences small.
    """
    start, options, dtype = few.prepared.start, few.recipe.zero_shot, few.prepared.dtype
    means = []
    for texts in few.descriptions.values():
        written = [options.template.replace("{description}", text) for text in texts]
        encoded = start.tokenizer.encode_batch(written, None, few.prepared.recipe.max_length)
        found = pooled_features(start.encoder, [Example((one,)) for one in encoded], start.tokenizer.pad_id, dtype)
        means.append(normalised(normalised(torch.from_numpy(found)).mean(dim=0)))  # (D,)
    described = torch.stack(means)  # (C, D)
    weight = (described - described.mean(dim=0)) / (described.shape[1] * options.temperature)
    return Head(weight, torch.zeros(len(weight)))
