"""The family of studies (``conf/studies``): what is asked, under which permit, of whom, with which parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True)
class StudyDefinition:
    """A study: its permit, the question, a narrowing of the population, and the parameters of its jobs.

    ``cohort`` is one SQL condition on the columns of ``gold.person``, or ``"all"``; ``parameters`` are tables by the
    name of a job. Files from before definitions had versions lack version and title: such a study is version 0.
    """

    family: ClassVar[str] = "studies"
    version_required: ClassVar[bool] = False

    id: str
    permit: str
    seed: int = 1
    use_case: str = "explore"
    question: str = ""
    cohort: str = "all"
    parameters: Mapping[str, Any] = field(default_factory=dict)
