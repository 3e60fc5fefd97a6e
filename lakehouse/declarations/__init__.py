"""Building blocks of the declarations in ``lakehouse/sources``: columns, types, codings and rules of a source's tables."""
