"""What tells a person in Danish text: by example, and by recall and false alarms on notes from fresh seeds."""

from __future__ import annotations

import csv
import gzip
import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.freetext import find, scrub
from tests.support.freetext import measure


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("Pt. Mette Hansen, cpr 710190-1234, er set.", "Pt. [navn], cpr [cpr], er set."),
        ("Journal 71.01.1990 - 1234 og 7101900AB3", "Journal [cpr] og [cpr]"),
        ("Datteren Aisha bor Nørregade 12, 3. tv, 8000 Aarhus C.", "Datteren [navn] bor [adresse]."),
        ("Ring +45 22 33 44 55 eller skriv til ole.b@mail.dk", "Ring [telefon] eller skriv til [e-mail]"),
        ("pt. jens jensen sover. HANS OLSEN venter.", "pt. [navn] sover. [navn] venter."),
        ("I dag oplyser Gråbjørk H. Osendal om smerter", "I dag oplyser [navn] om smerter"),
        ("Flyttet til Nyhavn 4, 1051 København K i maj", "Flyttet til [adresse] i maj"),
    ],
)
def test_what_tells_a_person_is_taken_out(text: str, scrubbed: str) -> None:
    assert scrub(text) == scrubbed


@pytest.mark.parametrize(
    "text",
    [
        "Parkinsons sygdom, Crohns sygdom, Romberg negativ, Glasgow Coma Scale 15.",
        "Kontrol 01.02.2023 kl. 1430 på Odense Universitetshospital.",
        "Indlagt 20230214, ordination 984-221, Hb 8,1 mmol/L, BT 134/82.",
        "Bo selv og gå tur. Liv og død. Storm i vente.",
        "Fik Panodil 1 g x 4, Marevan efter skema, INR 2,3.",
        "ICD-kode DI219, ATC C10AA05, NPU02319, SHAK 3800A20.",
        "",
    ],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert scrub(text) == text


@given(st.text(max_size=200))
@settings(max_examples=60)
def test_any_text_is_read_and_nothing_is_found_twice(text: str) -> None:
    found = find(text)
    assert all(one.end <= other.start for one, other in itertools.pairwise(found))
    assert all(0 <= each.start < each.end <= len(text) for each in found)


def test_recall_is_as_promised_on_fresh_notes() -> None:
    measured = measure(600)
    shown = {kind: f"{measured.recall(kind):.4f} of {measured.planted[kind]}" for kind in measured.planted}
    print(shown, f"false alarms per 1,000 plain words: {measured.false_alarm_rate:.2f}")
    assert measured.planted["cpr"] > 200 < measured.planted["navn"]
    assert measured.recall("cpr") >= 0.995, measured.missed[:10]
    assert measured.recall("navn") >= 0.95, measured.missed[:10]
    for kind in ("telefon", "e-mail", "adresse"):
        assert measured.recall(kind) >= 0.95, measured.missed[:10]
    assert measured.false_alarm_rate < 10, measured.wrong[:10]


def test_the_measure_can_fail() -> None:
    honest = measure(200, 1, unlisted=1.0)
    assert honest.recall("navn, unlisted") < 1
    assert honest.missed


def test_false_alarms_on_texts_nobody_here_wrote(foreign_data: Path) -> None:
    with gzip.open(foreign_data / "danish_codes" / "icd10_dk.csv.gz", "rt", encoding="utf-8") as handle:
        texts = [" ".join(cell for cell in row if " " in cell) for row in csv.reader(handle)]
    words = sum(len(text.split()) for text in texts)
    false = [(text, each) for text in texts for each in find(text)]
    shown = {text[each.start : each.end] for text, each in false}
    print(f"false alarms on {words} words of the Danish ICD-10: {1000 * len(false) / words:.2f} per 1,000")
    assert words > 10_000
    assert 1000 * len(false) / words < 20, sorted(shown)[:40]
