"""What a job may hand over: each kind says how it is written, checked, shown and tested.

A new kind of product is a new module here with a ``ProductKind`` (``base``), or, where one analysis alone gives it, a
module of that analysis.
"""
