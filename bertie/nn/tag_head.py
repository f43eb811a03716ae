"""From features of units to tags, and from tags to spans: a linear layer, and a field that knows what may follow what.

In:  features (R, N, F), which of the N are real
Out: emissions (R, N, C); the nats of given tags; the spans of the best tags that BIO allows, each with a score
Knows nothing of encoders, texts or metrics.

    tag    0   1        2        3        4       ...   B begins a span, I goes on with it (Ramshaw & Marcus 1995)
           O   B of 0   I of 0   B of 1   I of 1        a label is a number
"""

# R rows, N units, F features, C = 1 + 2 L tags of L labels

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from bertie.nn.crf import LinearChainCRF, allowed_transitions
from bertie.nn.losses import IGNORED
from bertie.nn.spans import Span
from bertie.nn.token_head import TokenHead


def tag_names(labels: Iterable[str]) -> list[str]:
    """O, B-PER, I-PER, ... in the order of their numbers."""
    return ["O", *(f"{letter}-{label}" for label in labels for letter in "BI")]


def tags_of_spans(spans: Iterable[Span], length: int) -> list[int]:
    """The tags of `length` units. A unit has one: of spans that share units the longest is taken."""
    tags = [0] * length
    for span in flat(sorted(spans, key=lambda span: span.start - span.end)):
        begins = 1 + 2 * span.label
        tags[span.start : span.end + 1] = [begins] + [begins + 1] * (span.end - span.start)
    return tags


def flat(spans: Iterable[Span]) -> list[Span]:
    """Those that share no unit with an earlier one, which was kept."""
    taken, kept = set[int](), []
    for span in spans:
        units = range(span.start, span.end + 1)
        if taken.isdisjoint(units):
            taken.update(units)
            kept.append(span)
    return kept


class TagHead(nn.Module):
    """Tags, learned each for itself or as a row.

    With `learned` the scores of neighbours are learned beside the emissions: a conditional random field (Lample et al.
    2016). Without, they stay zero, and the field only sees to it that the answer breaks no rule. A field of zeros is
    what both begin with, so a linear solution of single units is a start for either.
    """

    def __init__(self, features: int, labels: int, *, learned: bool, dropout: float = 0.1) -> None:
        """`features` is F, `labels` L."""
        super().__init__()
        self.learned = learned
        tags = tag_names(map(str, range(labels)))
        self.tokens = TokenHead(features, len(tags), dropout=dropout)
        self.field = LinearChainCRF(len(tags), *allowed_transitions(tags))
        self.field.requires_grad_(learned)

    def forward(self, features: Tensor) -> Tensor:
        """(R, N, F) to emissions (R, N, C)."""
        emissions: Tensor = self.tokens(features)
        return emissions

    def nats(self, emissions: Tensor, tags: Tensor) -> Tensor:
        """-log p of the tags (R, N) of each row, a sum over its units (R,); `losses.IGNORED` is no unit."""
        if self.learned:
            likelihood: Tensor = self.field(emissions, tags, tags != IGNORED)
            return likelihood
        each = F.cross_entropy(emissions.transpose(1, 2), tags, ignore_index=IGNORED, reduction="none")  # (R, N)
        return each.sum(dim=1)

    def spans(self, emissions: Tensor, mask: Tensor) -> list[list[Span]]:
        """The spans of the most probable tags of each row, in order.

        Args:
            emissions: (R, N, C).
            mask: (R, N) bool, the units.

        Returns:
            Spans, counted in the units of the row. The score is the least of the probabilities that hold one together:
            those of its tags, and that it does not go on behind its end. A span is at most as probable as each of
            them. Their product would be far less than it is, since the tags of a span stand and fall together.
        """
        paths = self.field.decode(emissions, mask)
        chances = self.field.marginals(emissions, mask).float().tolist()
        return [_spans_of_tags(path, rows) for path, rows in zip(paths, chances, strict=True)]


def _spans_of_tags(path: Sequence[int], chances: Sequence[Sequence[float]]) -> list[Span]:
    """The spans of a valid row of tags, with the probability of every tag at every unit."""
    spans = []
    for start, begins in enumerate(path):
        if begins % 2 == 0:  # O, or inside
            continue
        inside, end = begins + 1, start
        while end + 1 < len(path) and path[end + 1] == inside:
            end += 1
        held = [chances[start][begins], *(chances[unit][inside] for unit in range(start + 1, end + 1))]
        if end + 1 < len(path):
            held.append(1.0 - chances[end + 1][inside])
        spans.append(Span(start, end, begins // 2, min(held)))
    return spans
