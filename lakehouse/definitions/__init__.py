"""What operators and researchers declare: one kind of file (``conf/<family>/<id>.toml``) and one loader for all families."""

from lakehouse.definitions.loader import Definition, load
from lakehouse.definitions.values import Reference, Text

__all__ = ["Definition", "Reference", "Text", "load"]
