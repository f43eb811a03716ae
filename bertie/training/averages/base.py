"""The contract of an average of weights: how much each step's weights count.

In:  how many weights are in the average, how many steps are done
Out: the part of the next average that the weights of this step are
Knows nothing of weights: they are kept and mixed by `training/averaging.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar


class Average(ABC):
    """A subclass with a `name`, a frozen dataclass in a file of this folder, can be named in a recipe.

    Its fields are its settings; the text under each is its documentation.
    """

    name: ClassVar[str]
    about: ClassVar[str]
    """One line for a person: what it does."""

    @abstractmethod
    def share(self, held: int, done: int, total: int) -> float | None:
        """The part of the new average that the weights after step `done` of `total` are, the rest being the old one.

        `held` weights are in the old average: with none the weights are the average, whatever is said. None: these
        weights do not count.
        """
