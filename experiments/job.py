"""What every job shares: its command line, its study, its MLflow run, its checks; a job file holds only the question."""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import inspect
import io
import os
import sys
import textwrap
import time
import tokenize
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lakehouse.errors import PatternlakeError, UsageError
from lakehouse.progress import Progress
from lakehouse.settings import Settings, load_settings

if TYPE_CHECKING:
    from experiments.findings import Findings
    from lakehouse.study import Study

Question = Callable[["Study", Any], "Findings"]


class Parameter(NamedTuple):
    """What a researcher may turn: name, default, what it means."""

    name: str
    default: Any
    about: str


@dataclass(frozen=True)
class Job:
    """One question with its parameters, and how to ask it.

    ``reads`` names every table and column the job will touch, so that a dry run can hold them against the
    permit before any data is read; ``kind`` is the kind of pattern it gives (``experiments.kinds``).
    """

    name: str
    question: str
    use_case: str
    reads: Mapping[str, Sequence[str]]
    params: type
    ask: Question
    kind: str = "pair"

    def main(self, arguments: Sequence[str] | None = None) -> None:
        """Run from a command line (``spark-submit jobs/<name>.py --study ID``) and exit with its code."""
        code = 0
        own_stderr()
        try:
            self.run(self.parse(arguments))
        except PatternlakeError as error:
            print(f"Refused: {error}", file=sys.stderr)
            code = error.exit_code
        sys.stdout.flush()
        sys.stderr.flush()
        if code:
            sys.exit(code)

    def parse(self, arguments: Sequence[str] | None = None) -> argparse.Namespace:
        """The command line of every job."""
        parser = argparse.ArgumentParser(prog=f"{self.name}.py", description=self.question)
        parser.add_argument("--study", required=True, help="study to run in")
        parser.add_argument(
            "--set", action="append", default=[], metavar="KEY=VALUE", help=self.describe_params()
        )
        parser.add_argument(
            "--lake", type=Path, help="home folder (default: PATTERNLAKE_HOME, else the profile's)"
        )
        parser.add_argument(
            "--profile", help="profile in conf/profiles (default: PATTERNLAKE_PROFILE, else local)"
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="show what would be read and tested; read nothing"
        )
        parser.add_argument(
            "--replay", metavar="RUN", help="repeat a run from its receipt; same result or exit 14"
        )
        parser.add_argument("--quiet", action="store_true", help="no progress")
        return parser.parse_args(arguments)

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
        """Parameters from the defaults, the study file and ``--set``, in rising order."""
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

    def run(self, arguments: argparse.Namespace) -> str:
        """Ask the question in the study; the id of the MLflow run."""
        from experiments.runner import dry_run, run_job

        settings = load_settings(arguments.lake, arguments.profile)
        definition = settings.read_definition("studies", arguments.study)
        given = definition.get("parameters", {}).get(self.name, {})
        earlier = None
        if arguments.replay:
            from experiments.replay import Earlier

            earlier = Earlier.of(settings, arguments.replay, arguments.study)
            given = earlier.receipt.get("params", {})
        params = self.parameters(given, arguments.set)
        progress = Progress(quiet=arguments.quiet or bool(os.environ.get("PATTERNLAKE_QUIET")))
        if arguments.dry_run:
            dry_run(self, settings, arguments.study, params, progress)
            return ""
        return run_job(self, settings, arguments.study, params, progress, began=time.time(), replay=earlier)


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
    """The job in a file, without running it."""
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


def own_stderr() -> None:
    """Write standard error to the pipe ``patternlake run`` listens on, where it started this job.

    ``spark-submit`` joins a Python program's standard error to its standard output, so progress would end up
    among the results.
    """
    pipe = os.environ.get("PATTERNLAKE_STDERR")
    if pipe and Path(pipe).is_fifo():
        sys.stderr.flush()
        end = os.open(pipe, os.O_WRONLY)
        os.dup2(end, 2)
        os.close(end)


def job(
    *, use_case: str, reads: Mapping[str, Sequence[str]], params: type, kind: str = "pair"
) -> Callable[[Question], Job]:
    """Make a function ``(study, params) -> Findings`` a job; the file's docstring is its question."""

    def wrap(ask: Question) -> Job:
        module = inspect.getmodule(ask)
        file = Path(inspect.getfile(ask))
        question = ((module.__doc__ if module else None) or ask.__doc__ or "").strip().split("\n\n")[0]
        return Job(file.stem, " ".join(question.split()), use_case, reads, params, ask, kind)

    return wrap


__all__ = ["Job", "Settings", "job"]
