"""A job as its file defines it: the question, its parameters, what it reads; it knows no runner."""

from __future__ import annotations

import dataclasses
import importlib.util
import inspect
import io
import sys
import textwrap
import tokenize
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lakehouse.errors import UsageError

if TYPE_CHECKING:
    from experiments.findings import Findings
    from experiments.products.base import ProductKind
    from lakehouse.study.session import Study

Question = Callable[["Study", Any], "Findings"]
Grants = Mapping[str, Sequence[str]]
"""Columns by table."""
Reads = Grants | Callable[[Any], Grants]
"""Columns by table that a job reads, or a function of its parameters that gives them."""


class Parameter(NamedTuple):
    """What a researcher may set: name, default, what it means."""

    name: str
    default: Any
    about: str


@dataclass(frozen=True)
class Job:
    """One question with its parameters, and how to ask it.

    ``reads`` names every table and column the job will touch, also as a function of the parameters, so that a dry
    run can hold them against the permit before any data is read; ``gives`` names the kinds of product it may hand over.
    """

    name: str
    question: str
    use_case: str
    reads: Reads
    params: type
    ask: Question
    gives: tuple[ProductKind, ...]

    def reads_for(self, params: Any) -> Grants:
        """Columns by table that the job reads when it is run with ``params``."""
        return self.reads(params) if callable(self.reads) else self.reads

    def reads_more(self) -> dict[str, Grants]:
        """By parameter that is off by default, the columns that turning it on adds to what is read."""
        default = self.params()
        plain = self.reads_for(default)
        found: dict[str, Grants] = {}
        for field in dataclasses.fields(self.params):
            if getattr(default, field.name) is False:
                more = self.reads_for(dataclasses.replace(default, **{field.name: True}))
                added = {
                    table: [column for column in columns if column not in plain.get(table, ())]
                    for table, columns in more.items()
                }
                if any(added.values()):
                    found[field.name] = {table: columns for table, columns in added.items() if columns}
        return found

    def described(self) -> list[Parameter]:
        """Every parameter, with the remark that stands behind it in the job's file."""
        meaning = remarks_behind(inspect.getsource(self.params))
        return [
            Parameter(field.name, field.default, meaning.get(field.name, ""))
            for field in dataclasses.fields(self.params)
        ]

    def describe_params(self) -> str:
        """Names and defaults of the parameters, for ``--help``."""
        fields = dataclasses.fields(self.params)
        return "parameter: " + ", ".join(f"{field.name}={field.default}" for field in fields)

    def parameters(self, given: Mapping[str, Any], assignments: Sequence[str]) -> Any:
        """Parameters from the defaults, the study file (``given``) and ``--set`` (``assignments``), in rising order.

        Raises :class:`UsageError` for a parameter the job does not have, or a value of another type.
        """
        types = {field.name: type(field.default) for field in dataclasses.fields(self.params)}
        values: dict[str, Any] = {}
        for name, value in given.items():
            values[name] = self._typed(types, name, value)
        for assignment in assignments:
            name, separator, value = assignment.partition("=")
            if not separator:
                raise UsageError(f"--set {assignment} has no value.", "", "Write --set key=value.")
            values[name] = self._typed(types, name, value)
        return self.params(**values)

    def _typed(self, types: Mapping[str, type], name: str, value: Any) -> Any:
        if name not in types:
            raise UsageError(
                f"{self.name} has no parameter '{name}'.",
                "",
                f"It has: {', '.join(sorted(types)) or 'none'}.",
            )
        try:
            if types[name] is bool and isinstance(value, str):
                return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[
                    value.lower()
                ]
            return types[name](value)
        except (KeyError, ValueError) as error:
            raise UsageError(
                f"'{value}' is no {types[name].__name__}.", f"'{name}' needs one.", ""
            ) from error


def remarks_behind(source: str) -> dict[str, str]:
    """By the first name of a line of Python, the remark at its end."""
    found: dict[str, str] = {}
    first = ""
    for token in tokenize.generate_tokens(io.StringIO(textwrap.dedent(source)).readline):
        if token.type == tokenize.COMMENT and first:
            found[first] = token.string.lstrip("# ")
        elif token.type in (tokenize.NEWLINE, tokenize.NL):
            first = ""
        elif token.type == tokenize.NAME and not first:
            first = token.string
    return found


def load_job(file: Path) -> Job:
    """The job in a file, without running it; :class:`UsageError` where the file holds none."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise UsageError(f"{file} is no Python file.", "", "")
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(file.stem, module)
    spec.loader.exec_module(module)
    found = [value for value in vars(module).values() if isinstance(value, Job)]
    if not found:
        raise UsageError(f"{file} holds no job.", "A job is a function under @job.", "See CONTRIBUTING.md.")
    return found[0]
