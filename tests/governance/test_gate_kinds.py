"""Every kind of pattern at the output gate: what a run of it publishes passes, a small count in it does not."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from experiments.products.pattern_kinds import kinds
from experiments.products.patterns import Patterns
from lakehouse.governance.output_gate.folder import open_folder
from lakehouse.governance.output_gate.gate import judge
from lakehouse.governance.output_gate.limits_and_verdict import Limits
from lakehouse.governance.output_gate.reasons import Rule
from lakehouse.governance.release.files import copied
from tests.spec.test_kinds import made_up
from tests.support.checked_folders import checked_folder
from tests.support.pattern_tables import code_names, meta, scope_like


@pytest.mark.parametrize("name", sorted(set(kinds()) - {"pair"}))
def test_what_a_run_of_the_kind_publishes__passes_and_a_small_count_does_not(
    name: str, tmp_path: Path
) -> None:
    codes, texts = code_names(20)
    raw = Patterns.from_scan(made_up(name), codes, texts, meta(job="j"), kind=name)
    source = checked_folder(raw, tmp_path)
    honest = {scope_like()["digest"]}
    copied(source, tmp_path / "copy", 6)
    record = judge(open_folder(tmp_path / "copy", honest).outputs, Limits())
    assert record.passed, record.describe()
    path = tmp_path / "copy" / "patterns.parquet"
    table = pq.read_table(path)
    column = next(one for one in raw.form.person_counts if table.column(one).null_count < table.num_rows)
    few = pa.array([3] * table.num_rows, table.schema.field(column).type)
    path.chmod(0o600)
    pq.write_table(table.set_column(table.column_names.index(column), table.schema.field(column), few), path)
    assert Rule.SMALL_CELL in judge(open_folder(tmp_path / "copy", honest).outputs, Limits()).rules
