"""The processes of a session: its JVM, the environment of its Python workers, and its class of frames."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Action = Callable[..., Any]


def jvm_process(spark: SparkSession) -> int:
    """Process id of the session's JVM, which writes Delta's files and so holds the writers' lock beside Python."""
    jvm: Any = spark.sparkContext._jvm
    return int(jvm.java.lang.ProcessHandle.current().pid())


def worker_environment(spark: SparkSession) -> dict[str, str]:
    """Environment of the Python workers of functions made from now on; changes in it hold for those."""
    environment: dict[str, str] = spark.sparkContext.environment
    return environment


def wrap_frames(methods: Iterable[str], properties: Iterable[str], wrap: Callable[[Action], Action]) -> None:
    """Put ``wrap`` around methods and properties of the frames of every session of this process.

    Raises :class:`AttributeError` naming the first that frames no longer have, before anything is changed: a guard
    that misses an action would be worse than none.
    """
    from pyspark.sql.classic.dataframe import DataFrame

    found = {name: getattr(DataFrame, name) for name in methods}
    held = {name: getattr(DataFrame, name) for name in properties}
    inner = {name: getattr(each, "fget", None) or each.func for name, each in held.items()}
    for name, method in found.items():
        setattr(DataFrame, name, wrap(method))
    for name, method in inner.items():
        setattr(DataFrame, name, property(wrap(method)))
