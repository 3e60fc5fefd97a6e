"""Commands on the quarantine: what lies there and why, rows of it masked, and a replay after a rule was corrected."""

from __future__ import annotations

from typing import Annotated

import typer

from experiments.cli.common import Lake, settings_of

app = typer.Typer(no_args_is_help=True, help="Rows that broke a rule: look, correct the rule, replay.")
NAME = "quarantine"
TableName = Annotated[str, typer.Argument(help="Table, as 'list' names it.")]


@app.command("list")
def list_rows(lake: Lake = None) -> None:
    """Tables, reasons and rows in quarantine."""
    from lakehouse.delivery.register import entries
    from lakehouse.ingest.quarantine_replay import quarantined
    from lakehouse.lake import Lake as OpenLake
    from lakehouse.session import spark_session

    settings = settings_of(lake)
    spark = spark_session(settings, "patternlake quarantine")
    try:
        found = quarantined(entries(OpenLake(spark, settings)))
    finally:
        spark.stop()
    for table, reason, rows in found:
        print(f"{table:<28} {reason:<28} {rows:>12,}")
    print(f"{sum(rows for _, _, rows in found):,} rows in quarantine")


@app.command()
def show(
    table: TableName,
    reason: Annotated[str, typer.Option("--reason", help="Only rows with this reason.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, help="Rows at most.")] = 20,
    lake: Lake = None,
) -> None:
    """Rows in quarantine with their file, number and masked example."""
    from lakehouse.ingest.quarantine_replay import shown
    from lakehouse.lake import Lake as OpenLake
    from lakehouse.session import spark_session

    settings = settings_of(lake)
    spark = spark_session(settings, "patternlake quarantine")
    try:
        rows = shown(OpenLake(spark, settings), table, reason, limit)
    finally:
        spark.stop()
    for row in rows:
        print(f"{row['file']}:{row['row']}  {row['reason']}  {row['example']}")


@app.command()
def replay(table: TableName, lake: Lake = None) -> None:
    """Judge a table's bad rows by the declarations and code lists as they are now; good ones go on to gold."""
    from lakehouse.ingest.quarantine_replay import replay as judge_again
    from lakehouse.ingest.run import rebuild, writers_of
    from lakehouse.lake import Lake as OpenLake
    from lakehouse.progress import Progress
    from lakehouse.session import spark_session

    settings = settings_of(lake)
    progress = Progress()
    spark = spark_session(settings, "patternlake quarantine")
    try:
        done = judge_again(OpenLake(spark, settings), table, writers_of(spark))
        if done.let_through:
            rebuild(OpenLake(spark, settings), progress)
    finally:
        spark.stop()
    print(
        f"{table}: {done.looked_at:,} rows looked at, {done.let_through:,} let through, {done.still_refused:,} stay"
    )
