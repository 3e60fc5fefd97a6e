"""Names in Danish text: by lists, by what stands before them, and by the capitals only names carry in a sentence."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from lakehouse.settings import conf_dir

WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*\.?")
ENDINGS = (
    "sen",
    "gaard",
    "gård",
    "strup",
    "rup",
    "lund",
    "bjerg",
    "berg",
    "holm",
    "sson",
    "dahl",
    "skov",
    "mann",
    "ski",
    "oğlu",
    "ić",
    "ova",
    "kjær",
    "quist",
    "kvist",
    "borg",
    "dal",
    "toft",
    "sted",
)


@dataclass(frozen=True)
class Lists:
    """Known names and known others, in lower case.

    ``words`` are names that are also ordinary words, ``cues`` say that a name follows, ``particles`` stand
    between names (von, de), ``abbreviations`` end in a point that ends no sentence.
    """

    given: frozenset[str]
    family: frozenset[str]
    words: frozenset[str]
    others: frozenset[str]
    cues: frozenset[str]
    abbreviations: frozenset[str]
    particles: frozenset[str]


@cache
def lists() -> Lists:
    """The lists in ``conf/codelists``: written by hand from common Danish and immigrant names."""
    names, others = read("names.csv", "kind"), read("not_names.csv", "about")
    little = read("name_cues.csv", "about")
    return Lists(
        given=names["given_m"] | names["given_f"],
        family=names["family"],
        words=names["word"],
        others=frozenset().union(*others.values()),
        cues=little["cue"],
        abbreviations=little["abbreviation"],
        particles=little["particle"],
    )


def read(name: str, by: str) -> dict[str, frozenset[str]]:
    """Words of a list in lower case, by what they are."""
    kinds: dict[str, set[str]] = {}
    with (conf_dir() / "codelists" / name).open(encoding="utf-8") as handle:
        for first, kind in csv.reader(handle):
            kinds.setdefault(kind, set()).add(first.lower())
    return {kind: frozenset(words) for kind, words in kinds.items()}


@dataclass(frozen=True)
class Word:
    """A word of a text: whether it opens a sentence or field, whether it is the first of its line."""

    text: str
    start: int
    end: int
    opens: bool
    first: bool

    @property
    def capital(self) -> bool:
        """Begins with a capital, also after a hyphen, and goes on in small letters."""
        return (len(self.text) == 1 and self.text.isupper()) or self.text.istitle()

    @property
    def loud(self) -> bool:
        """Three or more capitals only."""
        return len(self.text) > 2 and self.text.isupper()

    @property
    def initial(self) -> bool:
        """A letter with or without a point."""
        return self.text[0].isupper() and len(self.text.rstrip(".")) == 1

    @property
    def bare(self) -> str:
        """Lower case, without point."""
        return self.text.rstrip(".").lower()


def words_of(text: str) -> list[Word]:
    """The words of a text, each with whether it opens a sentence, a line or a field."""
    found: list[Word] = []
    for match in WORD.finditer(text):
        word = match[0]
        if word.endswith(".") and len(word) > 2 and word.lower() not in lists().abbreviations:
            word = word[:-1]
        before = text[: match.start()].rstrip(" \t\"'([–-")
        opens = not before or (
            before[-1] in ".!?:\n;" and not any(before.lower().endswith(a) for a in lists().abbreviations)
        )
        first = not before or before[-1] == "\n"
        found.append(Word(word, match.start(), match.start() + len(word), opens, first))
    return found


def listed(bare: str, names: frozenset[str]) -> bool:
    """Whether a word, also in the genitive and in parts, is in a list."""
    if bare in names:
        return True
    if bare.endswith("s") and bare[:-1].rstrip("'’") in names:
        return True
    parts = re.split(r"[-'’]", bare)
    return len(parts) > 1 and any(part in names for part in parts if len(part) > 2)


def strength(word: Word) -> int:
    """How much a word by itself is a name: 3 surely, 2 where no sentence opens, 1 in company, 0 not, -1 certainly not."""
    known = lists()
    bare = word.bare
    if listed(bare, known.others) and not (listed(bare, known.given) and bare not in known.words):
        return -1
    if listed(bare, known.given | known.family):
        ordinary = listed(bare, known.words)
        if word.capital:
            return 1 if ordinary and word.opens else 2 if ordinary else 3
        return 1
    if word.capital and len(bare) > 4 and bare.rstrip("s'’").endswith(ENDINGS):
        return 1 if word.opens else 2
    return 0


def cued(words: list[Word], at: int) -> bool:
    """Whether the word before says that a name follows."""
    return at > 0 and not words[at].first and words[at - 1].text.lower() in lists().cues


def spans(text: str) -> Iterator[tuple[int, int]]:
    """Where names stand: runs of words that are names, initials and particles, as far as they reach."""
    words = words_of(text)
    at = 0
    while at < len(words):
        end = run_from(text, words, at)
        if end > at and is_name(words, at, end):
            yield words[at].start, words[end - 1].end
            at = end
        else:
            at += 1


def run_from(text: str, words: list[Word], at: int) -> int:
    """One past the last word of the run of possible name words that begins here."""
    end = at
    if words[at].text.lower() in lists().cues and strength(words[at]) < 2:
        return at
    while end < len(words) and end - at < 6:
        word = words[end]
        if end > at and not re.fullmatch(r"[ \t]{1,2}|\n|,\s|-", text[words[end - 1].end : word.start]):
            break
        if (
            end > at
            and "," in text[words[end - 1].end : word.start]
            and not (strength(words[end - 1]) >= 2 and strength(word) >= 3 and end - at == 1)
        ):
            break
        if strength(word) == -1:
            break
        particle = (
            end > at and word.bare in lists().particles and end + 1 < len(words) and words[end + 1].capital
        )
        likely = word.capital or word.loud or word.initial or strength(word) > 0
        if not (likely or particle):
            break
        if end > at and word.opens and "\n" in text[words[end - 1].end : word.start]:
            break
        end += 1
    return end


def is_name(words: list[Word], at: int, end: int) -> bool:
    """Whether a run is a name: one sure word, two in company, or a cue before a capital."""
    run = words[at:end]
    strengths = [strength(word) for word in run]
    if max(strengths) == 3:
        return True
    capitals = [word for word in run if (word.capital or word.initial) and not word.opens]
    if max(strengths) == 2 and len(run) > 1:
        return True
    if len(run) == 1 and strengths[0] == 2:
        return cued(words, at) or run[0].bare not in lists().words
    if sum(each > 0 for each in strengths) >= 2:
        return True
    if cued(words, at) and (run[0].capital or run[0].loud or strengths[0] > 0) and len(run[0].bare) > 1:
        return True
    return (
        len(capitals) >= 2
        and any(len(word.bare) > 2 for word in capitals)
        and not all(w.initial for w in run)
    )
