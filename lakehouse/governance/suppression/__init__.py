"""Hides small cells in results before anything is shown; knows nothing of the output gate."""
