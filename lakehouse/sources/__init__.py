"""One declaration a source. A new source is a new module here with a ``SOURCE``; nothing else changes."""
