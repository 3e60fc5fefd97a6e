"""Values that any definition may hold beside plain ones: a text in two languages, and a reference to another definition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

F = TypeVar("F")


@dataclass(frozen=True)
class Text:
    """The same words in Danish and English; ``ValueError`` where one of them is empty."""

    da: str
    en: str

    def __post_init__(self) -> None:
        if empty := [language for language in ("da", "en") if not getattr(self, language).strip()]:
            raise ValueError(f"the text is empty in {' and '.join(empty)}")

    def told(self, language: str) -> str:
        """The words in ``language``; English where it is neither ``da`` nor ``en``."""
        return self.da if language == "da" else self.en


@dataclass(frozen=True)
class Reference(Generic[F]):
    """Another definition, as a file names it: ``"id@version"``. The type names its family: ``Reference[CodeList]``.

    ``hash`` is that definition's, so the hash of whatever refers to it changes with it.
    """

    family: str
    id: str
    version: int
    hash: str

    @property
    def name(self) -> str:
        """How the definition is called in a receipt: ``family/id@version``."""
        return f"{self.family}/{self.id}@{self.version}"
