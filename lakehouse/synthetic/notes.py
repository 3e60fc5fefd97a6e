"""Danish clinical notes with planted identifiers: what the recognisers of :mod:`lakehouse.freetext` are measured on.

The recognisers' lists never decide what is written here alone: a share of the names is built from syllables that
stand in no list, some are misspelt, in capitals or in small letters, and every fifth sentence is full of what only
looks like an identifier.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from lakehouse.freetext.find import Mention
from lakehouse.freetext.names import read

ONSETS = (
    "B",
    "Br",
    "D",
    "F",
    "Fr",
    "G",
    "Gr",
    "H",
    "J",
    "K",
    "Kl",
    "Kr",
    "L",
    "M",
    "N",
    "P",
    "R",
    "S",
    "Sk",
    "Sl",
    "St",
    "Sv",
    "T",
    "Tr",
    "V",
    "Al",
    "An",
    "El",
    "Em",
    "Is",
    "Os",
    "Ul",
    "Yv",
)
MIDDLES = (
    "a",
    "e",
    "i",
    "o",
    "u",
    "y",
    "æ",
    "ø",
    "å",
    "an",
    "en",
    "il",
    "or",
    "ar",
    "el",
    "ad",
    "om",
    "ev",
    "id",
    "as",
)
GIVEN_ENDINGS = (
    "a",
    "e",
    "ine",
    "is",
    "ik",
    "na",
    "ne",
    "rik",
    "lin",
    "or",
    "el",
    "ja",
    "mo",
    "dis",
)
FAMILY_ENDINGS = (
    "sen",
    "sen",
    "sen",
    "sen",
    "gaard",
    "lund",
    "bjerg",
    "holm",
    "strup",
    "berg",
    "kvist",
    "toft",
    "dal",
    "vang",
    "ski",
    "i",
    "a",
    "o",
    "ez",
)
STREETS = (
    "Nørregade",
    "Søndergade",
    "Vestergade",
    "Østerbrogade",
    "Skolevej",
    "Kirkevej",
    "Møllevej",
    "Birkevej",
    "Granvænget",
    "Hans Egedes Vej",
    "Sankt Knuds Torv",
    "Gl. Kongevej",
    "Rosenvænget",
    "H.C. Andersens Boulevard",
    "Stationsvej",
    "Engvej",
    "Åboulevarden",
    "Havnegade",
    "Lærkevænget",
    "Tværgade",
    "Ny Banegårdsgade",
    "Dronning Margrethes Vej",
    "Bøgebakken",
    "Strandparken",
    "Vesterbro",
    "Nyhavn",
)
TOWNS = (
    ("8000", "Aarhus C"),
    ("5000", "Odense C"),
    ("2100", "København Ø"),
    ("9000", "Aalborg"),
    ("6700", "Esbjerg"),
    ("7100", "Vejle"),
    ("4000", "Roskilde"),
    ("8900", "Randers C"),
    ("3400", "Hillerød"),
    ("4700", "Næstved"),
    ("7800", "Skive"),
    ("9800", "Hjørring"),
)
PLAIN = (
    "Hb 7,{n} mmol/L, Na 14{n}, K 3,{n}, kreatinin 10{n}, CRP {n}8.",
    "Fik Panodil 1 g x 4, Furix 40 mg x 2 og Marevan efter skema.",
    "Kendt med Parkinsons sygdom, Crohns sygdom og hypertension.",
    "Kontrol på Odense Universitetshospital den 1{n}.03.2021 kl. 10.30.",
    "Lasègue negativ, Babinski nedad, Romberg sikker, Glasgow Coma Scale 15.",
    "BT 13{n}/8{n}, puls 7{n}, temp. 37,{n}, saturation 9{n} % uden ilt.",
    "Henvist til Ortopædkirurgisk Afdeling på Aarhus Universitetshospital.",
    "Røntgen af thorax: ingen infiltrater, normal hjertestørrelse.",
    "Indlagt 2021{m}1{n} via Akutmodtagelsen, udskrevet efter 3 døgn.",
    "Ordinationsnummer 98{n}4-221, rekvisition A{n}77120, lot 4{n}12099871.",
    "Patienten er vågen, klar og orienteret i tid, sted og egne data.",
    "Planen er gennemgået, der er givet mundtlig og skriftlig information.",
    "Ved forværring kontaktes Lægevagten, ellers kontrol om {n} uger.",
    "Tilstanden er stationær. Ingen nye klager. Appetitten er god.",
    "EKG: sinusrytme, frekvens 7{n}, QTc 4{n}0 ms. Troponin T <{n}.",
    "ICD-kode DI219, operation KNFB40, ATC C10AA05, NPU02319.",
    "Ankom med Falck fra Køge, overflyttes til Rigshospitalet torsdag.",
    "Blodtype O RhD Pos, Leukocytter {n},1 x 10^9/L, INR 2,{n}.",
)


@dataclass
class Note:
    """A note and what was planted in it; ``unlisted`` says which of the names stand in no list."""

    text: str = ""
    planted: list[Mention] = field(default_factory=list)
    unlisted: set[int] = field(default_factory=set)

    def say(self, words: str) -> Note:
        """Add words that tell nobody."""
        self.text += words
        return self

    def plant(self, kind: str, words: str, *, unlisted: bool = False) -> Note:
        """Add words that tell somebody."""
        if unlisted:
            self.unlisted.add(len(self.text))
        self.planted.append(Mention(kind, len(self.text), len(self.text) + len(words)))
        self.text += words
        return self


class Writer:
    """Writes notes from one seed."""

    def __init__(self, seed: int, *, unlisted: float = 0.15) -> None:
        self.rng, self.unlisted = random.Random(seed), unlisted
        names = read("names.csv", "kind")
        words = names["word"]
        self.given = sorted((names["given_m"] | names["given_f"]) - words)
        self.family = sorted(names["family"] - words)
        self.words = sorted(words)

    def pick(self, *choices: str) -> str:
        """One of several."""
        return self.rng.choice(choices)

    def invented(self, endings: Sequence[str]) -> str:
        """A name that no list holds."""
        parts = [self.rng.choice(ONSETS), *(self.rng.choice(MIDDLES) for _ in range(self.rng.randint(1, 2)))]
        return "".join(parts) + self.rng.choice("bdfgklmnrstv") + self.rng.choice(endings)

    def name(self, note: Note, *, full: bool) -> None:
        """Plant a name the way it may be written."""
        unlisted = self.rng.random() < self.unlisted
        given = self.invented(GIVEN_ENDINGS) if unlisted else self.proper(self.rng.choice(self.given))
        family = self.invented(FAMILY_ENDINGS) if unlisted else self.proper(self.rng.choice(self.family))
        if not unlisted and self.rng.random() < 0.06:
            given = self.proper(self.rng.choice(self.words))
        if not full:
            words = given
        elif (form := self.rng.random()) < 0.6:
            words = f"{given} {family}"
        elif form < 0.72:
            words = f"{given} {self.proper(self.rng.choice(self.family))} {family}"
        elif form < 0.8:
            words = f"{given} {self.rng.choice('ABCDEFGHJKLMNPRST')}. {family}"
        elif form < 0.86:
            words = f"{given}-{self.proper(self.rng.choice(self.given))} {family}"
        elif form < 0.91:
            words = f"{given} {family}".upper()
        elif form < 0.95 and not unlisted:
            words = f"{given} {family}".lower()
        else:
            words = f"{given} {self.misspelt(family)}"
        note.plant("navn", words, unlisted=unlisted)

    def proper(self, word: str) -> str:
        """With a capital, after a hyphen too."""
        return "-".join(part.capitalize() for part in word.split("-"))

    def misspelt(self, word: str) -> str:
        """With one letter changed, dropped or doubled."""
        at = self.rng.randrange(1, len(word) - 1)
        return word[:at] + self.pick("", word[at] * 2, self.rng.choice("aeinrst")) + word[at + 1 :]

    def number(self, note: Note) -> None:
        """Plant a person number that cannot be issued (day + 60), as people write numbers."""
        day, month, year = self.rng.randint(61, 88), self.rng.randint(1, 12), self.rng.randint(30, 99)
        serial = f"{self.rng.randint(0, 9999):04d}"
        if self.rng.random() < 0.05:
            serial = serial[0] + "".join(self.rng.choices("ABCDEFGHKLMNPRST", k=2)) + serial[3]
        date = f"{day:02d}{month:02d}{year:02d}"
        form = self.rng.choice(
            ["{d}-{s}"] * 6
            + ["{d}{s}"] * 5
            + ["{d} {s}", "{d} - {s}", "{d}–{s}", "{p}-{s}", "{p} {s}", "{b} {s}"]
        )
        points = f"{day:02d}.{month:02d}.{year:02d}"
        note.plant("cpr", form.format(d=date, s=serial, p=points, b=points.replace(".", " ")))

    def phone(self, note: Note) -> None:
        """Plant a telephone number."""
        digits = f"{self.rng.randint(2, 9)}{self.rng.randint(0, 9_999_999):07d}"
        pairs = [digits[at : at + 2] for at in range(0, 8, 2)]
        form = self.rng.choice(
            [" ".join(pairs), digits, f"{digits[:4]} {digits[4:]}", "+45 " + " ".join(pairs), "-".join(pairs)]
        )
        note.plant("telefon", form)

    def address(self, note: Note) -> None:
        """Plant an address."""
        street = self.rng.choice(STREETS)
        house = f"{self.rng.randint(1, 199)}{self.pick('', '', '', 'A', 'B')}"
        floor = self.pick("", "", ", 2. tv", ", st. th.", ", 1. sal", ", 3. mf")
        code, town = self.rng.choice(TOWNS)
        note.plant("adresse", f"{street} {house}{floor}{self.pick('', f', {code} {town}')}")

    def mail(self, note: Note) -> None:
        """Plant an e-mail address."""
        plain = str.maketrans("æøåéü", "eoaeu")
        who = f"{self.rng.choice(self.given)}.{self.rng.choice(self.family)}".translate(plain)
        note.plant("e-mail", f"{who}@{self.pick('gmail.com', 'mail.dk', 'rsyd.dk', 'hotmail.com')}")

    def plain(self, note: Note) -> None:
        """A sentence that tells nobody."""
        text = self.rng.choice(PLAIN)
        note.say(
            text.replace("{n}", str(self.rng.randint(1, 9))).replace("{m}", f"{self.rng.randint(1, 12):02d}")
            + self.pick(" ", "\n", " ")
        )

    def telling(self, note: Note) -> None:
        """A sentence with something planted."""
        choice = self.rng.randrange(13)
        if choice == 0:
            self.name(note.say(self.pick("Pt. ", "Patienten ", "Fru ", "Hr. ")), full=True)
            note.say(" er indlagt akut.")
        elif choice == 1:
            self.name(note, full=True)
            self.number(note.say(self.pick(", cpr ", ", CPR-nr.: ", " (", ", f. ")))
            note.say(" møder til kontrol.")
        elif choice == 2:
            self.name(
                note.say(self.pick("Datteren ", "Sønnen ", "Hustruen ", "Nabo ", "Pårørende: ")),
                full=self.rng.random() < 0.5,
            )
            self.phone(note.say(self.pick(" træffes på tlf. ", " kan ringes op på ", ", mobil ")))
            note.say(".")
        elif choice == 3:
            self.address(note.say(self.pick("Bor på ", "Adresse: ", "Flyttet til ", "Hjem til ")))
            note.say(".")
        elif choice == 4:
            self.mail(note.say("Svar ønskes på "))
            note.say(".")
        elif choice == 5:
            note.say(self.pick("Aftalt med ", "Konfereret med ", "Talt med ", "Set sammen med "))
            self.name(note.say(self.pick("", "overlæge ", "sygeplejerske ", "dr. ")), full=True)
            note.say(".")
        elif choice == 6:
            self.name(note.say(self.pick("Mvh ", "Venlig hilsen ", "/")), full=True)
            note.say(self.pick(", sygeplejerske", ", reservelæge", "") + "\n")
        elif choice == 7:
            self.number(note.say(self.pick("Cpr: ", "Journal på ", "Forveksles ikke med ", "Mor: ")))
            note.say(".")
        elif choice == 8:
            self.phone(note.say(self.pick("Ring ", "Tlf.: ", "Mobil ", "Kontakt: ")))
            note.say(".")
        elif choice == 9:
            self.name(note, full=True)
            note.say(self.pick(" har ondt i ryggen.", " oplyser, at det går bedre.", " ønskes set."))
        elif choice == 10:
            note.say(self.pick("I dag oplyser ", "Derfor får ", "Hjemme passes "))
            self.name(note, full=True)
            note.say(self.pick(" om svimmelhed.", " en ny tid.", " af hjemmeplejen."))
        elif choice == 11:
            self.name(note.say(self.pick("Kæresten ", "Datter ", "Bror ", "Kontaktperson ")), full=False)
            note.say(self.pick(" er informeret.", " deltager i samtalen."))
        else:
            note.say("Navn: ")
            self.name(note, full=True)
            self.number(note.say("\nCPR: "))
            self.address(note.say("\nAdresse: "))
            self.phone(note.say("\nTlf: "))
            note.say("\n")
        note.say(self.pick(" ", "\n", " "))

    def note(self) -> Note:
        """One note: a few sentences, about a third of which tell somebody."""
        made = Note()
        for _ in range(self.rng.randint(3, 10)):
            (self.telling if self.rng.random() < 0.35 else self.plain)(made)
        return made
