"""The ``patternlake`` command. Each module here is a group of commands, found by looking; none imports Spark at start.

A module has ``app`` (a :class:`typer.Typer`) and may have ``NAME``: with it, the commands come under that
name (``patternlake scope show``), without it at the top. Whatever needs Spark, MLflow or numpy is imported
inside the command, so that help stays under a second. What stands behind ``\\f`` in a command's docstring is not
shown as its help.
"""

from __future__ import annotations

import pkgutil
import sys
from importlib import import_module
from typing import Any

import typer

from lakehouse.errors import PatternlakeError

HELPERS = ("common",)

WORKFLOW = (
    "service", "data", "study", "permit", "define", "runs", "run_list", "scope", "gate", "release", "ledger", "vault",
    "reidentify", "forget",
)  # fmt: skip
"""Groups in the order in which they are used; one not named here comes after them, by name."""


def assemble() -> typer.Typer:
    """The whole command: every group in this package, in the order of the work."""
    whole = typer.Typer(
        name="patternlake",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        help="Exploratory research on a region's treatment data, with proof of exactly what was read.",
    )
    for name in sorted((each.name for each in pkgutil.iter_modules(__path__)), key=place):
        if name not in HELPERS and not name.startswith("_"):
            module = import_module(f"{__name__}.{name}")
            whole.add_typer(module.app, name=getattr(module, "NAME", None))
    return whole


def place(name: str) -> tuple[int, str]:
    """Where a group stands in the help."""
    return (WORKFLOW.index(name) if name in WORKFLOW else len(WORKFLOW)), name


app = assemble()


def main() -> Any:
    """Entry point: every refusal is one sentence on standard error and its own exit code."""
    try:
        return app()
    except PatternlakeError as error:
        print(f"Refused: {error}", file=sys.stderr)
        return sys.exit(error.exit_code)
