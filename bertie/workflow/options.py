"""Options of the Python functions: which names there are.

In:  the options that somebody gave, the requests whose fields they may be
Out: nothing, or a UsageError that lists the names
Knows nothing of what an option means.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from bertie.core.errors import UsageError

ARGUMENTS = ("data", "corpus", "reading", "training")
"""Fields of requests that the functions take without a name, or make themselves."""


def check_options(function: str, given: Iterable[str], *requests: type[Any]) -> None:
    """UsageError where a name is no field of these requests: names of settings are often taken for options."""
    names = [one.name for request in requests for one in fields(request) if one.name not in ARGUMENTS]
    unknown = [name for name in given if name not in names]
    if not unknown:
        return
    hint = '; a setting of the recipe is given as settings={"training.epochs": 3}' if "overrides" in names else ""
    raise UsageError(
        f"bertie.{function}: found {', '.join(unknown)}, expected no other options than {', '.join(names)}{hint}"
    )
