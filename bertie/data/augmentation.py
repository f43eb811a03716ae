"""Augmentation: training rows to more of them, whose texts are changed and whose labels are not.

In:  training rows, ways of `text/augmentation`, a seed
Out: the rows that are added, each beside the one that it was made of; the same for the same seed and epoch
Knows nothing of tasks, models and files. Rows that judge a model are none of its business.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

import bertie.text.augmentation
from bertie.core.errors import DataError, UsageError
from bertie.core.registry import Registry
from bertie.data.batches import Example
from bertie.data.free_parts import WHOLE, Part, parts_of
from bertie.data.rows import Row, Rows
from bertie.data.spans import shown
from bertie.text.augmentation.base import Draft, Sources, Way, changed

WAYS: Registry[Way] = Registry(bertie.text.augmentation, Way, "way of augmentation")  # type: ignore[type-abstract]
MOST = 16
"""Copies of a row."""
_BEFORE = 12  # characters before a change that are shown with it


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """What a recipe may say about added training rows."""

    ways: tuple[str, ...] = ()
    """How texts are changed: synonym, swap, deletion, insertion, homophone, typing_error, masked_lm, back_translation.
    Each copy is made in one of them, drawn at random. None: no rows are added."""
    times: int = 1
    """Copies of each training row, beside the row itself."""
    strength: float = 0.1
    """Part of a text's words that are changed, at least one; more than 0, at most 1."""
    anew: bool = True
    """Other copies in each epoch. Otherwise, and with ways that ask a model, they are made once, before training."""
    seed: int | None = None
    """Of all that is drawn; otherwise `training.seed`."""
    synonyms: str = ""
    """A file of your own synonyms, a group a line, with commas, tabs or spaces between the words."""
    model: str = ""
    """What masked_lm asks: a bundle of `bertie pretrain`, or an alias, folder or hub name of a checkpoint with the
    head."""

    def __post_init__(self) -> None:
        for name in self.ways:
            WAYS.get(name)
        if not 1 <= self.times <= MOST:
            raise ValueError(f"times is {self.times}, expected 1 to {MOST}")
        if not 0.0 < self.strength <= 1.0:
            raise ValueError(f"strength is {self.strength}, expected more than 0, at most 1")


@dataclass(frozen=True)
class Added:
    """Rows that were made of others."""

    rows: Rows
    """Each knows the line of the row that it was made of."""
    origins: list[int]
    """Which row each was made of, ascending."""
    ways: list[str]
    """How each was made."""
    example: tuple[str, str] | None
    """A text before and after."""

    def told(self, count: int) -> str:
        """How many were added to `count` rows and how, with an example."""
        by_way = ", ".join(f"{name} {number}" for name, number in sorted(Counter(self.ways).items()))
        line = f"{len(self.rows)} rows added to {count} ({by_way})"
        if self.example is None:
            return line
        before, after = self.example
        first = next((i for i, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1]), 0)
        start = max(0, first - _BEFORE)  # a long text is shown where it was changed
        dots = "..." if start else ""
        now, was = shown(dots + after[start:]), shown(dots + before[start:])
        return f"{line}, for example by {self.ways[0]} {now} from {was}"


@dataclass
class _Copy:
    """A row that is being made."""

    origin: int
    random: Random
    left: list[tuple[Way, Part]]
    """What can still be tried, the next one last."""


@dataclass(frozen=True)
class _Made:
    row: Row
    way: str
    texts: tuple[str, str]


class Augmenter:
    """Makes copies of rows. It holds no state: a copy depends on the seed, the epoch and the row's number alone."""

    def __init__(self, settings: Augmentation, sources: Sources, kind: str, seed: int) -> None:
        """`kind` is that of the rows. UsageError for a way that would lose the places in them."""
        classes = [WAYS.get(name) for name in dict.fromkeys(settings.ways)]
        whole = [way.name for way in classes if not way.local]
        if whole and kind not in WHOLE:
            fitting = ", ".join(name for name, way in WAYS.classes().items() if way.local)
            raise UsageError(
                f"augmentation.ways has {whole[0]}, which gives a text back as a whole: {kind} rows would lose their "
                f"places in it; take some of {fitting}"
            )
        self.settings, self.kind = settings, kind
        self.seed = seed if settings.seed is None else settings.seed
        self.ways = [way(settings.strength, sources) for way in classes]
        self.once = not settings.anew or any(way.asks_model for way in classes)
        """Whether copies are made once, not for each epoch."""
        described = repr((settings, self.seed, kind, sources.synonyms.groups))
        self.fingerprint = hashlib.sha256(described.encode("utf-8", "surrogatepass")).hexdigest()

    def added(self, rows: Rows, epoch: int = 0) -> Added:
        """The copies of an epoch, in the order of the rows. A row that no way can change has none, and no copy is the
        same twice.
        """
        copies = [self._copy(rows[i], i, epoch, n) for i in range(len(rows)) for n in range(self.settings.times)]
        made: dict[int, _Made] = {}
        seen: dict[int, set[str]] = {}
        open_ = [number for number, copy in enumerate(copies) if copy.left]
        while open_:
            for number, found in self._tried([copies[number] for number in open_], open_, rows):
                texts = seen.setdefault(copies[number].origin, set())
                if found is not None and found.texts[1] not in texts:
                    made[number] = found
                    texts.add(found.texts[1])
            open_ = [number for number in open_ if number not in made and copies[number].left]
        numbers = sorted(made)
        origins = [copies[number].origin for number in numbers]
        taken = replace(rows.take(origins), rows=[made[number].row for number in numbers])
        example = made[numbers[0]].texts if numbers else None
        return Added(taken, origins, [made[number].way for number in numbers], example)

    def _copy(self, row: Row, index: int, epoch: int, number: int) -> _Copy:
        random = Random(f"{self.seed} {epoch} {index} {number}")
        pairs = [(way, part) for part in parts_of(self.kind, row) for way in self.ways if way.local or not part.kept]
        random.shuffle(pairs)
        return _Copy(index, random, pairs)

    def _tried(self, copies: Sequence[_Copy], numbers: Sequence[int], rows: Rows) -> list[tuple[int, _Made | None]]:
        """The next try of each copy, the texts of one way together; in the order of the copies."""
        tries = [copy.left.pop() for copy in copies]
        found: dict[int, _Made | None] = {}
        for way in self.ways:
            own = [i for i, (chosen, _) in enumerate(tries) if chosen is way]
            drafts = [Draft(tries[i][1].text, copies[i].random, tries[i][1].kept) for i in own]
            for i, draft, edits in zip(own, drafts, way.edits(drafts) if drafts else [], strict=True):
                after = changed(draft, edits)
                row = tries[i][1].changed(rows[copies[i].origin], after)
                found[i] = None if row is None else _Made(row, way.name, (draft.text, after.text))
        return [(number, found[i]) for i, number in enumerate(numbers)]


class AugmentedRounds:
    """`Rounds` of a training whose added rows are others in each epoch."""

    def __init__(
        self,
        examples: Sequence[Example],
        rows: Rows,
        augmenter: Augmenter,
        encode: Callable[[Sequence[Row]], list[Example]],
    ) -> None:
        """`examples` are those of the rows themselves; `encode` makes such of added ones."""
        self.examples, self.rows, self.augmenter, self.encode = list(examples), rows, augmenter, encode
        self.fingerprint = f"{rows.fingerprint()} {augmenter.fingerprint}"
        self._epoch, self._drawn = -1, list[Example]()

    def at(self, epoch: int, fitting: float = 1.0) -> list[Example]:
        """The rows' own examples, and behind them those of the epoch's copies."""
        if epoch != self._epoch:
            added = self.augmenter.added(self.rows, epoch)
            self._epoch, self._drawn = epoch, [*self.examples, *self.encode(list(added.rows))]
        return self._drawn


def refuse_none(added: Added, rows: Rows, settings: Augmentation) -> None:
    """DataError where no row could be changed at all."""
    if not len(added.rows):
        raise DataError(
            f"{rows.source}: {', '.join(settings.ways)} found nothing to change in any of {len(rows)} rows; choose "
            "other ways (homophone changes Chinese, synonym the words of its table), or give synonyms of your own"
        )
