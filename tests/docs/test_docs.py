"""What the pages say: every command exists with these options, every link leads somewhere, the reference is whole."""

from __future__ import annotations

import json
import pkgutil
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import typer

import lakehouse.sources
from experiments.cli import app
from experiments.manual import reference
from experiments.products.base import Audience
from experiments.products.pattern_kinds import kinds
from experiments.products.patterns import patterns
from experiments.run.definition import Job, load_job
from lakehouse.data_model import GOLD
from lakehouse.governance.output_gate.folder import KINDS, open_folder
from lakehouse.governance.output_gate.gate import judge
from lakehouse.governance.output_gate.limits_and_verdict import Limits
from lakehouse.governance.output_gate.reasons import Rule
from lakehouse.governance.suppression.disclosure import Thresholds

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [
        *ROOT.glob("docs/*.md"),
        *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY", "GLOSSARY")),
    ]
)
PAGES = [page for page in PAGES if page.name != "reference.md"]


def lines() -> Iterator[tuple[str, str]]:
    """Every command line of the pages, without comments and continuations."""
    for page in PAGES:
        for language, block in re.findall(r"```(\w*)\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
            if language in ("", "console"):
                for line in block.splitlines():
                    yield page.name, re.sub(r"\s{2,}#.*$", "", line).strip()


def ours() -> list[tuple[str, str]]:
    found = []
    for page, line in lines():
        inner = re.search(r"\$\((patternlake [^)|]*)", line)
        found += [(page, inner.group(1))] if inner else []
        found += [(page, line)] if line.startswith("patternlake ") else []
    return found


def parsed(line: str) -> dict[str, Any]:
    """A command line as the command itself reads it; nothing is run."""
    words = shlex.split(re.split(r" [|<>] ", line)[0])[1:]
    command: Any = typer.main.get_command(app)
    name, context = "patternlake", None
    while hasattr(command, "resolve_command"):
        context = command.make_context(name, list(words), parent=context)
        rest = [*getattr(context, "_protected_args", []), *context.args]
        name, command, words = command.resolve_command(context, rest)
    return dict(command.make_context(name, list(words), parent=context).params)


@pytest.mark.parametrize(("page", "line"), ours(), ids=lambda value: value[:60])
def test_every_command_of_the_pages_is_understood(page: str, line: str) -> None:
    assert parsed(line) is not None, page


def test_a_wrong_command_would_be_noticed() -> None:
    assert len(ours()) > 40
    for wrong in (
        "patternlake release ask x",
        "patternlake run mine_pairs --study a --sett b=1",
        "patternlake run",
    ):
        with pytest.raises(Exception, match=r"No such|Missing"):
            parsed(wrong)


def test_every_make_command_of_the_pages_is_in_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    asked = {line.split()[1] for _, line in lines() if line.startswith("make ")}
    asked |= {word for page in PAGES for word in re.findall(r"`make ([a-z-]+)", page.read_text("utf-8"))}
    assert asked and asked <= targets, asked - targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), target


def test_every_spark_submit_names_files_that_are_there() -> None:
    for page, line in lines():
        if line.startswith("spark-submit") and "..." not in line:
            words = shlex.split(line)
            for word in words:
                if word.startswith(("conf/", "jobs/")):
                    assert (ROOT / word).is_file(), (page, word)


def job_of(page: str, folder: Path, name: str) -> Job:
    """The job of a page's first block of Python, saved under a name as the page says."""
    block = re.search(r"```python\n(.*?)```", (ROOT / "docs" / page).read_text("utf-8"), re.DOTALL)
    assert block
    (folder / name).write_text(block.group(1), "utf-8")
    return load_job(folder / name)


def test_the_job_of_the_pages_is_one_and_declares_what_the_page_says(tmp_path: Path) -> None:
    shown = job_of("how-to-job.md", tmp_path, "mine_month.py")
    assert shown.name == "mine_month" and shown.question.startswith("Which events follow")
    assert [kind.name for kind in shown.gives] == [patterns("pair").name]
    assert set(shown.reads_for(shown.params())) == {"gold.timeline", "gold.vocabulary"}
    assert all(each.about for each in shown.described())
    same = (ROOT / "CONTRIBUTING.md").read_text("utf-8").split("```python\n", 1)[1].split("```", 1)[0]
    assert (tmp_path / "mine_month.py").read_text("utf-8") == same, "both pages show one job"


def test_the_product_of_the_pages_can_be_stored_read_and_released(tmp_path: Path) -> None:
    """Two small municipalities are left out, and a third with them, from which they could be worked out."""
    shown = job_of("how-to-product.md", tmp_path, "count_residents.py")
    (kind,) = shown.gives
    assert kind.audience is Audience.AGGREGATE and "nothing is tested" in kind.expects(7)
    assert set(shown.reads_for(shown.params())) == {"gold.person"}
    counts = {"461": 900, "410": 2, "479": 60, "480": 4, "420": 40}
    table = pa.table({"municipality": list(counts), "persons": list(counts.values())})
    made = shown.ask.__globals__["Residents"](table)
    made.write(tmp_path)
    stored = kind.read(tmp_path, made.name)
    assert stored.digest() == made.digest() and stored.kind == kind.name and stored.tests() is None
    checked = stored.check(Thresholds())
    folder = tmp_path / "checked"
    folder.mkdir()
    for name, write in checked.files.items():
        write(folder / name)
    (folder / "outputs.json").write_text(json.dumps(checked.described), "utf-8")
    opened = open_folder(folder, set())
    verdict = judge(opened.outputs, Limits())
    assert verdict.passed, verdict.findings
    told = [cell for part in checked.sections[0].parts for row in part.rows for cell in row]  # type: ignore[union-attr]
    assert told == ["479", "60", "461", "900"] and checked.record.cells_hidden == 3
    assert checked.metrics == {"municipalities": 2}


def test_described_outputs_are_of_kinds_the_gate_knows() -> None:
    block = re.search(r"```json\n(.*?)```", (ROOT / "docs/how-to-release.md").read_text("utf-8"), re.DOTALL)
    assert block
    described = json.loads(block.group(1))
    assert {about["kind"] for about in described.values()} == set(KINDS) - {"rows"}


def test_the_reference_is_whole() -> None:
    text = reference()
    wanted = (
        [f"`{name}`" for name in kinds()] + [f"`{name}`" for name in GOLD] + [rule.value for rule in Rule]
    )
    wanted += [each.name for each in pkgutil.iter_modules(lakehouse.sources.__path__)]
    wanted += [f"`{path.stem}`" for path in ROOT.glob("jobs/*.py")]
    wanted += ["`patternlake release approve`", "`--study`", "færre end k personer", "| 14 |"]
    assert [word for word in wanted if word not in text] == []


def glossary() -> list[list[str]]:
    """Rows of the glossary: terms, meaning, Danish words."""
    lines = (ROOT / "GLOSSARY.md").read_text("utf-8").splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]
    return [row for row in rows if row[0] != "term"]


def test_the_glossary_has_danish_words() -> None:
    text = (ROOT / "GLOSSARY.md").read_text("utf-8")
    for word in ("tilladelse", "frigivelse", "udgangskontrol", "logbog"):
        assert word in text
    without = [row[0] for row in glossary() if row[2] == "–"]
    assert len(without) < len(glossary()) / 20, "the Danish word, wherever there is one"


def test_the_glossary_explains_each_term_once_and_in_a_sentence() -> None:
    terms = [term for row in glossary() for term in row[0].split(", ")]
    assert len(terms) > 140 and sorted(terms) == sorted(set(terms))
    for term, meaning, _danish in glossary():
        assert meaning.endswith((".", ".*")) and len(meaning.split()) > 5, term


def test_the_glossary_names_files_that_are_there() -> None:
    named = re.findall(
        r"`((?:lakehouse|experiments|jobs|tests)/[^`]*)`", (ROOT / "GLOSSARY.md").read_text("utf-8")
    )
    assert len(named) > 3 and [path for path in named if not (ROOT / path).exists()] == []


def test_completion_is_offered_and_help_follows_the_work() -> None:
    from typer.testing import CliRunner

    helped = CliRunner().invoke(app, ["--help"]).output
    assert "--install-completion" in helped
    order = [helped.index(f"\n  {name} ") for name in ("demo", "ingest", "run", "release", "ledger")]
    assert order == sorted(order), "help follows the order of the work"


@pytest.mark.parametrize("path", sorted(ROOT.glob("jobs/*.py")), ids=lambda path: path.stem)
def test_what_can_be_set_is_listed_with_its_meaning(path: Path) -> None:
    from typer.testing import CliRunner

    asked = load_job(path)
    shown = CliRunner().invoke(app, ["jobs", path.stem]).output
    assert asked.question in shown
    for each in asked.described():
        assert each.about, f"{each.name} says not what it means"
        assert re.search(rf"\n  {each.name}={re.escape(str(each.default))} +{re.escape(each.about)}\n", shown)
