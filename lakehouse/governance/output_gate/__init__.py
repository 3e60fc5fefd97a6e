"""Judges every file that wants to leave; knows nothing of how it was suppressed.

A new check is a function of the module for what it looks at (``tables``, ``pairs``, ``files`` …), called by ``gate``,
with its refusal as a ``Rule`` in ``reasons``.
"""
