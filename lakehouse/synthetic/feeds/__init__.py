"""One module a further source of the synthetic region, with a ``FEED``; found by looking here, nothing else changes."""
