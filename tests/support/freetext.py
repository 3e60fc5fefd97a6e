"""How well free text is scrubbed: recall by kind, false alarms, counted on notes from fresh seeds."""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import dataclass, field

from lakehouse.freetext import find
from lakehouse.synthetic.notes import Note, Writer


@dataclass
class FreetextMeasures:
    """Counts over many notes: planted, covered by what was found, and what was found where nothing was."""

    planted: Counter[str] = field(default_factory=Counter)
    covered: Counter[str] = field(default_factory=Counter)
    false_alarms: Counter[str] = field(default_factory=Counter)
    plain_words: int = 0
    missed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def recall(self, kind: str) -> float:
        """Share of the planted that is gone to the last character once the text is scrubbed."""
        return self.covered[kind] / self.planted[kind]

    @property
    def false_alarm_rate(self) -> float:
        """False alarms for 1,000 words that tell nobody."""
        return 1000 * sum(self.false_alarms.values()) / self.plain_words

    def add(self, note: Note) -> None:
        """Count one note."""
        found = find(note.text)
        gone = {place for each in found for place in range(each.start, each.end)}
        told = {place for each in note.planted for place in range(each.start, each.end)}
        for each in note.planted:
            kinds = [each.kind]
            if each.kind == "navn":
                kinds.append("navn, unlisted" if each.start in note.unlisted else "navn, listed")
            whole = all(place in gone for place in range(each.start, each.end) if note.text[place].isalnum())
            self.planted.update(kinds)
            self.covered.update(kinds if whole else [])
            if not whole:
                self.missed.append(f"{each.kind}: {note.text[max(0, each.start - 20) : each.end + 10]!r}")
        for each in found:
            if not told & set(range(each.start, each.end)):
                self.false_alarms[each.kind] += 1
                self.wrong.append(f"{each.kind}: {note.text[max(0, each.start - 15) : each.end + 10]!r}")
        plain = "".join(" " if place in told else letter for place, letter in enumerate(note.text))
        self.plain_words += len(plain.split())


def measure(notes: int, seed: int | None = None, *, unlisted: float = 0.15) -> FreetextMeasures:
    """Write notes and look how they are read."""
    writer, measured = (
        Writer(secrets.randbits(40) if seed is None else seed, unlisted=unlisted),
        FreetextMeasures(),
    )
    for _ in range(notes):
        measured.add(writer.note())
    return measured
