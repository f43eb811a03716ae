"""Back-translation: a text is translated into another language and back (Sennrich et al. 2016; Xie et al. 2020)."""

from __future__ import annotations

from collections.abc import Sequence

from bertie.core.errors import UsageError
from bertie.text.augmentation.base import Draft, Edit, Sources, Translate, Way


class BackTranslation(Way):
    """As a whole, so that no place in the text stays; `strength` says nothing here."""

    name = "back_translation"
    about = "the text is translated and translated back, by functions of yours (Python only)"
    local = False
    asks_model = True

    def __init__(self, strength: float, sources: Sources) -> None:
        super().__init__(strength, sources)
        if sources.translate is None:
            raise UsageError(
                "back_translation needs two functions, texts to translations, there and back; give them in Python: "
                "bertie.train(..., translate=(there, back))"
            )
        self._there, self._back = sources.translate

    def edits(self, drafts: Sequence[Draft]) -> list[list[Edit]]:
        texts = [draft.text for draft in drafts]
        returned = _asked(self._back, _asked(self._there, texts))
        return [
            [Edit(0, len(text), other)] if other.strip() and other.strip() != text.strip() else []
            for text, other in zip(texts, returned, strict=True)
        ]


def _asked(translate: Translate, texts: Sequence[str]) -> list[str]:
    found = list(translate(texts))
    if len(found) != len(texts) or not all(isinstance(text, str) for text in found):
        raise UsageError(
            f"augmentation: a translation gave {len(found)} answers for {len(texts)} texts, expected one text for each"
        )
    return found
