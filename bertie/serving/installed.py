"""Whether what serving needs beside the core is installed: the extra `serve`.

In:  nothing
Out: nothing, or a UsageError that says what to install
Imports none of it, so that it can be asked first.
"""

from __future__ import annotations

import importlib.util

from bertie.core.errors import UsageError


def check_installed() -> None:
    """UsageError where a package that answers over HTTP is not installed."""
    missing = [name for name in ("fastapi", "uvicorn") if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(f"serving needs {' and '.join(missing)}, which is not installed: pip install 'bertie[serve]'")
