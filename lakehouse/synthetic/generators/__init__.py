"""One module a further source of the synthetic region, with a ``GENERATOR``; found by looking here, nothing else changes."""
