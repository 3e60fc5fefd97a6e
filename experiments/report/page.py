"""One offline page a run, summary first: what was asked, found, read, hidden, and how to do it again."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from experiments.presentation.wording import HIDDEN
from experiments.products.base import CheckedProduct, Interactive, PageTable, Picture, Section
from experiments.report.context import ReportContext, summary
from lakehouse.governance.suppression.totals import merge_steps


def render(context: ReportContext, products: Sequence[CheckedProduct]) -> str:
    """The page as HTML, of checked products alone.

    Raises TypeError for anything but a :class:`CheckedProduct`: a raw product, or one of single persons, is never shown.
    """
    from jinja2 import DictLoader, Environment, StrictUndefined
    from markupsafe import Markup

    if strange := [type(each).__name__ for each in products if not isinstance(each, CheckedProduct)]:
        raise TypeError(f"A report is made of checked products alone, not of {', '.join(strange)}.")
    sections = [_section(section) for product in products for section in product.sections]
    forms = list(dict.fromkeys(part["form"] for section in sections for part in section["parts"]))
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.loader = DictLoader({f"{form}.html.j2": _text(f"{form}.html.j2") for form in forms})
    template = environment.from_string(_text("report.html.j2"))
    scripts = [Markup(text) for form in forms if (text := _script(f"{form}.js"))]
    report = _content(context, products, sections)
    return template.render(r=report, style=Markup(_text("report.css")), scripts=scripts)


def _text(name: str) -> str:
    return files("experiments.report").joinpath("templates", name).read_text("utf-8")


def _script(name: str) -> str:
    """The script of a form; empty where it needs none."""
    found = files("experiments.report").joinpath("templates", name)
    return found.read_text("utf-8") if found.is_file() else ""


def _section(section: Section) -> dict[str, Any]:
    """A section as the template shows it."""
    return {
        "anchor": section.anchor,
        "title": section.title,
        "parts": [_part(part) for part in section.parts],
    }


def _part(part: PageTable | Picture | Interactive | str) -> dict[str, Any]:
    """A part of a section: the form that shows it, what it shows, and data for its script."""
    if isinstance(part, str):
        return {"form": "text", "content": part, "data": None}
    if isinstance(part, Interactive):
        return {"form": part.form, "content": part.content, "data": part.data}
    if isinstance(part, PageTable):
        return {"form": "table", "content": part, "data": None}
    picture = {
        "data": base64.b64encode(part.content).decode(),
        "alt": part.alt,
        "caption": f"{part.alt}. {part.caption}",
        "broad": part.broad,
    }
    return {"form": "picture", "content": picture, "data": None}


def _content(
    context: ReportContext, products: Sequence[CheckedProduct], sections: list[dict[str, Any]]
) -> dict[str, Any]:
    """Everything the template shows."""
    threshold = max(product.record.threshold for product in products) if products else 0
    return {
        "title": f"{context.job} · {context.study}",
        "job": context.job,
        "study": context.study,
        "kind": context.kind,
        "question": context.question,
        "warning": " ".join(product.warning for product in products if product.warning),
        "summary": summary(context, products),
        "figures": [
            {"label": label, "value": value}
            for label, value in (
                ("persons", f"{context.persons:,}"),
                *(f for p in products for f in p.figures),
            )
        ],
        "scope": _scope_box(context),
        "sections": sections,
        "attrition": _attrition(context, products),
        "hidden": [_hidden(product, len(products) > 1) for product in products],
        "limits": list(
            dict.fromkeys([*context.remarks, *(limit for product in products for limit in product.limits)])
        ),
        "command": context.command,
        "facts": _facts(context, products),
        "threshold": threshold,
    }


def _attrition(context: ReportContext, products: Sequence[CheckedProduct]) -> list[dict[str, Any]]:
    """From the lake to the persons counted; steps that few persons make are put together."""
    if not products:
        return []
    thresholds = max((product.thresholds for product in products), key=lambda each: each.persons)
    return [
        {
            "rule": rule,
            "persons": left,
            "text": f"fewer than {thresholds.persons} fewer" if left is None else f"{left:,}",
        }
        for rule, left in merge_steps(context.attrition, thresholds)
    ]


def _scope_box(context: ReportContext) -> dict[str, Any]:
    record = context.scope
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
        "permit": permit.get("id", "") if isinstance(permit, Mapping) else permit, "purpose": context.purpose,
        "state": record.get("state", "unaccounted"), "meaning": meaning.get(str(record.get("state")), "."),
        "reads": reads, "remarks": remarks, "digest": record.get("digest", ""),
    }  # fmt: skip


def _hidden(product: CheckedProduct, several: bool) -> dict[str, Any]:
    """What was hidden of a product, in a sentence and by reason; its name where there are several."""
    rules = [{"why": hidden.why, "pairs": f"{hidden.pairs:,}"} for hidden in product.record.hidden]
    return {"name": product.name if several else "", "sentence": product.hidden, "rules": rules}


def _facts(context: ReportContext, products: Sequence[CheckedProduct]) -> list[dict[str, str]]:
    permit = context.scope.get("permit", "")
    facts = {
        "Run": context.run_id,
        "Code": context.code_version,
        **{label: value for product in products for label, value in product.origin.items()},
        "Permit": str(permit.get("id", "") if isinstance(permit, Mapping) else permit),
        "Parameters": ", ".join(f"{name} = {value}" for name, value in context.parameters.items()),
        "Time": f"{context.seconds:.0f} seconds" if context.seconds else "",
    }
    return [{"label": label, "value": value} for label, value in facts.items() if value]
