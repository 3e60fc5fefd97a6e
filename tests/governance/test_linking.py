"""Linking without identifiers: the promised figures on two public sets and on made-up Danes; and when it stops."""

from __future__ import annotations

import math
import secrets
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("splink", reason="the extra 'linking' is not installed")

from experiments.cli.link import app
from lakehouse.errors import DataError, DisclosureRefused
from lakehouse.linking import judge
from lakehouse.linking.judge import Agreement, pairs_within, wilson
from lakehouse.linking.model import Links, link, threshold_for
from lakehouse.linking.specs import DANISH, FAKE, FEBRL, folded
from lakehouse.synthetic.identities import Registers, two_registers


@pytest.fixture(scope="module")
def danes() -> tuple[Registers, Links]:
    registers = two_registers(6000, secrets.randbits(31))
    return registers, link([registers.first, registers.second], DANISH)


def test_danes_are_linked_well_enough_in_every_stratum(danes: tuple[Registers, Links]) -> None:
    registers, links = danes
    pairs = zip(links.pairs["id_l"], links.pairs["id_r"], strict=True)
    judged = judge.judge(pairs, registers.truth, registers.strata)
    print(*judged, sep="\n")
    judge.require(judged)
    assert sum(each.judgeable for each in judged) >= 4


def test_every_link_carries_its_probability(danes: tuple[Registers, Links]) -> None:
    _, links = danes
    assert links.pairs["probability"].between(links.threshold, 1).all()
    assert links.expected_precision >= 0.98
    assert not links.pairs["id_l"].duplicated().any()
    assert not links.pairs["id_r"].duplicated().any()


def test_poor_data_stops_and_says_which_stratum() -> None:
    registers = two_registers(3000, 11, errors=4.0)
    later = registers.second
    women = later["sex"] == "F"
    later.loc[women & (later.index % 5 == 0), ["street", "given_name", "postcode", "birth_date"]] = None
    links = link([registers.first, later], DANISH)
    pairs = zip(links.pairs["id_l"], links.pairs["id_r"], strict=True)
    with pytest.raises(DataError, match=r"falls short of 98% in: overall, .*sex F"):
        judge.require(judge.judge(pairs, registers.truth, registers.strata))


def test_the_alarm_rings_for_a_source_with_people_in_it(danes: tuple[Registers, Links]) -> None:
    registers, links = danes
    with pytest.raises(DisclosureRefused, match="can be linked to persons"):
        judge.alarm(links, len(registers.first))
    nobody = Links(links.pairs.head(3), links.groups, links.threshold, 1.0, 1.0)
    assert judge.alarm(nobody, len(registers.first)) < 0.01


def test_a_sample_for_review_and_its_verdict(danes: tuple[Registers, Links]) -> None:
    sample = judge.clerical_sample(danes[1])
    assert len(sample) == 800
    with pytest.raises(DataError, match="not reviewed"):
        judge.reviewed(sample)
    judge.require([judge.reviewed(sample.assign(right=1))])
    with pytest.raises(DataError, match="overall, reviewed"):
        judge.require([judge.reviewed(sample.assign(right=[1] * 780 + [0] * 20))])


def test_the_command_links_judges_and_refuses(danes: tuple[Registers, Links], tmp_path: Path) -> None:
    from typer.testing import CliRunner

    registers, _ = danes
    for name, frame in (("a", registers.first), ("b", registers.second)):
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    files = [str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]
    out = tmp_path / "links.parquet"
    ran = CliRunner().invoke(app, ["run", *files, "--truth", "person", "--stratum", "sex", "--out", str(out)])
    assert ran.exit_code == 0, ran.output
    assert "overall" in ran.output and "sex F" in ran.output
    assert {"id_l", "id_r", "probability", "weight"} == set(pd.read_parquet(out).columns)
    rang = CliRunner().invoke(app, ["alarm", *files])
    assert isinstance(rang.exception, DisclosureRefused)


def test_missing_columns_and_repeated_ids_are_refused() -> None:
    frame = two_registers(50, 1).first
    with pytest.raises(DataError, match="lacks street"):
        link([frame.drop(columns="street")], DANISH)
    with pytest.raises(DataError, match="empty or repeated"):
        link([frame.assign(unique_id="x")], DANISH)


def test_febrl3(foreign_data: Path) -> None:
    frame = pd.read_csv(foreign_data / "linkage" / "febrl3.csv.gz", skipinitialspace=True, dtype=str)
    frame = frame.rename(columns=str.strip).rename(columns={"rec_id": "unique_id"})
    frame["unique_id"] = frame["unique_id"].str.strip()
    frame["truth"] = frame["unique_id"].str.extract(r"rec-(\d+)")[0]
    links = link([frame], FEBRL)
    whole = judge.judge(pairs_within(links.groups, "group"), pairs_within(frame, "truth"), {})[0]
    print(whole)
    assert whole.true == 6538
    assert whole.precision >= 0.999
    assert whole.recall >= 0.994


def test_fake_1000(foreign_data: Path) -> None:
    frame = pd.read_csv(foreign_data / "linkage" / "fake_1000.csv.gz", dtype=str)
    links = link([frame], FAKE)
    whole = judge.judge(pairs_within(links.groups, "group"), pairs_within(frame, "cluster"), {})[0]
    print(whole)
    assert whole.true == 2031
    assert whole.precision >= 0.999
    assert whole.recall >= 0.78


@pytest.mark.parametrize(
    ("one", "other"),
    [("Sørensen", "Soerensson"), ("Aagaard", "Ågård"), ("Christian", "Kristian"), ("Møller", "Moeller")],
)
def test_spellings_of_one_name_are_one(one: str, other: str) -> None:
    assert folded(one) == folded(other)
    assert folded(one) != folded("Hansen")


@given(st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_bounds_solve_their_equation(counts: tuple[int, int]) -> None:
    hits, of = counts
    low, high = wilson(hits, of)
    share, z = hits / of, 1.959963984540054
    for bound in (low, high):
        if 1e-12 < bound < 1 - 1e-12:
            assert math.isclose(
                abs(share - bound), z * math.sqrt(bound * (1 - bound) / of), rel_tol=1e-6, abs_tol=1e-9
            )
    assert low - 1e-12 <= share <= high + 1e-12


def test_wilson_as_textbooks_give_it() -> None:
    assert round(wilson(792, 800)[0], 4) == 0.9804
    assert Agreement("x", 800, 800, 792).good
    assert not Agreement("x", 600, 600, 594).good


@given(st.lists(st.floats(0.001, 1), min_size=1, max_size=50), st.floats(0.5, 0.999))
def test_the_threshold_is_the_lowest_that_holds(chances: list[float], target: float) -> None:
    chances = sorted(chances, reverse=True)
    fitting = [
        n
        for n in range(1, len(chances) + 1)
        if sum(chances[:n]) / n >= target + 1e-9 and chances[n - 1] >= 0.5
    ]
    if not fitting:
        return
    import numpy as np

    threshold, precision, _ = threshold_for(np.array(chances), target)
    assert threshold <= chances[fitting[-1] - 1]
    assert precision >= target - 1e-9
