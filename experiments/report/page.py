"""One offline page a run, answer first: what was asked, found, read, hidden, and how to do it again."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import pyarrow as pa

from experiments.products.kinds import Kind
from experiments.products.patterns import Patterns
from experiments.report.summary import HIDDEN, Story, Tally, answer, days, ratio, small_number, tally, warning
from experiments.report.trajectory_browser import content, rounded
from experiments.statistics.error_control.empirical_null import EmpiricalNull
from lakehouse.governance.suppression.disclosure import DisclosureRecord, Thresholds
from lakehouse.governance.suppression.totals import merge_steps

FIRST_ROWS, MOST_ROWS = 25, 2_000
"""Rows written into the page for reading without scripts, and rows it holds for search."""

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
    (
        "replicated",
        "Replicated",
        "Found again in the locked half; where looked for, later and elsewhere",
        False,
    ),
)


def render(
    story: Story, checked: Patterns, record: DisclosureRecord, counts: Tally, pictures: Mapping[str, bytes]
) -> str:
    """The page as HTML; ``checked`` must have passed the disclosure check."""
    from jinja2 import DictLoader, Environment, StrictUndefined
    from markupsafe import Markup

    if not checked.meta.checked:
        raise ValueError("A report is made of checked patterns alone.")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.loader = DictLoader({"browser.html.j2": _text("browser.html.j2")})
    template = environment.from_string(_text("report.html.j2"))
    report = _content(story, checked, record, counts, pictures)
    scripts = [Markup(_text("report.js"))] + ([Markup(_text("browser.js"))] if report["browser"] else [])
    return template.render(r=report, style=Markup(_text("report.css")), scripts=scripts)


def _text(name: str) -> str:
    return files("experiments.report").joinpath("templates", name).read_text("utf-8")


def _content(
    story: Story, checked: Patterns, record: DisclosureRecord, counts: Tally, pictures: Mapping[str, bytes]
) -> dict[str, Any]:
    """Everything the template shows."""
    meta, called = checked.meta, checked.called()
    thresholds = Thresholds(record.threshold)
    form = checked.kind
    pairs = form.name == "pair"
    rows = table_rows(called.slice(0, MOST_ROWS), story.null) if pairs else []
    keys = ("code_a", "text_a", "code_b", "text_b", "flags", "rr", "strength", "q", "O", "lag", "order", "replicated",
            "rr_text", "interval", "left", "width", "point", "q_text", "persons_text", "lag_text",
            "replicated_text")  # fmt: skip
    return {
        "title": f"{meta.job} · {meta.study}",
        "job": meta.job, "study": meta.study, "kind": story.kind, "question": story.question,
        "warning": warning(story.null), "answer": answer(story, counts, called),
        "figures": _key_figures(story, counts, form),
        "scope": _scope_box(story),
        "columns": [{"key": k, "label": label, "about": about, "number": n} for k, label, about, n in COLUMNS],
        "rows": {"first": rows[:FIRST_ROWS], "total": called.num_rows if pairs else 0, "kept": len(rows)},
        "plain": None if pairs else plain_table(called, form), "many": form.many, "one": form.one,
        "data": {key: [row[key] for row in rows] for key in keys}, "browser": content(called, story.null),
        "pictures": [
            {
                "data": base64.b64encode(pictures[name]).decode(),
                "alt": alt,
                "caption": f"{alt}. {caption}",
                "broad": name == "network.png",
            }
            for name, (alt, caption) in {**CAPTIONS, **form.captions}.items() if name in pictures
        ],
        "attrition": [
            {"rule": rule, "persons": left, "text": "fewer than " + str(record.threshold) + " fewer" if left is None
             else f"{left:,}"} for rule, left in merge_steps(story.attrition, thresholds)
        ],
        "hidden": _hidden(record, counts, called, form), "limits": [*story.remarks, *form.limits, *LIMITS],
        "command": story.command,
        "facts": _facts(story, checked), "threshold": record.threshold, "window": story.window,
    }  # fmt: skip


def table_rows(called: pa.Table, null: EmpiricalNull | None) -> list[dict[str, Any]]:
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
        fair = null is None or null.calibrated
        q = row["q_bh"] if fair or row["q_empirical"] is None else row["q_empirical"]
        rows.append(
            {
                **{name: row[name] or "" for name in ("code_a", "text_a", "code_b", "text_b")},
                "flags": flags(row),
                "rr": rounded(row["rr"]),
                "O": row["O"],
                "q": rounded(q),
                "replicated": row["replicated_person"],
                "strength": rounded(low if rr > 1 else 1 / high),
                "lag": rounded(row["lag_q50"]),
                "order": ORDER.get(row["direction"], HIDDEN),
                "rr_text": ratio(row["rr"]),
                "interval": f"{ratio(row['rr_low'])} to {ratio(row['rr_high'])}",
                "left": round(place["low"], 1),
                "width": round(place["high"] - place["low"], 1),
                "point": round(place["rr"], 1),
                "q_text": small_number(q),
                "persons_text": HIDDEN if row["O"] is None else f"{row['O']:,}",
                "lag_text": HIDDEN if row["lag_q50"] is None else days(row["lag_q50"]),
                "replicated_text": replicated(row),
            }
        )
    return rows


FOUND_AGAIN = {True: "yes", False: "no", None: "not tested"}


def replicated(row: Mapping[str, Any]) -> str:
    """Whether a pair was found again: among other persons and, where that was looked for, later and elsewhere."""
    more = {"later": row["replicated_time"], "elsewhere": row["replicated_site"]}
    asked = [f"{where}: {FOUND_AGAIN[found]}" for where, found in more.items() if found is not None]
    return "; ".join([FOUND_AGAIN[row["replicated_person"]], *asked])


def flags(row: Mapping[str, Any]) -> str:
    """The warnings of a row, among them that it is called with a wash-out alone."""
    alone = "not called without wash-out" if row["called_without_washout"] is False else ""
    return ", ".join(each for each in (row["flags"], alone) if each)


def plain_table(called: pa.Table, form: Kind) -> dict[str, Any]:
    """The table of a kind that is no ordered pair: its own columns, in words, strongest first."""
    rows = called.slice(0, MOST_ROWS).to_pylist()
    return {
        "about": form.about,
        "columns": [{"label": one.label, "about": one.about, "number": one.number} for one in form.shown],
        "rows": [[one.text(row) for one in form.shown] for row in rows],
        "total": called.num_rows,
    }


def _inside(value: float | None) -> float:
    """A ratio kept within what the interval bars can show."""
    return min(max(value if value is not None and math.isfinite(value) else 1.0, 0.02), 50.0)


def _key_figures(story: Story, counts: Tally, form: Kind) -> list[dict[str, str]]:
    shown = [
        ("persons", f"{story.persons:,}"), (f"{form.many} tested", f"{counts.tested:,}"),
        ("called", f"{counts.called:,}"), ("replicated", f"{counts.replicated:,}"),
    ]  # fmt: skip
    shown += [("spread of z (ideal 1)", f"{story.null.sd:.2f}")] if story.null else []
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


def _hidden(record: DisclosureRecord, counts: Tally, called: pa.Table, form: Kind) -> dict[str, Any]:
    if not record.hidden:
        sentence = (
            f"Nothing: no number behind these {record.pairs:,} {form.many} stands for fewer than "
            f"{record.threshold} persons."
        )
    else:
        lost = counts.called - called.num_rows
        sentence = (
            f"Of {record.pairs:,} tested {form.many}, {record.pairs_whole:,} are shown with every number. In "
            "the others, "
            f"{record.cells_hidden:,} numbers were removed, because they stand for fewer than "
            f"{record.threshold} persons or "
            "would let a reader work out one that does."
        )
        if lost > 0:
            sentence += f" {lost:,} of the called {form.many} {'is' if lost == 1 else 'are'} among them and not shown."
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


__all__ = ["Story", "Tally", "answer", "render", "table_rows", "tally", "warning"]
