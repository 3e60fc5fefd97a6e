"""The reference manual, written from the declarations themselves: commands, jobs, kinds, columns, sources, reasons."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Sequence
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any


def reference() -> str:
    """The whole manual as Markdown."""
    parts = (commands(), jobs(), kinds(), columns(), sources(), gold(), limits(), reasons(), exit_codes())
    lines = ["# Reference", "", "Written by `make docs` from the declarations; do not edit.", ""]
    for part in parts:
        lines += [*part, ""]
    return "\n".join(lines)


def row(*cells: object) -> str:
    """One line of a table."""
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def head(*names: str) -> list[str]:
    """The first two lines of a table."""
    return [row(*names), row(*("---" for _ in names))]


def commands() -> Iterator[str]:
    """Every command with its options; hidden ones are old names that still work, and are left out."""
    import typer

    from experiments.cli import app

    yield "## Commands"
    for path, command in _leaves("patternlake", typer.main.get_command(app)):
        yield from ("", f"### `{path}`", "", (command.help or "").strip().partition("\n\n")[0], "")
        options = [one for one in command.params if one.name != "help" and not getattr(one, "hidden", False)]
        if options:
            yield from head("option", "meaning", "default")
        for one in options:
            names = ", ".join(getattr(one, "opts", ())) if one.param_type_name == "option" else one.name
            default = "" if one.default in (None, False) or callable(one.default) else one.default
            yield row(
                f"`{names}`" + (" (required)" if one.required else ""),
                getattr(one, "help", "") or "",
                default,
            )


def _leaves(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    inside = getattr(command, "commands", None)
    if inside is None:
        yield path, command
        return
    for name, one in inside.items():
        if not one.hidden:
            yield from _leaves(f"{path} {name}", one)


def jobs() -> Iterator[str]:
    """Every job in ``jobs/``: question, parameters, reads."""
    from experiments.run.definition import load_job
    from experiments.run.submission import jobs_folder

    yield "## Jobs"
    for path in sorted(jobs_folder().glob("*.py")):
        job = load_job(path)
        yield from ("", f"### `{job.name}`", "", job.question, "")
        yield from head("parameter", "default", "meaning")
        for each in job.described():
            yield row(f"`{each.name}`", each.default, each.about)
        yield ""
        for table, names in job.reads_for(job.params()).items():
            yield f"Reads `{table}`: {', '.join(names)}."


def kinds() -> Iterator[str]:
    """Kinds of pattern."""
    from experiments.products.pattern_kinds import kinds as known

    yield from ("## Kinds of pattern", "", *head("kind", "tested for whether", "columns of its own"))
    for kind in known().values():
        yield row(f"`{kind.name}`", kind.asked, ", ".join(column.name for column in kind.columns) or "–")


def columns() -> Iterator[str]:
    """Columns of the result table."""
    from experiments.products.columns import COLUMNS
    from experiments.products.pattern_kinds import kinds as known

    yield from ("## Columns of the result table", "", *head("column", "type", "unit", "meaning", "kind"))
    shared: Sequence[Any] = COLUMNS
    for column in shared:
        yield row(f"`{column.name}`", column.type, column.unit, column.about, "all")
    for kind in known().values():
        for column in kind.columns:
            yield row(f"`{column.name}`", column.type, column.unit, column.about, kind.name)


def sources() -> Iterator[str]:
    """Every source with its tables and columns."""
    import lakehouse.sources as package

    yield "## Sources"
    for each in pkgutil.iter_modules(package.__path__):
        module = import_module(f"{package.__name__}.{each.name}")
        source = getattr(module, "SOURCE", None)
        if source is None:
            continue
        yield from ("", f"### {each.name}", "", (module.__doc__ or "").strip().partition("\n")[0])
        for table in source.tables:
            yield from (
                "",
                f"**{table.name}** (`{table.files}`)",
                "",
                *head("column", "type", "identifier", "required"),
            )
            for one in table.fields:
                yield row(
                    f"`{one.name}`",
                    getattr(one.type, "value", one.type),
                    one.domain or "",
                    "yes" if one.required else "",
                )


def gold() -> Iterator[str]:
    """Tables a study can be granted."""
    from lakehouse.data_model import GOLD

    yield from ("## Gold tables",)
    for table in GOLD.values():
        yield from ("", f"### `{table.name}`", "", *head("column", "type"))
        for column in table.columns:
            yield row(f"`{column.name}`", column.type)


def limits() -> Iterator[str]:
    """Thresholds of the gate."""
    from lakehouse.governance.output_gate.limits_and_verdict import TIGHTER_WHEN_LOWER, Limits

    yield from ("## Limits of the output gate", "", *head("limit", "coded value", "stricter is"))
    for each in fields(Limits):
        yield row(f"`{each.name}`", each.default, "lower" if each.name in TIGHTER_WHEN_LOWER else "higher")


def reasons() -> Iterator[str]:
    """Why the gate does not let something out, in both languages."""
    from lakehouse.governance.output_gate.reasons import REASONS

    yield from ("## Reasons of the output gate", "", *head("rule", "English", "Dansk"))
    for rule, reason in REASONS.items():
        yield row(rule.value, reason.en.format(k="k"), reason.da.format(k="k"))


def exit_codes() -> Iterator[str]:
    """Exit codes by class of refusal."""
    from lakehouse import errors

    yield from ("## Exit codes", "", *head("code", "meaning"), row(0, "Done."))
    classes = [
        one
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, errors.PatternlakeError)
    ]
    for one in sorted(classes, key=lambda each: each.exit_code):
        yield row(one.exit_code, (one.__doc__ or "").strip().partition("\n")[0])


def main() -> None:
    """Write ``docs/reference.md`` beside the other pages."""
    target = Path(__file__).resolve().parents[1] / "docs" / "reference.md"
    target.write_text(reference() + "\n", encoding="utf-8")
    print(target)


if __name__ == "__main__":
    main()
