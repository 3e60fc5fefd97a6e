"""How kernels are compiled: as everything here that is, :mod:`lakehouse.compiling`."""

from lakehouse.compiling import compiled

__all__ = ["compiled"]
