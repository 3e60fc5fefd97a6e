"""Names of a run's tags: written as they are in the code, and found under the dotted names of earlier runs too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

ON_MODELS = (
    "study_id",
    "permit_id",
    "permit_hash",
    "purpose",
    "code_version",
    "data_versions",
    "seed",
    "kind",
)
"""The tags of a run that its model carries too."""


def former(name: str) -> str:
    """The name that version 0.1.0 gave a tag: with a dot for the first underscore (``use.case``)."""
    return name.replace("_", ".", 1)


def tag_of(tags: Mapping[str, str], name: str, default: str = "") -> str:
    """The value of a tag of a run or a model version, whichever version wrote it."""
    return tags.get(name, tags.get(former(name), default))


def searches(name: str, value: str) -> Iterator[str]:
    """Search strings for a tag, one for each name it may have; MLflow's search knows no "or"."""
    for each in dict.fromkeys((name, former(name))):
        yield f"tags.`{each}` = '{value}'"
