"""Outputs drawn from a seed for the output gate: each disclosive in one way that is known, or clean by construction.

What is disclosive follows from the invented persons behind an output or from arithmetic done here, never from the
gate's own code. Each maker gives a :class:`Case`; :data:`LEAKS` and :data:`CLEAN` list them.
"""

from __future__ import annotations

import base64
import io
import pickle
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from numpy.random import Generator
from PIL import Image, ImageDraw

from lakehouse.governance.output_gate.files import OutputFile, Words
from lakehouse.governance.output_gate.fitted_models import FittedModel
from lakehouse.governance.output_gate.pairs import PairTable
from lakehouse.governance.output_gate.patterns import AssociationRule, PatternSet
from lakehouse.governance.output_gate.tables import (
    ALL,
    CountTable,
    MagnitudeTable,
    ModelSummary,
    Rate,
    SurvivalCurve,
)

K = 5
Maker = Callable[[Generator, Path], "Case"]


@dataclass(frozen=True)
class Case:
    """Outputs that ask to leave together, and what was released before them."""

    what: str
    outputs: list[Any]
    counts: Mapping[str, int] = field(default_factory=dict)
    before: list[dict[str, Any]] = field(default_factory=list)
    population: list[str] | None = None
    sets: Mapping[str, list[str]] = field(default_factory=dict)
    exports: int = 0


def table(
    cells: np.ndarray,
    hidden: np.ndarray | None = None,
    *,
    gap: int = 0,
    labels: list[str] | None = None,
    **more: Any,
) -> CountTable:
    """A two-way table with its margins; ``gap`` persons are in the total and in no cell."""
    rows, columns = cells.shape
    names = labels or [f"r{i}" for i in range(rows)]
    shown = cells.astype(float)
    if hidden is not None:
        shown[hidden] = np.nan
    first, second, counts = [], [], []
    for i in range(rows):
        for j in range(columns):
            first.append(names[i]), second.append(f"c{j}"), counts.append(shown[i, j])
        first.append(names[i]), second.append(ALL), counts.append(float(cells[i].sum()))
    for j in range(columns):
        first.append(ALL), second.append(f"c{j}"), counts.append(float(cells[:, j].sum()))
    first.append(ALL), second.append(ALL), counts.append(float(cells.sum() + gap))
    return CountTable("table", {"sex": first, "group": second}, counts, **more)


def big(rng: Generator, rows: int = 0, columns: int = 0) -> np.ndarray:
    """Counts of groups that are all large."""
    return rng.integers(12, 900, (rows or int(rng.integers(2, 7)), columns or int(rng.integers(2, 9))))


def small(rng: Generator) -> int:
    return int(rng.integers(1, K))


def small_cell(rng: Generator, folder: Path) -> Case:
    cells = big(rng)
    cells[rng.integers(len(cells)), rng.integers(cells.shape[1])] = small(rng)
    return Case("a count of 1 to 4", [table(cells)])


def small_unknown_category(rng: Generator, folder: Path) -> Case:
    cells = big(rng, rows=3)
    cells[2] = rng.integers(0, 2, cells.shape[1])
    cells[2, 0] = small(rng)
    labels: list[Any] = ["man", "woman", ("", "unknown", None)[int(rng.integers(3))]]
    return Case("a missing category of 1 to 4", [table(cells, labels=labels)])


def missing_category(rng: Generator, folder: Path) -> Case:
    return Case("1 to 4 persons in no category", [table(big(rng), gap=small(rng))])


def one_hidden(rng: Generator, folder: Path) -> Case:
    cells = big(rng)
    at = (int(rng.integers(len(cells))), int(rng.integers(cells.shape[1])))
    cells[at] = small(rng)
    hidden = np.zeros(cells.shape, bool)
    hidden[at] = True
    return Case("a hidden cell that its margins give", [table(cells, hidden)])


def hidden_tightly(rng: Generator, folder: Path) -> Case:
    """Four hidden cells whose range is min(a, d) + min(b, c) < k."""
    cells = big(rng, rows=int(rng.integers(3, 7)), columns=int(rng.integers(3, 9)))
    a, b = small(rng), int(rng.integers(0, 2))
    cells[0, 0], cells[1, 1] = a, int(rng.integers(6, 60))
    cells[0, 1], cells[1, 0] = b, int(rng.integers(6, 60))
    if a + b >= K:
        cells[0, 1] = 0
    hidden = np.zeros(cells.shape, bool)
    hidden[:2, :2] = True
    return Case("hidden cells known to within 4", [table(cells, hidden)])


def hidden_by_three(rng: Generator, folder: Path) -> Case:
    """A ring of six hidden cells: only the programme over all of them shows the narrow range."""
    cells = big(rng, rows=4, columns=5)
    ring = [(0, 0), (0, 1), (1, 1), (1, 2), (2, 2), (2, 0)]
    for place, at in enumerate(ring):
        cells[at] = int(rng.integers(30, 90))
        if place == 0:
            cells[at] = small(rng) if rng.random() < 0.5 else 1
        if place == 3:
            cells[at] = 0
    hidden = np.zeros(cells.shape, bool)
    for at in ring:
        hidden[at] = True
    low, high = ring_range(cells, ring, 0)
    assert high - low < K and low < K, (low, high)
    return Case("a ring of hidden cells known to within 4", [table(cells, hidden)])


def ring_range(cells: np.ndarray, ring: list[tuple[int, int]], place: int) -> tuple[int, int]:
    """Least and most of one cell of a ring when neighbours move in turn: what the margins leave open."""
    values = [int(cells[at]) for at in ring]
    same, other = values[place % 2 :: 2], values[1 - place % 2 :: 2]
    return values[place] - min(same), values[place] + min(other)


def persons_and_items(rng: Generator, persons: int = 400, items: int = 6) -> np.ndarray:
    base = rng.random((persons, items)) < rng.uniform(0.2, 0.6, items)
    return np.asarray(base)


def support(has: np.ndarray, pattern: tuple[int, ...]) -> int:
    return int(has[:, list(pattern)].all(axis=1).sum())


def exactly(has: np.ndarray, inside: tuple[int, ...], outside: tuple[int, ...]) -> int:
    """Persons with all of one set and none of another, counted one by one."""
    number = 0
    for row in has:
        number += all(row[i] for i in inside) and not any(row[i] for i in outside)
    return number


def inclusion_exclusion(rng: Generator, folder: Path) -> Case:
    has = persons_and_items(rng)
    size = int(rng.integers(2, 5))
    whole = tuple(sorted(int(i) for i in rng.choice(6, size, replace=False)))
    inside = whole[: int(rng.integers(1, size))]
    outside = tuple(i for i in whole if i not in inside)
    few = small(rng)
    matching = has[:, list(inside)].all(axis=1) & ~has[:, list(outside)].any(axis=1)
    has = np.concatenate([has[~matching], has[matching][:few]])
    while exactly(has, inside, outside) < few:
        extra = rng.random((1, 6)) < 0.3
        extra[0, list(inside)], extra[0, list(outside)] = True, False
        has = np.concatenate([has, extra])
    lattice = [p for n in range(1, size + 1) for p in combinations(whole, n) if set(inside) <= set(p)]
    # The few are given away only where every set between is released; one with few persons would be left out.
    while any(0 < support(has, p) < K for p in lattice if set(p) != set(whole)):
        has = np.concatenate([has, np.isin(np.arange(6), whole)[None]])
    assert exactly(has, inside, outside) == few
    patterns = [*lattice, *[(i,) for i in range(6) if (i,) not in lattice]]
    patterns = [p for p in patterns if support(has, p) == 0 or support(has, p) >= K or set(p) == set(whole)]
    supports = [support(has, p) for p in patterns]
    return Case("item sets whose supports subtract to 1 to 4", [PatternSet("sets", patterns, supports)])


def closed_sets(rng: Generator, folder: Path) -> Case:
    """The middle of a lattice is left out, but equal supports around it give it away."""
    n, few = int(rng.integers(40, 200)), small(rng)
    supports = {("a",): n + few, ("a", "b", "c"): n, ("a", "b"): n}
    if rng.random() < 0.5:
        supports = {("a",): n + few, ("a", "b", "c"): n}
        return Case(
            "a pattern inside a longer one", [PatternSet("closed", list(supports), list(supports.values()))]
        )
    return Case("closed sets", [PatternSet("closed", list(supports), list(supports.values()))])


def against_population(rng: Generator, folder: Path) -> Case:
    n = int(rng.integers(200, 9_000))
    return Case("nearly everybody has it", [PatternSet("sets", [("a",)], [n - small(rng)], persons=n)])


def certain_rule(rng: Generator, folder: Path) -> Case:
    n = int(rng.integers(K, 500))
    return Case(
        "a rule that holds for all",
        [PatternSet("rules", [], [], rules=[AssociationRule(("a",), ("b",), n, 1.0)])],
    )


def rule_confidence(rng: Generator, folder: Path) -> Case:
    n, few = int(rng.integers(30, 300)), small(rng)
    rule = AssociationRule(("a",), ("b",), n, round(n / (n + few), 6))
    return Case("a rule whose confidence gives the rest", [PatternSet("rules", [], [], rules=[rule])])


def sequences(rng: Generator, folder: Path) -> Case:
    n = int(rng.integers(30, 900))
    longer = [("a", "b"), ("a", "b", "c")] if rng.random() < 0.5 else [("b", "d"), ("b", "c", "d", "e")]
    return Case(
        "sequences that differ by few", [PatternSet("sequences", longer, [n + small(rng), n], ordered=True)]
    )


def extremes(rng: Generator, folder: Path) -> Case:
    n = [int(v) for v in rng.integers(50, 900, 3)]
    if rng.random() < 0.5:
        return Case(
            "a largest value", [MagnitudeTable("m", ["a", "b", "c"], n, extremes={"max": [9, 1, 30]})]
        )
    n[1] = int(rng.integers(K, 99))
    return Case(
        "a 95th percentile of few", [MagnitudeTable("m", ["a", "b", "c"], n, quantiles={"p95": 0.95})]
    )


def dominance(rng: Generator, folder: Path) -> Case:
    totals = rng.uniform(1e4, 1e6, 3)
    share = rng.uniform(0.86, 0.99)
    first = totals * rng.uniform(0.05, 0.2, 3)
    second = first * 0.9
    first[1], second[1] = totals[1] * share * 0.6, totals[1] * share * 0.4
    n = [int(v) for v in rng.integers(9, 900, 3)]
    if rng.random() < 0.2:
        return Case("a sum without evidence", [MagnitudeTable("m", list("abc"), n, list(totals))])
    return Case(
        "two persons hold a sum",
        [MagnitudeTable("m", list("abc"), n, list(totals), list(first), list(second))],
    )


def freedom(rng: Generator, folder: Path) -> Case:
    n = int(rng.integers(15, 400))
    if rng.random() < 0.5:
        return Case("few degrees of freedom", [ModelSummary("fit", n, n - int(rng.integers(0, 10)))])
    groups = int(rng.integers(3, 9))
    return Case("a saturated model", [ModelSummary("fit", n + 50, groups, groups=groups)])


def survival(rng: Generator, folder: Path) -> Case:
    steps = int(rng.integers(4, 12))
    events = rng.integers(8, 40, steps)
    censored = rng.integers(8, 40, steps)
    kind = int(rng.integers(3))
    where = int(rng.integers(0, steps - 1))
    if kind == 0:
        events[where] = small(rng)
    if kind == 1:
        censored[where] = small(rng)
    risk = int(events.sum() + censored.sum()) + 200 - np.r_[0, np.cumsum(events + censored)[:-1]]
    curve = np.cumprod(1 - events / risk)
    if kind == 2:
        events[where] = small(rng)
        curve = np.cumprod(1 - events / risk)
        return Case(
            "a step that the curve shows", [SurvivalCurve("km", range(steps), list(risk), (), list(curve))]
        )
    return Case(
        "a survival step of few", [SurvivalCurve("km", range(steps), list(risk), list(events), list(curve))]
    )


def rates(rng: Generator, folder: Path) -> Case:
    kind = int(rng.integers(3))
    whole = int(rng.integers(60, 900))
    labels = {"group": ["a", "b"]}
    if kind == 0:
        part = small(rng)
        rate = Rate([round(part / whole, 6), round(30 / 90, 4)], [whole, 90])
        return Case("a rate that shows 1 to 4", [CountTable("t", labels, [whole, 90], rates={"share": rate})])
    if kind == 1:
        rate = Rate([round(100 * (whole - small(rng)) / whole, 6), 33.3333], [whole, 90], scale=100)
        return Case("a rate that leaves 1 to 4", [CountTable("t", labels, [whole, 90], rates={"pct": rate})])
    part = int(rng.integers(20, whole - 20))
    near, near_whole = round_to(part), round_to(whole)
    if abs(part / whole - near / near_whole) < 1e-5:
        part = near + 2
    rate = Rate([round(part / whole, 6), round(30 / 90, 6)], [near_whole, 90], parts=[near, 30])
    return Case(
        "a rate of the numbers before rounding",
        [CountTable("t", labels, [near_whole, 90], rounding=5, rates={"share": rate})],
    )


def not_rounded(rng: Generator, folder: Path) -> Case:
    counts = [round_to(int(n)) for n in rng.integers(10, 900, 6)]
    counts[int(rng.integers(6))] += small(rng)
    return Case("counts said to be rounded", [CountTable("t", {"g": list("abcdef")}, counts, rounding=5)])


def round_to(value: int, base: int = 5) -> int:
    return int(base * round(value / base))


def people(rng: Generator, n: int, start: int = 0) -> list[str]:
    return [f"p{start + i}" for i in rng.permutation(n)]


def differencing(rng: Generator, folder: Path) -> Case:
    everyone = people(rng, int(rng.integers(80, 400)))
    few = small(rng)
    kind = int(rng.integers(5))
    if kind == 0:
        return Case("n and n+1", [], before=[{"sets": {"x": everyone}}], sets={"x": everyone[:-few]})
    if kind == 1:
        men = everyone[: len(everyone) // 2]
        return Case("total less men", [], before=[{"sets": {"all": everyone}}, {"sets": {"men": men}}],
                    sets={"women": everyone[len(men) : -few]})  # fmt: skip
    if kind == 2:
        bands = {"20-39": everyone[:30], "40-59": everyone[30:70]}
        return Case(
            "bands that leave few", [], before=[{"sets": bands}], sets={"20-60": everyone[: 70 + few]}
        )
    if kind == 3:
        count = int(rng.integers(20, 500))
        return Case("the same query in a larger population", [], counts={"A then B": count + few},
                    before=[{"counts": {"A then B": count}, "population": everyone[: 60]}],
                    population=everyone)  # fmt: skip
    quarter = len(everyone) // 4
    parts = [everyone[:quarter], everyone[quarter : 2 * quarter], everyone[2 * quarter :]]
    before = [{"sets": {str(i): part}} for i, part in enumerate(parts)]
    return Case("the sum of three less a fourth", [], before=before, sets={"whole": everyone[few:]})


def models(rng: Generator, folder: Path) -> Case:
    from sklearn.cluster import KMeans
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC
    from sklearn.tree import DecisionTreeClassifier

    x = rng.normal(size=(120, 4))
    y = (x[:, 0] + rng.normal(size=120) > 0).astype(int)
    kind = int(rng.integers(7))
    if kind == 0:
        return Case("nearest neighbours", [FittedModel("m", KNeighborsClassifier(3).fit(x, y), x)])
    if kind == 1:
        return Case("support vectors in a pipeline", [FittedModel("m", make_pipeline(SVC()).fit(x, y), x)])
    if kind == 2:
        return Case(
            "leaves of few",
            [FittedModel("m", DecisionTreeClassifier(min_samples_leaf=small(rng)).fit(x, y), x)],
        )
    if kind == 3:
        far = np.concatenate([x, rng.normal(50, 0.1, (small(rng), 4))])
        return Case("a tiny cluster", [FittedModel("m", KMeans(2, n_init=3, random_state=1).fit(far), far)])
    if kind == 4:
        model = StandardScaler().fit(x)
        if rng.random() < 0.5:
            return Case(
                "a rare label", [FittedModel("m", model, x, labels={"common": 90, "rare": small(rng)})]
            )
        return Case("a real input example", [FittedModel("m", model, x, example=x[:2])])
    if kind == 5:
        forest = RandomForestClassifier(3, min_samples_leaf=1, random_state=1).fit(x, y)
        return Case("a forest of single leaves", [FittedModel("m", {"model": [forest]}, x)])
    return Case("losses that tell who was there", [
        FittedModel("m", None, members=list(rng.exponential(0.2, 2_000)), strangers=list(rng.exponential(1, 2_000)))
    ])  # fmt: skip


def token(rng: Generator) -> str:
    return "01" + rng.bytes(16).hex()


def words(rng: Generator, folder: Path) -> Case:
    day, month, year, last = (int(rng.integers(*span)) for span in ((1, 29), (1, 13), (0, 100), (1000, 9999)))
    texts = (
        {"tag": f"person {token(rng)}"},
        {"run name": f"mine_{token(rng)}_x"},
        {"note": f"born {day + 60 * int(rng.integers(2)):02d}{month:02d}{year:02d}-{last}"},
        {"param": base64.b64encode(rng.bytes(60)).decode()},
        {"note": f"this was seen in {small(rng)} patients"},
        {"note": f"kun {small(rng)} personer"},
    )
    return Case("words that name somebody", [Words("run", texts[int(rng.integers(len(texts)))])])


def saved(folder: Path, name: str, content: bytes) -> OutputFile:
    path = folder / name
    path.write_bytes(content)
    return OutputFile(path, folder)


def drawing(rng: Generator) -> Image.Image:
    picture = Image.new("RGB", (640, 480), "white")
    pen = ImageDraw.Draw(picture)
    for _ in range(60):
        x, y = (int(v) for v in rng.integers(0, 460, 2))
        pen.ellipse((x, y, x + 9, y + 9), fill=(31, 78, 121))
    return picture


def png_of(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def hidden_in_files(rng: Generator, folder: Path) -> Case:
    kind = int(rng.integers(11))
    secret = rng.bytes(int(rng.integers(6_000, 20_000)))
    if kind == 0:
        return Case("a pickle", [saved(folder, "model.pkl", pickle.dumps(list(range(9))))])
    if kind == 1:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("a.txt", "x")
        return Case("a zip by another name", [saved(folder, "notes.txt", buffer.getvalue())])
    if kind == 2:
        pixels = np.array(drawing(rng))
        bits = np.unpackbits(np.frombuffer(secret, np.uint8))
        flat = pixels.reshape(-1, 3)
        flat[: len(bits), int(rng.integers(3))] = (flat[: len(bits), 0] & 0xFE) | bits
        return Case("a message in low bits", [saved(folder, "figure.png", png_of(Image.fromarray(pixels)))])
    if kind == 3:
        return Case("bytes after a picture", [saved(folder, "figure.png", png_of(drawing(rng)) + secret)])
    if kind == 4:
        line = base64.b64encode(secret[:300]).decode()
        return Case("base64 in a text", [saved(folder, "readme.md", f"# Notes\n\n{line}\n".encode())])
    if kind == 5:
        names = [base64.b64encode(rng.bytes(45)).decode() for _ in range(20)]
        pq.write_table(pa.table({"label": names, "n": rng.integers(9, 99, 20)}), folder / "table.parquet")
        return Case("base64 in a column", [OutputFile(folder / "table.parquet", folder)])
    if kind == 6:
        values = rng.integers(100, 999, 40) + rng.random(40)
        pa_csv.write_csv(pa.table({"mean": values}), folder / "table.csv")
        return Case("a message in low digits", [OutputFile(folder / "table.csv", folder)])
    if kind == 7:
        page = '<html><script type="application/json">{"pid": [1, 2], "x": [0.1, 0.2]}</script></html>'
        return Case("persons inside a page", [saved(folder, "report.html", page.encode())])
    if kind == 8:
        points = "".join(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1"/>' for x, y in rng.random((3_000, 2)) * 500
        )
        return Case("a shape for each person", [saved(folder, "plot.svg", f"<svg>{points}</svg>".encode())])
    if kind == 9:
        rows = {"id": [token(rng) for _ in range(30)], "value": rng.integers(0, 9, 30)}
        pq.write_table(pa.table(rows), folder / "table.parquet")
        return Case("pseudonyms in a column", [OutputFile(folder / "table.parquet", folder)])
    page = f"<html><script>Plotly.newPlot('x', [{{y: {list(range(40))}}}])</script></html>"
    return Case("a chart library's data", [saved(folder, "chart.html", page.encode())])


def salami(rng: Generator, folder: Path) -> Case:
    return Case("many small exports", [table(big(rng))], exports=int(rng.integers(25, 60)))


def pair_rows(rng: Generator, size: int = 40) -> dict[str, np.ndarray]:
    """Pairs both ways with consistent counts, none of them small."""
    before, same, after = (rng.integers(20, 400, size) for _ in range(3))
    n = rng.integers(3_000, 9_000, (2, size))
    names = np.array([f"X//{i:03d}" for i in range(2 * size)])
    forth = {
        "code_a": names[:size],
        "code_b": names[size:],
        "n_a": n[0],
        "n_b": n[1],
        "n_before": before,
        "n_after": after,
    }
    back = {
        "code_a": names[size:],
        "code_b": names[:size],
        "n_a": n[1],
        "n_b": n[0],
        "n_before": after,
        "n_after": before,
    }
    rows = {name: np.concatenate([forth[name], back[name]]) for name in forth}
    rows["n_same_day"] = np.concatenate([same, same])
    rows["n_person"] = rows["n_before"] + rows["n_same_day"] + rows["n_after"]
    return rows


def as_pairs(rows: Mapping[str, np.ndarray], hide: list[tuple[str, int]]) -> PairTable:
    columns = {}
    for name, values in rows.items():
        mask = np.zeros(len(values), bool)
        for column, row in hide:
            mask[row] |= column == name
        columns[name] = pa.array(values, mask=mask)
    return PairTable(
        "pairs", pa.table(columns), ("n_a", "n_b", "n_before", "n_after", "n_same_day", "n_person")
    )


def pair_tables(rng: Generator, folder: Path) -> Case:
    rows, size, row = pair_rows(rng), 40, int(rng.integers(40))
    few, kind = small(rng), int(rng.integers(4))
    if kind == 0:
        rows["n_same_day"][[row, row + size]] = few
        return Case("a small count of a pair", [as_pairs(rows, [])])
    if kind == 1:
        rows["n_a"][row] = rows["n_b"][row + size] = rows["n_person"][row] + few
        return Case("few persons beside a pair", [as_pairs(rows, [])])
    rows["n_before"][row] = rows["n_after"][row + size] = few
    total = rows["n_before"] + rows["n_same_day"] + rows["n_after"]
    rows["n_person"] = total
    if kind == 2:
        return Case(
            "hidden in one row, shown by its total",
            [as_pairs(rows, [("n_before", row), ("n_after", row + size)])],
        )
    hide = [("n_before", row), ("n_person", row)]
    return Case("hidden in one row, shown in the reversed", [as_pairs(rows, hide)])


LEAKS: tuple[Maker, ...] = (
    small_cell, small_unknown_category, missing_category, one_hidden, hidden_tightly, hidden_by_three,
    inclusion_exclusion, closed_sets, against_population, certain_rule, rule_confidence, sequences, extremes,
    dominance, freedom, survival, rates, not_rounded, differencing, models, words, hidden_in_files, salami, pair_tables,
)  # fmt: skip


def clean_table(rng: Generator, folder: Path) -> Case:
    cells = big(rng)
    cells[rng.random(cells.shape) < 0.05] = 0
    return Case("large cells", [table(cells, gap=int(rng.choice([0, 0, 7, 90])))])


def clean_hidden(rng: Generator, folder: Path) -> Case:
    """Four hidden cells whose range is min(a, d) + min(b, c) >= k each."""
    cells = big(rng, rows=int(rng.integers(3, 7)), columns=int(rng.integers(3, 9)))
    cells[0, 0] = small(rng)
    cells[1, 1], cells[0, 1], cells[1, 0] = (int(v) for v in rng.integers(K, 60, 3))
    hidden = np.zeros(cells.shape, bool)
    hidden[:2, :2] = True
    return Case("a cell well hidden", [table(cells, hidden)])


def clean_ring(rng: Generator, folder: Path) -> Case:
    cells = big(rng, rows=4, columns=5)
    ring = [(0, 0), (0, 1), (1, 1), (1, 2), (2, 2), (2, 0)]
    for at in ring:
        cells[at] = int(rng.integers(K, 90))
    cells[ring[0]] = small(rng)
    hidden = np.zeros(cells.shape, bool)
    for at in ring:
        hidden[at] = True
    for place in range(6):
        low, high = ring_range(cells, ring, place)
        assert high - low >= K or low >= K
    return Case("a ring well hidden", [table(cells, hidden)])


def clean_patterns(rng: Generator, folder: Path) -> Case:
    """Only sets of which every part without the rest is nobody or at least k persons, counted one by one."""
    has = persons_and_items(rng, persons=900)
    kept = []
    for size in (1, 2, 3):
        for whole in combinations(range(6), size):
            counts = [
                exactly(has, inside, tuple(set(whole) - set(inside)))
                for n in range(1, size + 1) for inside in combinations(whole, n)
            ]  # fmt: skip
            if not any(0 < n < K for n in counts):
                kept.append(whole)
    return Case(
        "patterns without small remainders", [PatternSet("sets", kept, [support(has, p) for p in kept])]
    )


def clean_rules(rng: Generator, folder: Path) -> Case:
    n, more = int(rng.integers(30, 300)), int(rng.integers(K, 300))
    rule = AssociationRule(("a",), ("b",), n, round(n / (n + more), 4))
    return Case("a rule with enough exceptions", [PatternSet("rules", [], [], rules=[rule])])


def clean_sequences(rng: Generator, folder: Path) -> Case:
    n = int(rng.integers(30, 900))
    supports = [n + int(rng.integers(K, 99)), n]
    return Case(
        "sequences far apart",
        [PatternSet("sequences", [("a", "b"), ("a", "b", "c")], supports, ordered=True)],
    )


def clean_magnitudes(rng: Generator, folder: Path) -> Case:
    n = [int(v) for v in rng.integers(120, 900, 3)]
    totals = rng.uniform(1e5, 1e6, 3)
    first = totals * rng.uniform(0.05, 0.3, 3)
    return Case("sums of many", [
        MagnitudeTable("m", list("abc"), n, list(totals), list(first), list(first * 0.9),
                       quantiles={"p50": 0.5, "p95": 0.95})
    ])  # fmt: skip


def clean_model_summary(rng: Generator, folder: Path) -> Case:
    n = int(rng.integers(100, 900))
    return Case(
        "a model with freedom", [ModelSummary("fit", n, int(rng.integers(2, 20)), groups=60, r_squared=0.4)]
    )


def clean_survival(rng: Generator, folder: Path) -> Case:
    steps = int(rng.integers(4, 12))
    events, censored = rng.integers(8, 40, steps), rng.integers(8, 40, steps)
    risk = int(events.sum() + censored.sum()) + 200 - np.r_[0, np.cumsum(events + censored)[:-1]]
    curve = [round(float(v), 3) for v in np.cumprod(1 - events / risk)]
    return Case("wide survival steps", [SurvivalCurve("km", range(steps), list(risk), list(events), curve)])


def clean_rates(rng: Generator, folder: Path) -> Case:
    wholes = [int(v) for v in rng.integers(60, 900, 2)]
    parts = [int(rng.integers(K, whole - K)) for whole in wholes]
    if rng.random() < 0.5:
        rate = Rate([round(p / w, 4) for p, w in zip(parts, wholes, strict=True)], wholes, parts)
        return Case("rates of many", [CountTable("t", {"g": ["a", "b"]}, wholes, rates={"share": rate})])
    near = [[round_to(v) for v in values] for values in (parts, wholes)]
    rate = Rate([round(100 * p / w, 2) for p, w in zip(*near, strict=True)], near[1], near[0], scale=100)
    return Case(
        "rates of rounded numbers",
        [CountTable("t", {"g": ["a", "b"]}, near[1], rounding=5, rates={"pct": rate})],
    )


def clean_history(rng: Generator, folder: Path) -> Case:
    everyone = people(rng, int(rng.integers(100, 400)))
    kind, count = int(rng.integers(3)), int(rng.integers(20, 500))
    if kind == 0:
        return Case("the same again", [], before=[{"sets": {"x": everyone}}], sets={"x": everyone})
    if kind == 1:
        return Case(
            "groups far apart",
            [],
            before=[{"sets": {"x": everyone}}],
            sets={"y": everyone[: len(everyone) // 2]},
        )
    return Case("the same definition among others", [], counts={"A then B": count + small(rng)},
                before=[{"counts": {"A then B": count}, "population": everyone[:50], "study": "other"}],
                population=everyone[50:])  # fmt: skip


def clean_models(rng: Generator, folder: Path) -> Case:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.tree import DecisionTreeClassifier

    x = rng.normal(size=(300, 4))
    y = (x[:, 0] + rng.normal(size=300) > 0).astype(int)
    kind = int(rng.integers(3))
    if kind == 0:
        model = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)
        return Case(
            "a regression", [FittedModel("m", model, x, example=rng.normal(size=(1, 4)), labels={"a": 40})]
        )
    if kind == 1:
        return Case(
            "a tree of large leaves",
            [FittedModel("m", DecisionTreeClassifier(min_samples_leaf=20).fit(x, y), x)],
        )
    losses = rng.exponential(1, (2, 2_000))
    return Case("losses alike", [FittedModel("m", None, members=list(losses[0]), strangers=list(losses[1]))])


def clean_words(rng: Generator, folder: Path) -> Case:
    texts = {
        "run name": "mine_pairs-asthma-20261124-093012", "seed": str(int(rng.integers(1e9))),
        "note": f"Of {int(rng.integers(1_000, 9_000)):,} persons, {int(rng.integers(20, 900))} patients had both.",
        "data.versions": "gold.timeline@1 gold.vocabulary@12", "code.version": "0.1.0+abc1234",
        "file": "lakehouse/governance/output_gate/patterns.py", "permit": "region-syd-2026-0417-longitudinal-respiratory",
        "long": "hyperosmolar-hyperglycaemic-state-without-coma-in-type-two-diabetes-mellitus",
    }  # fmt: skip
    return Case("plain words", [Words("run", texts)])


def clean_files(rng: Generator, folder: Path) -> Case:
    kind = int(rng.integers(5))
    if kind == 0:
        return Case("a drawing", [saved(folder, "figure.png", png_of(drawing(rng)))])
    if kind == 1:
        rows = {"code": [f"ICD10//I{i:02d}" for i in range(40)], "n": rng.integers(9, 999, 40),
                "rr": [float(f"{v:.4g}") for v in rng.lognormal(0, 1, 40)]}  # fmt: skip
        pq.write_table(pa.table(rows), folder / "table.parquet")
        return Case("a table of results", [OutputFile(folder / "table.parquet", folder)])
    if kind == 2:
        picture = base64.b64encode(png_of(drawing(rng))).decode()
        page = f'<html><p>Of 12,345 persons</p><img src="data:image/png;base64,{picture}"></html>'
        return Case("a page with a picture", [saved(folder, "report.html", page.encode())])
    if kind == 3:
        bars = "".join(
            f'<rect x="{i * 9}" y="{float(v):.1f}" width="8"/>' for i, v in enumerate(rng.random(30) * 90)
        )
        return Case("a bar chart", [saved(folder, "bars.svg", f"<svg>{bars}</svg>".encode())])
    return Case(
        "notes",
        [
            saved(
                folder, "readme.md", b"# Results\n\nSee patterns.parquet; 25 of 300 pairs are significant.\n"
            )
        ],
    )


def clean_pairs(rng: Generator, folder: Path) -> Case:
    rows, size, row = pair_rows(rng), 40, int(rng.integers(40))
    rows["n_before"][row] = rows["n_after"][row + size] = small(rng)
    rows["n_person"] = rows["n_before"] + rows["n_same_day"] + rows["n_after"]
    hide = [("n_before", row), ("n_person", row), ("n_after", row + size), ("n_person", row + size)]
    return Case("a pair well hidden", [as_pairs(rows, hide)])


CLEAN: tuple[Maker, ...] = (
    clean_table, clean_hidden, clean_ring, clean_patterns, clean_rules, clean_sequences, clean_magnitudes,
    clean_model_summary, clean_survival, clean_rates, clean_history, clean_models, clean_words, clean_files, clean_pairs,
)  # fmt: skip
