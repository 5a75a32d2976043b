"""Rules of this repository for checkov, which loads every module that is named here."""

from pathlib import Path

__all__ = [path.stem for path in Path(__file__).parent.glob("*.py") if path.stem != "__init__"]
