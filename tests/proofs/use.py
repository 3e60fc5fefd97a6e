"""What a user meets: submitting to a cluster, and every documented command."""

from __future__ import annotations

from tests.proofs.figures import Figure, section, tests_pass


@section("submit")
def submit(seeds: int) -> list[Figure]:
    """Item 2: spark-submit from a foreign directory, on a local cluster and on a standalone master."""
    return [tests_pass("spark-submit with the zipped wheel", ["tests/e2e/test_submit.py"], "all pass")]


@section("tutorial")
def tutorial(seeds: int) -> list[Figure]:
    """The documentation, run as it stands."""
    selection = ["tests/docs", "tests/e2e/test_tutorial.py", "tests/browser"]
    return [tests_pass("every documented command, and the report in a real browser", selection, "all pass")]
