"""One offline page a run, answer first: what was asked, found, read, hidden, and how to do it again."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from experiments.patterns import Patterns
from experiments.statistics.empirical_null import EmpiricalNull
from lakehouse.governance.disclosure import DisclosureRecord, Thresholds
from lakehouse.governance.outputs import merge_steps

FIRST_ROWS, MOST_ROWS = 25, 2_000
"""Rows written into the page for reading without scripts, and rows it holds for search."""

HIDDEN = "–"

ORDER = {"forward": "as listed", "backward": "reversed", "none": "unclear"}
"""The scan's words for which code tends to come first, as a reader of the table would say it."""

LIMITS = (
    "A pattern is an order of events that is more (or less) frequent than among comparable persons. It is "
    "not a cause: "
    "why a treatment was given (indication), what was not recorded, and who was looked at more closely "
    "can all make one.",
    "Comparable persons share sex, age group, calendar year, number of earlier events and kind of place "
    "of treatment; "
    "not smoking, income, severity or anything else that is not in the tables above.",
    "Only the first time of each code counts. Persons who die or move away can no longer have the second "
    "code.",
    "Codes say what was recorded, not what a person had; coding habits and registers change over the years.",
    "A finding that was not replicated is a suggestion. One that was replicated here still comes from the "
    "same "
    "health service and the same registers.",
)

CAPTIONS = {
    "volcano.png": (
        "Effect against evidence",
        "Every tested pair whose numbers may be shown. To the right: the second code follows more often "
        "than expected; "
        "to the left: less often. Higher: less likely to be chance (the scale is compressed towards the "
        "top).",
    ),
    "network.png": (
        "Network of the strongest patterns",
        "The strongest pairs put together: an arrow leads from the first code to the one that follows "
        "more often.",
    ),
    "calibration.png": (
        "Histogram of z",
        "Is the comparison fair? Most pairs have nothing to do with each other, so the grey bars should "
        "fill the dashed "
        "curve. If they spread wider, ordinary differences between persons look like findings.",
    ),
}

COLUMNS = (
    ("text_a", "After", "First code", False),
    ("text_b", "comes", "Second code", False),
    ("rr", "Relative risk", "How many times as often as in comparable persons", True),
    ("strength", "95 % interval", "Values the data do not speak against; the line in the middle is 1", False),
    ("q", "q-value", "Share of false findings among all that are at least this strong", True),
    ("O", "Persons", "In whom the second followed the first", True),
    ("order", "Order", "Which one tends to come first", False),
    ("lag", "Median lag", "Days until half of the second codes had come", True),
    ("replicated", "Replicated", "Found again in the locked half of the persons", False),
)


@dataclass(frozen=True)
class Story:
    """What the page needs besides the patterns.

    ``persons`` were counted; ``attrition`` holds (rule, persons left); ``command`` repeats the run.
    """

    question: str
    persons: int
    codes: int
    null: EmpiricalNull
    command: str
    scope: Mapping[str, Any]
    attrition: Sequence[tuple[str, int]] = ()
    purpose: str = ""
    kind: str = ""
    rule: str = "a q-value of at most 0.05, Benjamini-Hochberg"
    window: str = "five years"
    seconds: float | None = None
    remarks: Sequence[str] = field(default_factory=tuple)


@dataclass(frozen=True)
class Tally:
    """How many pairs were tested, called and found again; numbers of patterns, not of persons."""

    tested: int
    called: int
    replicated: int


def tally(raw: Patterns) -> Tally:
    """Counted over all pairs, hidden ones too."""
    columns = {name: pc.fill_null(raw.table.column(name), False) for name in ("tested", "called")}
    again = pc.fill_null(raw.table.column("replicated_person"), False)
    both = pc.and_(columns["called"], again)
    sums = [int(pc.sum(one).as_py() or 0) for one in (columns["tested"], columns["called"], both)]
    return Tally(*sums)


def answer(story: Story, counts: Tally, called: pa.Table) -> list[str]:
    """The answer in three sentences: what was found, the strongest in words, whether the comparison was fair.

    ``called`` is checked and ordered by strength.
    """
    tested = (
        f"In the treatment data of {story.persons:,} persons, {counts.tested:,} ordered pairs of {story.codes:,} "
        "codes were tested for whether the second follows the first more, or less, often than it follows "
        "comparable persons' comparable days"
    )
    if not counts.called:
        return [f"{tested}.", f"None was called a finding (by {story.rule}).", _fairness(story.null)]
    verb = "was called a finding" if counts.called == 1 else "were called findings"
    again = "was" if counts.replicated == 1 else "were"
    return [
        f"{tested}; {counts.called:,} {verb} (by {story.rule}), and {counts.replicated:,} of them {again} found "
        "again in a locked half of the persons that the search had not looked at.",
        _strongest(called),
        _fairness(story.null),
    ]


def _fairness(null: EmpiricalNull) -> str:
    ending = "as it should be" if null.calibrated else "too wide"
    return (
        "The comparison itself was checked on pairs that have nothing to do with each other: their spread is "
        f"{null.sd:.2f}, {ending} (1 is ideal)."
    )


def _strongest(called: pa.Table) -> str:
    """The first called pattern that is replicated and not flagged, in words."""
    for row in called.slice(0, 500).to_pylist():
        if row["replicated_person"] and not row["flags"] and row["rr"] is not None:
            lag = f", half of them within {_days(row['lag_q50'])}" if row["lag_q50"] is not None else ""
            return (
                f"The strongest of these: after {_named(row, 'a')}, {_named(row, 'b')} came {_ratio(row['rr'])} "
                f"times as often as expected (95 % interval {_ratio(row['rr_low'])} to {_ratio(row['rr_high'])}; "
                f"{row['O']:,} persons{lag})."
            )
    return "None of those found again can be shown in words."


def warning(null: EmpiricalNull) -> str:
    """What the first lines say when the comparison is not calibrated."""
    if null.calibrated:
        return ""
    return (
        f"The comparison is not calibrated: over pairs that carry no effect, z spreads {null.sd:.2f} times "
        "as wide as "
        "chance alone would have it (1 is ideal, 1.1 the limit). Something that differs between persons "
        "is not matched. "
        "Judge by the q-values against the empirical null (column q_empirical); the others are too small."
    )


def render(
    story: Story, checked: Patterns, record: DisclosureRecord, counts: Tally, pictures: Mapping[str, bytes]
) -> str:
    """The page as HTML; ``checked`` must have passed the disclosure check."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    if not checked.meta.checked:
        raise ValueError("A report is made of checked patterns alone.")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(_text("report.html.j2"))
    report = _content(story, checked, record, counts, pictures)
    return template.render(r=report, style=Markup(_text("report.css")), script=Markup(_text("report.js")))


def _text(name: str) -> str:
    return files("experiments").joinpath("templates", name).read_text("utf-8")


def _content(
    story: Story, checked: Patterns, record: DisclosureRecord, counts: Tally, pictures: Mapping[str, bytes]
) -> dict[str, Any]:
    """Everything the template shows."""
    meta, called = checked.meta, checked.called()
    thresholds = Thresholds(record.threshold)
    rows = table_rows(called.slice(0, MOST_ROWS), story.null)
    keys = ("code_a", "text_a", "code_b", "text_b", "flags", "rr", "strength", "q", "O", "lag", "order", "replicated",
            "rr_text", "interval", "left", "width", "point", "q_text", "persons_text", "lag_text",
            "replicated_text")  # fmt: skip
    return {
        "title": f"{meta.job} · {meta.study}",
        "job": meta.job, "study": meta.study, "kind": story.kind, "question": story.question,
        "warning": warning(story.null), "answer": answer(story, counts, called),
        "figures": _key_figures(story, counts),
        "scope": _scope_box(story),
        "columns": [{"key": k, "label": label, "about": about, "number": n} for k, label, about, n in COLUMNS],
        "rows": {"first": rows[:FIRST_ROWS], "total": called.num_rows, "kept": len(rows)},
        "data": {key: [row[key] for row in rows] for key in keys},
        "pictures": [
            {
                "data": base64.b64encode(pictures[name]).decode(),
                "alt": alt,
                "caption": f"{alt}. {caption}",
                "broad": name == "network.png",
            }
            for name, (alt, caption) in CAPTIONS.items() if name in pictures
        ],
        "attrition": [
            {"rule": rule, "persons": left, "text": "fewer than " + str(record.threshold) + " fewer" if left is None
             else f"{left:,}"} for rule, left in merge_steps(story.attrition, thresholds)
        ],
        "hidden": _hidden(record, counts, called), "limits": [*story.remarks, *LIMITS], "command": story.command,
        "facts": _facts(story, checked), "threshold": record.threshold, "window": story.window,
    }  # fmt: skip


def table_rows(called: pa.Table, null: EmpiricalNull) -> list[dict[str, Any]]:
    """Rows of the page's table: numbers to sort by and the words to show."""
    picked = called.to_pylist()
    reach = max(
        (abs(math.log(_inside(row[name]))) for row in picked for name in ("rr_low", "rr_high")), default=1
    )
    reach = max(reach, math.log(2))
    rows = []
    for row in picked:
        low, high, rr = (_inside(row[name]) for name in ("rr_low", "rr_high", "rr"))
        place = {
            name: 50 + 48 * math.log(value) / reach
            for name, value in (("low", low), ("high", high), ("rr", rr))
        }
        q = row["q_bh"] if null.calibrated or row["q_empirical"] is None else row["q_empirical"]
        rows.append(
            {
                **{name: row[name] or "" for name in ("code_a", "text_a", "code_b", "text_b", "flags")},
                "rr": row["rr"],
                "O": row["O"],
                "q": q,
                "replicated": row["replicated_person"],
                "strength": low if rr > 1 else 1 / high,
                "lag": row["lag_q50"],
                "order": ORDER.get(row["direction"], HIDDEN),
                "rr_text": _ratio(row["rr"]),
                "interval": f"{_ratio(row['rr_low'])} to {_ratio(row['rr_high'])}",
                "left": round(place["low"], 1),
                "width": round(place["high"] - place["low"], 1),
                "point": round(place["rr"], 1),
                "q_text": _small_number(q),
                "persons_text": HIDDEN if row["O"] is None else f"{row['O']:,}",
                "lag_text": HIDDEN if row["lag_q50"] is None else _days(row["lag_q50"]),
                "replicated_text": {True: "yes", False: "no", None: HIDDEN}[row["replicated_person"]],
            }
        )
    return rows


def _inside(value: float | None) -> float:
    """A ratio kept within what the interval bars can show."""
    return min(max(value if value is not None and math.isfinite(value) else 1.0, 0.02), 50.0)


def _key_figures(story: Story, counts: Tally) -> list[dict[str, str]]:
    shown = (
        ("persons", f"{story.persons:,}"), ("pairs tested", f"{counts.tested:,}"),
        ("called", f"{counts.called:,}"), ("replicated", f"{counts.replicated:,}"),
        ("spread of z (ideal 1)", f"{story.null.sd:.2f}"),
    )  # fmt: skip
    return [{"label": label, "value": value} for label, value in shown]


def _scope_box(story: Story) -> dict[str, Any]:
    record = story.scope
    meaning = {
        "accounted": ": everything this run touched is listed here and lies inside the permit.",
        "unaccounted": ": not everything this run touched could be listed, so nothing of it is released.",
        "breach": ": something outside the permit was touched.",
    }
    permit = record.get("permit", "")
    reads = [
        {
            "table": read["table"], "version": read["version"],
            "direct": ", ".join(read.get("columns_direct", ())) or HIDDEN,
            "indirect": ", ".join(sorted({*read.get("columns_filter", ()), *read.get("columns_join", ())})) or HIDDEN,
            "rows": HIDDEN if read.get("rows") is None else f"{read['rows']:,}",
            "count": read.get("persons"),
            "persons": HIDDEN if read.get("persons") is None else f"{read['persons']:,}",
        } for read in record["reads"]
    ]  # fmt: skip
    remarks = [str(remark) for remark in record.get("remarks", ())]
    if "shown" in record:
        remarks.append(f"{str(record['shown']).capitalize()}.")
    return {
        "permit": permit.get("id", "") if isinstance(permit, Mapping) else permit, "purpose": story.purpose,
        "state": record.get("state", "unaccounted"), "meaning": meaning.get(str(record.get("state")), "."),
        "reads": reads, "remarks": remarks, "digest": record.get("digest", ""),
    }  # fmt: skip


def _hidden(record: DisclosureRecord, counts: Tally, called: pa.Table) -> dict[str, Any]:
    if not record.cells_hidden:
        sentence = (
            f"Nothing: no number behind these {record.pairs:,} pairs stands for fewer than "
            f"{record.threshold} persons."
        )
    else:
        lost = counts.called - called.num_rows
        sentence = (
            f"Of {record.pairs:,} tested pairs, {record.pairs_whole:,} are shown with every number. In the "
            "others, "
            f"{record.cells_hidden:,} numbers were removed, because they stand for fewer than "
            f"{record.threshold} persons or "
            "would let a reader work out one that does."
        )
        if lost > 0:
            sentence += (
                f" {lost:,} of the called pairs {'is' if lost == 1 else 'are'} among them and not shown."
            )
    rules = [{"why": hidden.why, "pairs": f"{hidden.pairs:,}"} for hidden in record.hidden]
    return {"sentence": sentence, "rules": rules}


def _facts(story: Story, checked: Patterns) -> list[dict[str, str]]:
    meta = checked.meta
    facts = {
        "Run": meta.run_id, "Code": meta.code_version, "Seed": str(meta.seed), "Data": meta.versions_text,
        "Permit": meta.permit, "Parameters": ", ".join(f"{k} = {v}" for k, v in meta.params.items()),
        "Time": f"{story.seconds:.0f} seconds" if story.seconds else "",
    }  # fmt: skip
    return [{"label": label, "value": value} for label, value in facts.items() if value]


def _named(row: Mapping[str, Any], side: str) -> str:
    text = row[f"text_{side}"]
    code = row[f"code_{side}"]
    return f"{text} ({code})" if text else str(code)


def _ratio(value: float | None) -> str:
    """A ratio with as many digits as a reader can use."""
    if value is None or not math.isfinite(value):
        return HIDDEN if value is None else "∞"
    return f"{value:.0f}" if value >= 20 else f"{value:.1f}" if value >= 3 else f"{value:.2f}"


def _days(value: float) -> str:
    """A time in the unit a reader thinks in."""
    if value < 60:
        return f"{value:.0f} days"
    return f"{value / 30.44:.0f} months" if value < 730 else f"{value / 365.25:.1f} years"


def _small_number(value: float | None) -> str:
    """A q-value: two digits, or a power of ten where it is tiny."""
    if value is None or math.isnan(value):
        return HIDDEN
    if value >= 0.001:
        return f"{value:.3f}"
    return "< 10⁻³⁰⁰" if value <= 1e-300 else "10" + str(math.floor(math.log10(value))).translate(SUPERSCRIPT)


SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
