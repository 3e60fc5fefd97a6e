"""What every job file needs: ``@job`` turns a question into a command line, a study, an MLflow run and its checks."""

from __future__ import annotations

import argparse
import inspect
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from experiments.products.base import ProductKind
from experiments.products.patterns import patterns
from experiments.run.definition import Job, Question, Reads
from experiments.run.submission import own_stderr
from lakehouse.errors import PatternlakeError
from lakehouse.progress import Progress
from lakehouse.settings import load_settings

PAIRS = patterns("pair")


class RunnableJob(Job):
    """A job that can be run from a command line (``spark-submit jobs/<name>.py --study ID``)."""

    def main(self, arguments: Sequence[str] | None = None) -> None:
        """Run from a command line and exit with its code."""
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

    def run(self, arguments: argparse.Namespace) -> str:
        """Ask the question in the study; the id of the MLflow run, empty for a dry run."""
        from experiments.run.runner import dry_run, run_job

        settings = load_settings(arguments.lake, arguments.profile)
        definition = settings.read_definition("studies", arguments.study)
        given = definition.get("parameters", {}).get(self.name, {})
        earlier = None
        if arguments.replay:
            from experiments.run.replay import EarlierRun

            earlier = EarlierRun.of(settings, arguments.replay, arguments.study)
            given = earlier.receipt.get("params", {})
        params = self.parameters(given, arguments.set)
        progress = Progress(quiet=arguments.quiet or bool(os.environ.get("PATTERNLAKE_QUIET")))
        if arguments.dry_run:
            dry_run(self, settings, arguments.study, params, progress)
            return ""
        return run_job(self, settings, arguments.study, params, progress, began=time.time(), replay=earlier)


def job(
    *, use_case: str, reads: Reads, params: type, gives: ProductKind | Sequence[ProductKind] = PAIRS
) -> Callable[[Question], RunnableJob]:
    """Make a function ``(study, params) -> Findings`` a job; the file's docstring is its question.

    ``reads`` names the columns by table that the job reads, or is a function of the parameters that gives them;
    ``gives`` the kinds of product it hands over (``patterns("trajectory")``, ``INDICATORS``), patterns of ordered pairs
    unless said otherwise.
    """

    def wrap(ask: Question) -> RunnableJob:
        module = inspect.getmodule(ask)
        file = Path(inspect.getfile(ask))
        question = ((module.__doc__ if module else None) or ask.__doc__ or "").strip().split("\n\n")[0]
        kinds = (gives,) if isinstance(gives, ProductKind) else tuple(gives)
        return RunnableJob(file.stem, " ".join(question.split()), use_case, reads, params, ask, kinds)

    return wrap


__all__ = ["RunnableJob", "job"]
