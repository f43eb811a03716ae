"""Extras: whether the packages are installed that only some commands need.

In:  names of packages, and of the extra of `pip install` that brings them
Out: nothing, or a UsageError that says what to install
Imports none of them, so that it can be asked first.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping

from bertie.core.errors import UsageError


def check_installed(what: str, extra: str, packages: Mapping[str, str]) -> None:
    """UsageError where a package that `what` needs is not installed; `packages`: module to name."""
    missing = [name for module, name in packages.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise UsageError(
            f"{what} needs {' and '.join(missing)}, which is not installed: in the folder of Bertie's code, "
            f"pip install -e '.[{extra}]'"
        )
