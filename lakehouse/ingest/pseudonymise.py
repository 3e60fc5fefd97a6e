"""Pseudonymisation: a worker reads its part of a file and hands on tokens; clear identifiers never leave this module.

What runs here runs inside a Python worker. Every table, and what is made of it, sees only what :func:`read_chunk`
yields. Messages name the file and the kind of fault, never a value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lakehouse.arrow_text import coded, places_of
from lakehouse.declarations.convert import fault_finder
from lakehouse.declarations.schema import TOKENS, Field, Table, Type
from lakehouse.delivery.readers.blocks import Part, raw_blocks
from lakehouse.errors import DataError, PatternlakeError
from lakehouse.identity.enrolment import ERASED, Enrolment
from lakehouse.identity.identity_keys import key_identities, person_identities
from lakehouse.identity.person_numbers import CANDIDATE, mask, scrub
from lakehouse.identity.pseudonyms import token_batch
from lakehouse.ingest.row_remarks import (
    Marks,
    not_known,
    not_valid_then,
    pairs_of,
    remarks_of,
    sex_differs,
    sexes_of,
)

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

LOST = "\ufffd"
"""What a byte becomes that the declared encoding does not know."""
LETTER_LOST = r"\pL\?\pL"
"""A question mark between letters: a letter went where it could not be written. It cannot be brought back."""
EXTRA = {
    "file_id": "string",
    "row_number": "int64",
    "delivered": "date32",
    "fault": "string",
    "fault_example": "string",
    "remarks": "string",
}
"""Columns of every bronze table before the delivered ones, with Arrow's names of their types.

``fault`` says why a row may not go on, ``remarks`` what was noticed on one that may (names, commas between).
"""


@dataclass(frozen=True)
class Pseudonymiser:
    """Everything a worker needs to read parts of one table but the parts: small, and without any key.

    ``verbatim`` says that columns declared so may keep what looks like a person number, because the lake
    holds no Danish identifiers and codes must come through unchanged. ``known`` are the pairs of the table's
    code list, where it declares one.
    """

    table: Table
    identifier: str
    key_file: str
    verbatim: bool
    known: frozenset[tuple[str, str]] = frozenset()


def bronze_schema(table: Table) -> pa.Schema:
    """Columns of a bronze table: where a row stood and what is wrong with it, then what was delivered."""
    import pyarrow as pa

    extra = [(name, pa.type_for_alias(kind)) for name, kind in EXTRA.items()]
    return pa.schema([*extra, *((each.name, pa.string()) for each in table.fields)])


def read_chunk(pseudonymiser: Pseudonymiser, part: Part) -> Iterator[pa.Table]:
    """Rows of one part as bronze columns. Anything unforeseen becomes a refusal without values in it.

    Raises :class:`DataError` where the part gives another number of rows than were counted, or cannot be read.
    """
    try:
        done = 0
        enrolment = Enrolment(pseudonymiser.key_file, f"{part.chunk.file_id}-{part.chunk.start}")
        for (columns, reasons, shown), numbers, passed in raw_blocks(pseudonymiser.table, part):
            if not len(numbers):
                done += passed
                continue
            block = Block(
                pseudonymiser, part, columns, Verdicts(reasons, shown), Marks(len(reasons)), enrolment
            )
            yield block.bronze(numbers)
            done += passed
        enrolment.leave()
        if done != part.chunk.rows:
            raise DataError(
                f"{part.name} gave {done} rows where {part.chunk.rows} were counted.",
                "It changed while it was read.",
                "Fetch the file again and repeat the ingest.",
            )
    except PatternlakeError:
        raise
    except Exception as error:
        raise DataError(
            f"{part.name} could not be read ({type(error).__name__}).",
            "It changed while it was read, or is not what its name says.",
            "Fetch the file again and repeat the ingest.",
        ) from None


@dataclass(frozen=True)
class Verdicts:
    """Why rows of a block are refused (None: not), and what may be shown of those."""

    reasons: np.ndarray[Any, Any]
    shown: dict[int, str]

    def refuse(
        self, hit: np.ndarray[Any, Any], reason: Callable[[int], str], shown: Callable[[int], str]
    ) -> None:
        """Refuse the rows hit that are not refused yet."""
        import numpy as np

        for row in np.flatnonzero(hit).tolist():
            if self.reasons[row] is None:
                self.reasons[row] = reason(row)
                self.shown[row] = shown(row)

    def columns(self) -> dict[str, pa.Array]:
        """Both as columns of bronze."""
        import pyarrow as pa

        rows = len(self.reasons)
        if not self.shown:
            return {"fault": pa.nulls(rows, pa.string()), "fault_example": pa.nulls(rows, pa.string())}
        examples = [self.shown.get(row) for row in range(rows)]
        return {
            "fault": pa.array(self.reasons.tolist(), pa.string()),
            "fault_example": pa.array(examples, pa.string()),
        }


@dataclass(frozen=True)
class Block:
    """Some thousand rows of a part on their way through pseudonymisation. Work is done once for each distinct text."""

    pseudonymiser: Pseudonymiser
    part: Part
    columns: dict[str, Any]
    verdicts: Verdicts
    marks: Marks
    enrolment: Enrolment
    erased: set[int] = field(default_factory=set)
    out: dict[str, Any] = field(default_factory=dict)

    def bronze(self, numbers: np.ndarray[Any, Any]) -> pa.Table:
        """Tokens for identifiers, scrubbed text for everything else, and why rows are refused."""
        import numpy as np
        import pyarrow as pa

        rows = len(self.verdicts.reasons)
        for each in self.pseudonymiser.table.fields:
            column = self.columns.get(each.name)
            self.out[each.name] = pa.nulls(rows, pa.string()) if column is None else self.passed(each, column)
        self.judge_together()
        self.blank_erased()
        same = pa.array(np.zeros(rows, np.int32))
        delivered = pa.array([self.part.delivered], pa.string()).cast(pa.date32())
        head = {
            "file_id": pa.array([self.part.chunk.file_id]).take(same),
            "row_number": pa.array(numbers, pa.int64()),
            "delivered": delivered.take(same),
        }
        return pa.table(head | self.verdicts.columns() | {"remarks": self.marks.column()} | self.out)

    def judge_together(self) -> None:
        """Refuse rows for what two columns say together: a code out of its years, a unit that no list knows."""
        table = self.pseudonymiser.table
        for dated in table.dated:
            self.judge_pairs(dated.field, dated.day, not_valid_then(dated), dated.reason)
        if table.known is not None:
            self.judge_pairs(
                *table.known.fields, not_known(table.known, self.pseudonymiser.known), table.known.reason
            )

    def judge_pairs(self, one: str, other: str, faulty: Callable[[str, str], bool], reason: str) -> None:
        """Refuse the rows whose pair of texts is faulty; rows without one of them pass."""
        import numpy as np

        if self.columns.get(one) is None or self.columns.get(other) is None:
            return
        pairs, at = pairs_of(self.columns[one], self.columns[other])
        bad = np.array([*(faulty(*pair) for pair in pairs), False], dtype=bool)
        if bad.any():
            self.verdicts.refuse(
                bad[at],
                lambda row: reason,
                lambda row: f"{one}={scrub(pairs[at[row]][0])[:40]} {other}={scrub(pairs[at[row]][1])[:40]}",
            )

    def passed(self, each: Field, column: Any) -> pa.Array:
        """One column as it may be seen from here on; rows it spoils are refused."""
        values, places = distinct(column)
        if each.type is Type.PERSON and self.pseudonymiser.identifier == "cpr":
            return self.persons(each, values, places)
        self.judge(each, values, places)
        if each.type in TOKENS:
            return self.tokens(each, values, places)
        if each.type is Type.RESTRICTED:
            return told_nobody(values).take(places)
        if self.as_delivered(each):
            return values.take(places)
        seen = scrubbed(values)
        if seen is not values and fault_finder(each, self.pseudonymiser.table.decimal):
            self.refuse_numbers(each, values, seen, places)
        return seen.take(places)

    def as_delivered(self, each: Field) -> bool:
        """Whether a column may keep ten digits: codes declared so, and numbers of data sets without Danish ones."""
        foreign = self.pseudonymiser.identifier != "cpr" and each.type in (Type.NUMBER, Type.INTEGER)
        return self.pseudonymiser.verbatim and (foreign or each.type is Type.VERBATIM)

    def refuse_numbers(self, each: Field, values: pa.Array, seen: pa.Array, places: pa.Array) -> None:
        """Refuse rows whose value of a declared form may be a person's number: masked, it has that form no more."""
        import pyarrow.compute as pc

        hit = pc.not_equal(values, seen).take(places).fill_null(False).to_numpy(zero_copy_only=False)
        told = f"{each.name} may be a person number"
        self.verdicts.refuse(hit, lambda row: f"person_number_in_{each.name}", lambda row: told)

    def judge(self, each: Field, values: pa.Array, places: pa.Array) -> None:
        """Refuse rows without a value that must be there, with undecodable bytes, or with no value of the type."""
        import numpy as np
        import pyarrow.compute as pc

        if each.filled and places.null_count:
            missing = places.is_null().to_numpy(zero_copy_only=False)
            self.verdicts.refuse(
                missing, lambda row: f"missing_{each.name}", lambda row: f"{each.name} is empty"
            )
        lost = pc.match_substring(values, LOST)
        if pc.any(lost).as_py():
            hit = lost.take(places).fill_null(False).to_numpy(zero_copy_only=False)
            told = f"{each.name} holds bytes that are not in the declared encoding"
            self.verdicts.refuse(hit, lambda row: "undecodable", lambda row: told)
        if each.pad:
            self.remark(f"padded_{each.name}", pc.less(pc.utf8_length(values), each.pad), places)
        if each.type is Type.TEXT:
            self.remark(f"lost_letters_{each.name}", pc.match_substring_regex(values, LETTER_LOST), places)
        faulty = fault_finder(each, self.pseudonymiser.table.decimal)
        if faulty is None:
            return
        texts = values.to_pylist()
        bad = np.array([*map(faulty, texts), False], dtype=bool)
        if bad.any():
            at = places.fill_null(len(texts)).to_numpy(zero_copy_only=False)
            self.verdicts.refuse(
                bad[at],
                lambda row: f"bad_{each.name}",
                lambda row: f"{each.name}={scrub(texts[at[row]])[:40]}",
            )

    def remark(self, name: str, values: pa.Array, places: pa.Array) -> None:
        """Remark ``name`` on the rows whose distinct value is true."""
        if values.true_count:
            self.marks.add(name, values.take(places).fill_null(False).to_numpy(zero_copy_only=False))

    def persons(self, each: Field, values: pa.Array, places: pa.Array) -> pa.Array:
        """Person tokens; a row whose subject has none is refused with the shape of what stood there."""
        import numpy as np
        import pyarrow.compute as pc

        name = self.pseudonymiser.table.name
        issuers: str | list[str] = name
        column = self.columns.get(self.pseudonymiser.table.issuer)
        if column is not None and not pc.all(pc.utf8_is_digit(values)).as_py():
            values, issuers, places = by_issuer(values, column, places, name)
        identities, why = person_identities(values, issuers)
        tokens = self.tokens_of("person", identities, each, places)
        if each.classified:
            self.classify(values, places)
        if each.filled and (why or places.null_count):
            at = places_of(places, len(values))
            hit = np.zeros(len(values) + 1, bool)
            hit[[*why, len(values)]] = True
            self.verdicts.refuse(
                hit[at],
                lambda row: why.get(int(at[row]), "no_subject"),
                lambda row: (
                    f"{each.name}={mask(values[int(at[row])].as_py())}"
                    if at[row] < len(values)
                    else f"{each.name} is empty"
                ),
            )
        return tokens.take(places)

    def classify(self, values: pa.Array, places: pa.Array) -> None:
        """Remark how each number was read, and where it says another sex than the row."""
        import numpy as np

        at = places_of(places, len(values))
        for name, told in sorted(remarks_of(values).items()):
            self.marks.add(name, np.append(told, False)[at])
        sex = self.columns.get("sex")
        if sex is not None:
            self.marks.add("sex_differs", sex_differs(np.append(sexes_of(values), 0)[at], sex))

    def tokens(self, each: Field, values: pa.Array, places: pa.Array) -> pa.Array:
        """Tokens of record keys or foreign person ids."""
        person = each.type is Type.PERSON
        kind = self.pseudonymiser.identifier if person else f"{self.pseudonymiser.identifier}-{each.domain}"
        domain = "person" if person else each.domain
        identities = key_identities(kind, self.part.issuer, values)
        return self.tokens_of(domain, identities, each, places).take(places)

    def tokens_of(self, domain: str, identities: pa.Array, each: Field, places: pa.Array) -> pa.Array:
        """Tokens of distinct identities; the vault learns of persons, and erased ones get none.

        ``places`` says which identity each row has. Rows about an erased person or record are remembered.
        """
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        tokens = token_batch(self.pseudonymiser.key_file, domain, identities)
        admitted = self.enrolment.admitted(domain, identities)
        if not admitted.all():
            tokens = pc.if_else(pa.array(admitted), tokens, pa.scalar(None, pa.string()))
            if each.filled or each.type is Type.KEY:
                erased = np.append(~admitted, False)[places_of(places, len(admitted))]
                self.erased.update(np.flatnonzero(erased).tolist())
        if domain == "person":
            self.enrolment.hand_over(tokens, identities)
        return tokens

    def blank_erased(self) -> None:
        """Leave nothing of rows about erased persons but that there was a row."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        if not self.erased:
            return
        hit = np.zeros(len(self.verdicts.reasons), dtype=bool)
        hit[list(self.erased)] = True
        for row in self.erased:
            self.verdicts.reasons[row], self.verdicts.shown[row] = ERASED, ""
        for remarked in self.marks.masks.values():
            remarked &= ~hit
        for name, column in self.out.items():
            self.out[name] = pc.if_else(pa.array(hit), pa.scalar(None, column.type), column)


def distinct(column: Any) -> tuple[pa.Array, pa.Array]:
    """The distinct texts of a column without blanks around them, and where each row's text is (null: empty)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values, places = coded(column)
    values = pc.utf8_trim_whitespace(values)
    empty = pc.equal(values, "")
    if pc.any(empty).as_py():
        places = pc.if_else(empty.take(places), pa.scalar(None, places.type), places)
    return values, places


def by_issuer(
    values: pa.Array, column: Any, places: pa.Array, unnamed: str
) -> tuple[pa.Array, list[str], pa.Array]:
    """Distinct texts told apart by who issued them: texts, their issuers, and where each row's pair is."""
    import numpy as np
    import pyarrow as pa

    named, which = coded(column)
    names = [*(name or unnamed for name in named.to_pylist()), unnamed]
    numbers = places_of(which, len(names) - 1).astype(np.int64)
    at = places_of(places, len(values)).astype(np.int64)
    kinds, pairs = np.unique(at * len(names) + numbers, return_inverse=True)
    kinds = kinds[kinds < len(values) * len(names)]
    return (
        values.take(pa.array(kinds // len(names))),
        [names[number] for number in (kinds % len(names)).tolist()],
        pa.array(pairs, mask=at == len(values)),
    )


def scrubbed(values: pa.Array) -> pa.Array:
    """Texts with person numbers taken out; a cheap test spares nearly all of them the closer look."""
    import pyarrow as pa
    import pyarrow.compute as pc

    suspicious = pc.match_substring_regex(values, CANDIDATE)
    if not pc.any(suspicious).as_py():
        return values
    looked = zip(values.to_pylist(), suspicious.to_pylist(), strict=True)
    return pa.array([scrub(text) if look else text for text, look in looked], pa.string())


def told_nobody(values: pa.Array) -> pa.Array:
    """Free text without whatever tells a person: numbers, telephones, addresses, e-mail, names."""
    import pyarrow as pa

    from lakehouse.freetext import scrub as without_persons

    return pa.array([without_persons(scrub(text)) for text in values.to_pylist()], pa.string())
