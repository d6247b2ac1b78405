"""`python -m betaplus` is `betaplus`."""

from __future__ import annotations

from betaplus.cli.main import main

if __name__ == "__main__":
    main()
