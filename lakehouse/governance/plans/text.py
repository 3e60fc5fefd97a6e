"""What Spark writes of its plans as text: which files a node reads, from where, with which columns."""

from __future__ import annotations

import os
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass

FILE_READS = re.compile(
    r'label="(Scan (?!ExistingRDD|OneRowRelation)[^"]*|textFile|wholeTextFiles|binaryFiles|binaryRecords|hadoop\w*'
    r'|newAPIHadoop\w*|sequenceFile|objectFile|pickleFile)\s*"'
)
"""Scopes in Spark's drawing of a job that read files."""

LABELLED_PATH = re.compile(r'label="((?:\w+:)?/[^"\[]*?) \[\d+\]')

LOCATION = re.compile(r"Location: (\w+)(?:\(\d+ paths?\))? ?\[([^\]]*)\]")

FILE_RDDS = ("FileScanRDD", "HadoopRDD", "NewHadoopRDD", "BinaryFileRDD", "DataSourceRDD", "WholeTextFileRDD")

HARMLESS_SOURCES = ("Range", "LocalRelation", "OneRowRelation", "EmptyRelation")


def plain_path(path: str) -> str:
    """A Hadoop path as a local one: no ``file:`` scheme, no doubled or trailing slash."""
    text = re.sub(r"^file:/*", "/", path.strip())
    return text if "://" in text else str(PurePosixPath(text))


def below(path: str, root: str) -> bool:
    """Whether a path is the root folder or lies in it; a pattern counts by what stands before its first star.

    Links and ``..`` are followed, so that a lake under another name is the lake.
    """
    fixed = re.split(r"[*?\[{]", path, maxsplit=1)[0]
    if path == root or fixed.startswith(root.rstrip("/") + "/"):
        return True
    if "://" in fixed or not fixed.startswith("/"):
        return False
    real, base = os.path.realpath(fixed), os.path.realpath(root)
    return real == base or real.startswith(base + os.sep)


def schema_names(schema: str) -> tuple[str, ...]:
    """Top-level names of ``struct<a:int,b:array<int>>``."""
    text = schema.strip().removeprefix("struct<").removesuffix(">")
    names, depth, start = [], 0, 0
    for place, letter in enumerate(text + ","):
        if letter in "<(":
            depth += 1
        elif letter in ">)":
            depth -= 1
        elif letter == "," and depth == 0:
            names.append(text[start:place].split(":", 1)[0])
            start = place + 1
    return tuple(name for name in names if name)
