"""Offline pages: the report of a run, the trajectory browser, model cards, where a model came from."""
