"""Every attack of group A from inside the sandbox of a sealed run; the suite outside judges what each of them got."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from lakehouse.session import spark_session
from lakehouse.settings import load_settings
from lakehouse.study.session import open_data
from tests.attacks.group_a import ATTACKS, World
from tests.attacks.lab import judged, tried

OUTSIDE = ("A30 permit expired in the middle", "A32 person opted out in the middle")
"""Judged by what the launcher does, since clock and list lie outside the sandbox."""


def main(gold: str, out: str) -> None:
    """Run the attacks; ``gold`` is the lake's folder as it is called outside."""
    settings = load_settings()
    spark = spark_session(settings)
    own = Path(out) / "own"
    own.mkdir()
    results = {}
    for name in ATTACKS:
        if name in OUTSIDE:
            continue
        study = open_data(spark, settings, "attack", actor="job")

        def swap() -> None:
            (settings.lake / "gold" / "vocabulary").rename(settings.lake / "gold" / "other")

        world = World(spark, study.table, Path(gold), own, study, swap)
        with study:
            got, error = tried(name, world)
        results[name] = judged(name, got, error, study.scope()).__dict__
        world.notes.get("undo", lambda: None)()
        print(name, results[name]["outcome"], file=sys.stderr, flush=True)
    (Path(out) / "results.json").write_text(json.dumps(results))
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
