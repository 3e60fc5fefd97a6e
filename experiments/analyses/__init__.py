"""One folder an analysis: what is asked of the data, how it is counted and tested, and what kind of result it gives.

A new analysis is a new folder here and a file in ``jobs`` that asks it; the file names what may be set and calls
``study.py``.
"""
