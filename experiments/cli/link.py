"""``patternlake link``: persons found again without identifiers, and the alarm for sources that claim to be anonymous."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import pandas as pd

    from lakehouse.linking.model import Links

NAME = "link"
app = typer.Typer(no_args_is_help=True, help="Persons found again without identifiers.")
First = Annotated[Path, typer.Argument(help="CSV or Parquet with unique_id and the columns compared.")]
Second = Annotated[
    Path | None, typer.Argument(help="Second file; without it the first is linked with itself.")
]
Spec = Annotated[str, typer.Option("--spec", help="What is compared: danish, febrl, fake.")]
Target = Annotated[float, typer.Option("--precision", min=0.9, max=0.9999, help="Least expected precision.")]


@app.command("run")
def run(
    first: First,
    second: Second = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Parquet of links with their probability.")
    ] = None,
    spec: Spec = "danish",
    precision: Target = 0.98,
    truth: Annotated[str, typer.Option("--truth", help="Column that says who is whom, to judge by.")] = "",
    strata: Annotated[
        list[str] | None, typer.Option("--stratum", help="Column to judge by, repeatable.")
    ] = None,
    sample: Annotated[
        Path | None, typer.Option("--sample", help="CSV of pairs for a person to review.")
    ] = None,
) -> None:
    """Link, and stop below 98 % in any stratum that has enough pairs."""
    from lakehouse.linking import judge
    from lakehouse.private_files import write_private

    frames, links = linked(first, second, spec, precision)
    print(
        f"{len(links.pairs):,} links at {links.threshold:.3f} and above; expected precision "
        f"{links.expected_precision:.4f}, expected recall {links.expected_recall:.4f} of the pairs compared"
    )
    if sample is not None:
        write_private(sample, judge.clerical_sample(links).to_csv(index=False).encode())
        print(f"Review {sample}: write 1 or 0 into 'right', then run 'patternlake link review'.")
    if truth:
        judged = judge.by_truth(frames, links, truth, strata or [])
        for line in judged:
            print(line)
        judge.require(judged)
    if out is not None:
        links.pairs.to_parquet(out, index=False)
        print(out)


@app.command()
def review(sample: Annotated[Path, typer.Argument(help="The reviewed sample.")]) -> None:
    """Precision of a reviewed sample with its bound; stops below 98 %."""
    from lakehouse.linking import judge

    judged = judge.reviewed(table(sample))
    print(judged)
    judge.require([judged])


@app.command()
def alarm(first: First, second: Second = None, spec: Spec = "danish", precision: Target = 0.98) -> None:
    """Can a source that claims to be anonymous (first) be linked with persons (second)? Exit code 13 when it can."""
    from lakehouse.linking import judge

    frames, links = linked(first, second, spec, precision)
    print(f"{judge.alarm(links, len(frames[0])):.2%} of the records can be linked surely.")


def linked(first: Path, second: Path | None, spec: str, precision: float) -> tuple[list[pd.DataFrame], Links]:
    """The files, and their links.

    Raises :class:`UsageError` for an unknown ``spec``, :class:`DataError` for a file that is not there.
    """
    from lakehouse.errors import UsageError
    from lakehouse.linking.model import link
    from lakehouse.linking.specs import SPECS

    if spec not in SPECS:
        raise UsageError(f"There is no linkage '{spec}'.", "", f"Known: {', '.join(SPECS)}.")
    frames = [table(path) for path in (first, second) if path is not None]
    return frames, link(frames, SPECS[spec], precision)


def table(path: Path) -> pd.DataFrame:
    """A CSV or Parquet file as text columns.

    Raises :class:`DataError` where there is no such file.
    """
    import pandas as pd

    from lakehouse.errors import DataError

    if not path.is_file():
        raise DataError(f"There is no file {path}.", "", "Name a CSV or Parquet file.")
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, dtype=str)


@app.callback()
def group() -> None:
    """Persons found again without identifiers."""
