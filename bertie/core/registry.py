"""The folder is the list: every class with a `name` in the files of a package is found by that name.

In:  a package and the base class that its classes hold to; perhaps a module from elsewhere
Out: name -> class
Knows nothing of what the classes do.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType
from typing import Generic, TypeVar

from bertie.core.errors import UsageError

T = TypeVar("T")


class Registry(Generic[T]):
    """Classes of one folder by their `name`. Files are imported at the first question, not before."""

    def __init__(self, package: ModuleType, base: type[T], what: str) -> None:
        """`what` names the kind in error messages: "task", "objective", "tuning method"."""
        self.package, self.base, self.what = package, base, what
        self._classes: dict[str, type[T]] = {}

    def classes(self) -> dict[str, type[T]]:
        """Every class found, sorted by name."""
        if not self._classes:
            for file in pkgutil.iter_modules(self.package.__path__):
                self._classes |= self._found(importlib.import_module(f"{self.package.__name__}.{file.name}"))
        return dict(sorted(self._classes.items()))

    def get(self, name: str) -> type[T]:
        """The class called `name`; UsageError names the ones there are."""
        classes = self.classes()
        if name not in classes:
            raise UsageError(
                f"{self.what} {name!r} does not exist; choose one of {', '.join(classes)}, or name the file that it is "
                "in: bertie --with FILE"
            )
        return classes[name]

    def extend(self, module: ModuleType) -> list[str]:
        """Adds the classes of a module that somebody named, for as long as this process lives; returns their names.

        UsageError where a name is taken: what answers to it elsewhere must stay what it is.
        """
        classes = self.classes()
        found = self._found(module)
        taken = [name for name, value in found.items() if classes.get(name, value) is not value]
        if taken:
            raise UsageError(f"{module.__file__}: there is a {self.what} {taken[0]!r} already; give yours another name")
        self._classes |= found
        return list(found)

    def _found(self, module: ModuleType) -> dict[str, type[T]]:
        found = {}
        for value in vars(module).values():
            own = isinstance(value, type) and issubclass(value, self.base) and value.__module__ == module.__name__
            name = value.__dict__.get("name") if own else None
            if isinstance(name, str):
                found[name] = value
        return found
