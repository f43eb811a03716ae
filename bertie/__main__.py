"""`python -m bertie`, which is `bertie`; for launchers that start a module: `torchrun -m bertie`."""

from __future__ import annotations

from bertie.cli.app import main

if __name__ == "__main__":
    main()
