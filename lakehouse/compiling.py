"""The one place that sets how Python is compiled to machine code, for kernels and for pseudonymisation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

_Function = TypeVar("_Function", bound=Callable[..., object])


def compiled(function: _Function) -> _Function:
    """Compile to machine code: cached on disk, without the interpreter lock, with exact arithmetic.

    No fast-math: results must not depend on how a compiler reorders sums.
    """
    return cast("_Function", numba.njit(cache=True, nogil=True, fastmath=False, boundscheck=False)(function))
