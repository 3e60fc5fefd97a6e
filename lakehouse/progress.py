"""Progress on standard error: one line a step, with tasks done, time gone and time left; never on standard output."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

POLL_SECONDS = 0.5
"""How often Spark's status is asked for."""


class Progress:
    """Shows steps as they run.

    On a terminal the line of the running step is rewritten; elsewhere (a log file, CI) each finished step is
    one line. Call it as ``progress(step, done, total)`` from plain code, or use :meth:`watch` around work
    that Spark does. ``quiet`` shows nothing.
    """

    def __init__(self, stream: TextIO | None = None, *, quiet: bool = False) -> None:
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._terminal = self._stream.isatty() or bool(os.environ.get("PATTERNLAKE_TERMINAL"))
        self._step, self._began = "", time.monotonic()

    def __call__(self, step: str, done: int = 0, total: int = 0) -> None:
        """Report that ``done`` of ``total`` units of ``step`` are finished (0 of 0: unknown)."""
        now = time.monotonic()
        if step != self._step:
            self._step, self._began = step, now
        gone = now - self._began
        finished = total > 0 and done >= total
        text = f"  {step}"
        if total and not finished:
            left = f", about {gone / done * (total - done):.0f} s left" if done and gone > 1 else ""
            text += f"  {done}/{total}{left}"
        if gone >= 0.1:
            text += f"  {gone:.1f} s"
        self._show(text, last=finished)
        if finished:
            self._step = ""

    def note(self, text: str) -> None:
        """One finished line."""
        self._show(f"  {text}", last=True)

    @contextmanager
    def watch(self, step: str, spark: SparkSession | None = None) -> Iterator[None]:
        """Show ``step`` while the block runs, with Spark's tasks counted when a session is given."""
        stop = threading.Event()
        began = time.monotonic()
        thread = threading.Thread(target=self._poll, args=(step, spark, stop), daemon=True)
        self(step)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(timeout=2)
            self._step = ""
            self._show(f"  {step}  {time.monotonic() - began:.1f} s", last=True)

    def _poll(self, step: str, spark: SparkSession | None, stop: threading.Event) -> None:
        while not stop.wait(POLL_SECONDS):
            done = total = 0
            if spark is not None:
                try:
                    done, total = running_tasks(spark)
                except Exception:
                    return
            if done < total or not total:
                self(step, done, total)

    def _show(self, text: str, *, last: bool) -> None:
        if self._quiet or not (last or self._terminal):
            return
        line = f"\r\x1b[2K{text}" if self._terminal else text
        self._stream.write(line + ("\n" if last else ""))
        self._stream.flush()


def running_tasks(spark: SparkSession) -> tuple[int, int]:
    """Tasks done and tasks in all of the stages that run now."""
    tracker = spark.sparkContext.statusTracker()
    done = total = 0
    for stage in tracker.getActiveStageIds():
        if info := tracker.getStageInfo(stage):
            done, total = done + info.numCompletedTasks, total + info.numTasks
    return done, total


_CURRENT: ContextVar[Progress | None] = ContextVar("progress", default=None)


def current() -> Progress:
    """The progress of the job that runs; a silent one where nobody set it (a notebook, a test)."""
    return _CURRENT.get() or Progress(quiet=True)


def show_on(progress: Progress) -> None:
    """Make ``progress`` the one that :func:`current` gives from here on."""
    _CURRENT.set(progress)
