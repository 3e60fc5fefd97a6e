"""Read by every Python worker of an open study before anything else: closes lake, keys and results to the job's functions.

Stands alone, because a worker imports it by this name from a folder on its path. ``PATTERNLAKE_CLOSED`` holds folders
no function may open, ``PATTERNLAKE_OPEN`` those of them the platform's own functions need (the study's key). Python
reads only the first ``sitecustomize`` of its path, so the environment's own is run from here, under the same watch.
"""

import os
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec

CLOSED = tuple(filter(None, os.environ.get("PATTERNLAKE_CLOSED", "").split(os.pathsep)))
OPEN = tuple(filter(None, os.environ.get("PATTERNLAKE_OPEN", "").split(os.pathsep)))
STARTING = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn")
READERS = ("duckdb", "polars", "deltalake", "fastparquet", "pyarrow.parquet", "pyarrow.dataset")
"""Libraries that open files past Python: a function over rows it was given needs none of them."""


def below(path: str, roots: tuple[str, ...]) -> bool:
    """Whether a path lies in one of the folders."""
    return any(path == root or path.startswith(root + os.sep) for root in roots)


def hook(event: str, arguments: tuple) -> None:  # type: ignore[type-arg]
    """Refuse what reaches past the rows a function was given.

    Raises :class:`PermissionError` for a file of lake, keys or results and for a process, :class:`ImportError` for
    a library that opens files past Python.
    """
    if event == "open" and isinstance(arguments[0], (str, bytes, os.PathLike)):
        path = os.path.realpath(os.fsdecode(arguments[0]))
        if below(path, CLOSED) and not below(path, OPEN):
            raise PermissionError("Patternlake: a worker's function may not open the lake, keys or results")
    elif event in STARTING:
        raise PermissionError("Patternlake: a worker's function may start no process")
    elif event == "import" and arguments[0] in READERS:
        raise ImportError(f"Patternlake: {arguments[0]} opens files past the study")


def run_the_next() -> None:
    """Run the ``sitecustomize`` of the environment that this one hides: the next on the path."""
    own = os.path.realpath(os.path.dirname(__file__))  # noqa: PTH120
    places = [place for place in sys.path if os.path.realpath(place) != own]
    found = PathFinder.find_spec(__name__, places)
    if found is not None and found.loader is not None:
        found.loader.exec_module(module_from_spec(found))


if CLOSED:
    sys.addaudithook(hook)
if __name__ == "sitecustomize":
    run_the_next()
