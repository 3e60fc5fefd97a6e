"""Files at the output gate: only kinds that can be read, nothing hidden in them, nobody named in them."""

from __future__ import annotations

import base64
import binascii
import io
import json
import math
import re
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from lakehouse.governance.output_gate.limits_and_verdict import Finding, Limits, gathered
from lakehouse.governance.output_gate.reasons import Rule

READABLE = frozenset({".parquet", ".csv", ".json", ".txt", ".md", ".html", ".svg", ".png", ".toml"})
MAGIC = {b"PK\x03\x04": "zip", b"\x1f\x8b": "gzip", b"\x80\x04": "pickle", b"\x80\x05": "pickle", b"BZh": "bzip2",
         b"\xfd7zXZ": "xz", b"7z\xbc\xaf": "7z", b"SQLite": "sqlite"}  # fmt: skip
PNG_CHUNKS = frozenset(
    {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"pHYs", b"sRGB", b"gAMA", b"cHRM", b"sBIT"}
)
PERSONAL_NUMBER = re.compile(
    r"(?<![\dA-Za-z.])(?:0[1-9]|[12]\d|3[01]|6[1-9]|[78]\d|9[01])(?:0[1-9]|1[0-2])\d{2}-?\d{4}(?![\dA-Za-z])"
)
"""Day (made-up persons: plus 60), month, year, four digits; not the tail of a decimal number."""

HEX = re.compile(r"(?<![0-9A-Za-z])[0-9a-fA-F]{24,}(?![0-9A-Za-z])")
PACKED = re.compile(r"[A-Za-z0-9+/_\-]{40,}={0,2}")
PICTURE = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=\s]+)")
FEW_PERSONS = re.compile(
    r"(?<![\d.,–-])(?<!to )(?<!til )([1-9]\d?)\s+(?:of the\s+)?"
    r"(?:persons?|patients?|people|men|women|children|deaths|personer?|patienter|mænd|kvinder|børn|dødsfald)\b",
    re.IGNORECASE,
)
POINTS = re.compile(r"<(?:circle|use|path|rect|line|ellipse|polygon|polyline)\b", re.IGNORECASE)
CHART_DATA = re.compile(r"\b(?:plotly|vega|echarts|bokeh|highcharts)\b|application/vnd\.", re.IGNORECASE)
MOST_SHAPES = 2_000
"""Shapes of a vector picture; more may be one for each person."""

RANDOM = 0.985
"""Share of its size that a block keeps when compressed, above which it reads as random."""


@dataclass(frozen=True)
class OutputFile:
    """One file that is to leave. ``digests`` are fingerprints of the platform's own that it may hold."""

    path: Path
    root: Path
    digests: Collection[str] = field(default_factory=frozenset)

    @property
    def name(self) -> str:
        """Path below the folder that is released."""
        return self.path.relative_to(self.root).as_posix()

    def judge(self, limits: Limits) -> list[Finding]:
        """Everything that can be said against a file without knowing what it is about."""
        content = self.path.read_bytes()
        kind = self.path.suffix.lower()
        claim = next((word for magic, word in MAGIC.items() if content.startswith(magic)), "")
        if kind not in READABLE or claim:
            return gathered(Rule.FILE_TYPE, self.name, [claim or kind or "no suffix"], 0)
        try:
            if kind == ".png":
                return png_findings(self.name, content)
            if kind in (".parquet", ".csv"):
                return table_findings(self.name, _read_table(self.path), limits, self.digests)
            text = content.decode("utf-8")
        except (UnicodeDecodeError, pa.ArrowInvalid, ValueError, OSError) as error:
            return gathered(Rule.UNREADABLE, self.name, [type(error).__name__], 0)
        if kind == ".json":
            try:
                json.loads(text)
            except json.JSONDecodeError:
                return gathered(Rule.UNREADABLE, self.name, ["not JSON"], 0)
        found = text_findings(self.name, text, limits, self.digests)
        return found + (drawn_findings(self.name, text, limits) if kind in (".html", ".svg") else [])


@dataclass(frozen=True)
class Words:
    """Names, tags, parameters and notes that go with a run: short texts, each by where it stands."""

    name: str
    texts: Mapping[str, str]
    digests: Collection[str] = field(default_factory=frozenset)

    def judge(self, limits: Limits) -> list[Finding]:
        """Pseudonyms, personal numbers, small groups and packed messages in words."""
        found: list[Finding] = []
        for place, text in self.texts.items():
            found += text_findings(f"{self.name}: {place}", f"{place} {text}", limits, self.digests)
        return found


def text_findings(name: str, text: str, limits: Limits, digests: Collection[str] = ()) -> list[Finding]:
    """What a text gives away: persons' numbers and pseudonyms, small groups in words, packed messages."""
    plain = PICTURE.sub(" ", text)
    for digest in digests:
        plain = plain.replace(digest, " ")
    found = gathered(
        Rule.PERSONAL_NUMBER, name, ("a personal number" for _ in PERSONAL_NUMBER.findall(plain)), 0
    )
    tokens = [f"{token[:4]}… of {len(token)} digits" for token in HEX.findall(plain)]
    found += gathered(Rule.PSEUDONYM, name, tokens, 0)
    few = [hit for hit in FEW_PERSONS.findall(plain) if int(hit) < limits.persons]
    found += gathered(Rule.SMALL_CELL, name, (f"'{hit} persons' in words" for hit in few), limits.persons)
    return found + gathered(Rule.PAYLOAD, name, packed(HEX.sub(" ", plain)), 0)


def packed(text: str) -> Iterator[str]:
    """Stretches that no one reads: long unbroken ones with the spread of letters that encodings have."""
    for token in PACKED.findall(text):
        if len(set(token)) > 12 and entropy(token) > 4.2 and not _wordlike(token):
            yield f"{len(token)} characters, {entropy(token):.1f} bits each"


def entropy(text: str | bytes) -> float:
    """Bits a character (or byte) by how often each occurs."""
    counts = Counter(text)
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts.values())


def _wordlike(token: str) -> bool:
    """Whether a long stretch is words joined by dashes, slashes or underscores, as paths and names are."""
    parts = [part for part in re.split(r"[/_\-+]", token) if part]
    natural = sum(
        len(p) for p in parts if re.fullmatch(r"[a-z]{2,15}|[A-Z]?[a-z]{1,14}|[A-Z]{2,8}|\d{1,4}", p)
    )
    return natural >= 0.8 * sum(len(part) for part in parts)


def drawn_findings(name: str, text: str, limits: Limits) -> list[Finding]:
    """Pages and vector pictures: chart libraries' data, a shape for every person, pictures inside."""
    plain = PICTURE.sub(" ", text)
    shapes = len(POINTS.findall(plain))
    places = [f"{shapes} shapes"] if shapes > MOST_SHAPES else []
    places += [f"data for {word}" for word in {w.lower() for w in CHART_DATA.findall(plain)}]
    places += ["a comment" for comment in re.findall(r"<!--(.*?)-->", text, re.DOTALL) if len(comment) > 200]
    places += [f"{what}" for what in _scripted_rows(text)]
    found = gathered(Rule.EMBEDDED_DATA, name, places, 0)
    for number, picture in enumerate(PICTURE.findall(text), 1):
        try:
            found += png_findings(f"{name}, picture {number}", base64.b64decode(picture))
        except (binascii.Error, ValueError):
            found += gathered(Rule.UNREADABLE, f"{name}, picture {number}", ["not a picture"], 0)
    return found


def _scripted_rows(text: str) -> Iterator[str]:
    """What the data inside a page should not hold: a row for each person, under whatever name persons go by."""
    for block in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', text, re.DOTALL):
        try:
            content = json.loads(block)
        except json.JSONDecodeError:
            yield "a block that is not JSON"
            continue
        keys = {key.lower() for key in _keys(content)}
        for word in ("person", "person_id", "patient_id", "cpr", "pid", "token", "pseudonym"):
            if word in keys:
                yield f"a column '{word}'"


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        for inner in value.values():
            yield from _keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _keys(inner)


def png_findings(name: str, content: bytes) -> list[Finding]:
    """Text, trailing bytes and low bits of a picture."""
    from PIL import Image

    if not content.startswith(b"\x89PNG\r\n\x1a\n"):
        return gathered(Rule.FILE_TYPE, name, ["not a PNG"], 0)
    places, at = [], 8
    while at + 8 <= len(content):
        size, kind = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8]
        if kind not in PNG_CHUNKS:
            places.append(f"a chunk {kind.decode('latin-1')}")
        at += size + 12
        if kind == b"IEND":
            break
    if at < len(content):
        places.append(f"{len(content) - at} bytes after the end")
    try:
        pixels = np.asarray(Image.open(io.BytesIO(content)).convert("RGBA"))
    except Exception as error:
        return gathered(Rule.UNREADABLE, name, [type(error).__name__], 0)
    if (blocks := random_blocks(pixels)) > 0:
        places.append(f"{blocks} stretches of low bits that look random")
    return gathered(Rule.PAYLOAD, name, places, 0)


def random_blocks(pixels: np.ndarray, size: int = 1024) -> int:
    """Stretches of a picture's lowest bits that do not compress: a drawing's do, a message's do not.

    ``pixels`` are (row, column, colour); ``size`` is the length of a stretch in bits.
    """
    number = 0
    for channel in range(pixels.shape[2]):
        bits = np.packbits(pixels[:, :, channel].ravel() & 1)
        blocks = (bits[at : at + size].tobytes() for at in range(0, len(bits) - size + 1, size))
        number += sum(len(zlib.compress(block, 6)) > RANDOM * size for block in blocks)
    return number


def table_findings(
    name: str, table: pa.Table, limits: Limits, digests: Collection[str] = ()
) -> list[Finding]:
    """A table's form: too many rows, too many digits, persons' tokens, packed text, a hidden index."""
    found = gathered(
        Rule.TOO_MANY_ROWS,
        name,
        [f"{table.num_rows} rows"] if table.num_rows > limits.most_rows else [],
        limits.most_rows,
    )
    fine: list[str] = []
    for column, field_ in zip(table.columns, table.schema, strict=True):
        kind = field_.type
        if pa.types.is_list(kind):
            column, kind = _flat(column), kind.value_type
        if pa.types.is_floating(kind):
            values = np.asarray(column.combine_chunks().drop_null(), dtype=float)
            if _finer(values, kind, limits.significant_digits):
                fine.append(field_.name)
        elif pa.types.is_dictionary(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
            found += _texts(f"{name}, column {field_.name}", column, limits, digests)
        elif not (
            pa.types.is_integer(kind)
            or pa.types.is_boolean(kind)
            or pa.types.is_null(kind)
            or pa.types.is_date(kind)
        ):
            found += gathered(Rule.UNREADABLE, name, [f"{field_.name} holds {kind}"], 0)
    found += gathered(Rule.PRECISION, name, fine, limits.significant_digits)
    metadata = {k.decode(): v.decode(errors="replace") for k, v in (table.schema.metadata or {}).items()}
    for key, value in metadata.items():
        if key not in ("pandas", "ARROW:schema"):
            found += text_findings(f"{name}, metadata {key}", value, limits, digests)
    return found


def _flat(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The values of a column of lists, one below the other."""
    return pa.chunked_array([chunk.flatten() for chunk in column.chunks], column.type.value_type)


def _texts(name: str, column: pa.ChunkedArray, limits: Limits, digests: Collection[str]) -> list[Finding]:
    """Every distinct word of a text column, unused names of a dictionary included."""
    words: set[str] = set()
    for chunk in column.chunks:
        values = chunk.dictionary if isinstance(chunk, pa.DictionaryArray) else chunk.unique()
        words |= {str(value) for value in values.to_pylist() if value is not None}
    return text_findings(name, "\n".join(sorted(words)), limits, digests)


def _finer(values: np.ndarray, kind: pa.DataType, digits: int) -> bool:
    """Whether numbers carry more significant digits than allowed."""
    values = values[np.isfinite(values) & (values != 0)]
    if not len(values):
        return False
    scale = 10.0 ** (digits - 1 - np.floor(np.log10(np.abs(values))))
    scaled = values * scale
    slack = 2e-1 if pa.types.is_float32(kind) else 1e-4
    return bool((np.abs(scaled - np.round(scaled)) > slack).any())


def _read_table(path: Path) -> pa.Table:
    if path.suffix.lower() == ".parquet":
        return pq.read_table(path)
    return pa_csv.read_csv(path)
