"""Read by every Python worker of an open study before anything else: closes lake, keys and results to the job's functions.

Stands alone, because a worker imports it by this name from a folder on its path. ``PATTERNLAKE_CLOSED`` holds folders
no function may open, ``PATTERNLAKE_OPEN`` those of them the platform's own functions need (the study's key).
"""

import os
import sys

CLOSED = tuple(filter(None, os.environ.get("PATTERNLAKE_CLOSED", "").split(os.pathsep)))
OPEN = tuple(filter(None, os.environ.get("PATTERNLAKE_OPEN", "").split(os.pathsep)))
STARTING = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn")
READERS = ("duckdb", "polars", "deltalake", "fastparquet", "pyarrow.parquet", "pyarrow.dataset")
"""Libraries that open files past Python: a function over rows it was given needs none of them."""


def below(path: str, roots: tuple[str, ...]) -> bool:
    """Whether a path lies in one of the folders."""
    return any(path == root or path.startswith(root + os.sep) for root in roots)


def hook(event: str, arguments: tuple) -> None:  # type: ignore[type-arg]
    """Refuse what reaches past the rows a function was given."""
    if event == "open" and isinstance(arguments[0], (str, bytes, os.PathLike)):
        path = os.path.realpath(os.fsdecode(arguments[0]))
        if below(path, CLOSED) and not below(path, OPEN):
            raise PermissionError("Patternlake: a worker's function may not open the lake, keys or results")
    elif event in STARTING:
        raise PermissionError("Patternlake: a worker's function may start no process")
    elif event == "import" and arguments[0] in READERS:
        raise ImportError(f"Patternlake: {arguments[0]} opens files past the study")


if CLOSED:
    sys.addaudithook(hook)
