"""Kill an ingest at random moments, start it again, and compare every table with an undisturbed lake's.

``python -m tests.e2e.kill_ingest --times 20`` prints one line with the figure and exits with 1 when a table
differs. Half of the kills hit the whole process group, the other half the Python process alone, so that its
JVM is left behind and may still write.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lakehouse.identity.pseudonyms import root_key_file
from lakehouse.settings import load_settings
from tests.support.deliveries import contact, persons, write_delivery
from tests.support.delta_files import lake_rows

ROOT = Path(__file__).resolve().parents[2]
RUN = """
import sys, time
from pathlib import Path
from lakehouse.errors import DataError
from lakehouse.ingest.run import ingest
from lakehouse.session import spark_session
from lakehouse.lake import Lake
from lakehouse.settings import load_settings
settings = load_settings(sys.argv[1], "test")
spark = spark_session(settings)
print("ready", flush=True)
began = time.monotonic()
try:
    ingest(Lake(spark, settings), Path(sys.argv[2]))
    print("done", time.monotonic() - began, flush=True)
except DataError as refused:
    print("refused", refused.what, flush=True)
spark.stop()
"""
AGAIN = """
import sys
from pathlib import Path
from lakehouse.ingest.run import ingest
from lakehouse.session import spark_session
from lakehouse.lake import Lake
from lakehouse.settings import load_settings
spark = spark_session(load_settings(sys.argv[1], "test"))
for home in map(str.strip, sys.stdin):
    ingest(Lake(spark, load_settings(home, "test")), Path(sys.argv[2]))
    print("done", flush=True)
spark.stop()
"""
"""One process that ingests into one home after another: a started-again ingest without the start of a JVM."""


@dataclass(frozen=True)
class Outcome:
    """What the kills came to: how many hit a running ingest, and the tables that differed afterwards."""

    kills: int
    tables: int
    rows: int
    differing: tuple[str, ...]
    moments: tuple[float, ...]
    what: str = "kill -9"

    @property
    def line(self) -> str:
        """The figure beside its threshold."""
        verdict = "equal" if not self.differing else f"DIFFERENT: {', '.join(self.differing)}"
        when = "at once, {} times" if self.what == "two writers" else "at {} random moments of an ingest"
        return f"{self.what} {when.format(self.kills)}: {self.tables} tables, {self.rows} rows, {verdict}"


def delivery_of(root: Path, numbers: random.Random) -> Path:
    """A small delivery of six tables with good, bad and repeated rows, drawn anew."""
    people = [
        f"{numbers.randint(61, 88):02d}{numbers.randint(1, 12):02d}{numbers.randint(40, 99):02d}{number:04d}"
        for number in range(40)
    ]
    contacts, diagnoses, medicines, results = [], [], [], []
    for number in range(400):
        person, day = (
            numbers.choice(people),
            f"2020-{numbers.randint(1, 12):02d}-{numbers.randint(1, 29):02d}",
        )
        contacts.append(
            contact(f"4{number:06d}", person, f"{day} 08:00", f"{day} {numbers.randint(9, 23):02d}:00")
        )
        diagnoses.append(
            f"4{numbers.randint(0, 420):06d};D{numbers.choice('EIJKX')}{numbers.randint(10, 13)};A;;;;LPR3"
        )
        medicines.append(f"{person};{day};472094;C10AA0{numbers.randint(1, 7)};x;100;1;50,0;;;1415;;42,00")
        results.append(f"{person};{day};08:15:00;NPU27300;{numbers.randint(25, 60)};;mmol/mol;31;44;LAB1")
    return write_delivery(
        root,
        {
            "cpr/cpr3_t_person.csv": persons(
                *(f"{p};{numbers.choice('MK')};01;19{p[4:6]}-{p[2:4]}-01;;;;0101;" for p in people)
            ),
            "cpr/cpr3_dansk_ophold_periode.csv": [f"{person};1990-01-01;" for person in people],
            "lpr_f/kontakter.csv": contacts,
            "lpr_f/diagnoser.csv": diagnoses,
            "lmdb/lmdb_2020.csv": medicines,
            "lab/lab_forsker_2020.csv": results,
        },
    )


def start(home: Path, delivery: Path) -> subprocess.Popen[str]:
    """An ingest in a process group of its own, waited for until Spark is up."""
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(home), str(delivery)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=ROOT,
    )
    assert process.stdout is not None
    if process.stdout.readline() != "ready\n":
        raise RuntimeError(f"Spark did not start: {process.communicate()[1][-2000:]}")
    return process


@contextmanager
def finisher(home: Path, delivery: Path) -> Iterator[Callable[[Path], None]]:
    """What brings killed ingests to their end: another process, started once; call it with a home."""
    process = subprocess.Popen(
        [sys.executable, "-c", AGAIN, str(home), str(delivery)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=ROOT,
    )
    assert process.stdin is not None and process.stdout is not None
    given, told = process.stdin, process.stdout

    def again(target: Path) -> None:
        print(target, file=given, flush=True)
        if told.readline() != "done\n":
            raise RuntimeError("The ingest that was started again failed; its words are above.")

    try:
        yield again
    finally:
        given.close()
        process.wait(timeout=120)


def finish(process: subprocess.Popen[str]) -> float:
    """Wait for an ingest to end and return how long it took, in seconds."""
    out, error = process.communicate()
    if process.returncode != 0 or not out.startswith("done "):
        raise RuntimeError(f"The ingest failed: {error[-2000:]}")
    return float(out.split()[1])


def kill_after(process: subprocess.Popen[str], seconds: float, whole_group: bool) -> bool:
    """Kill -9 after so long; False when the ingest was done before. A JVM left behind is not waited for."""
    assert process.stdout is not None
    time.sleep(seconds)
    (os.killpg if whole_group else os.kill)(process.pid, signal.SIGKILL)
    process.wait()
    os.set_blocking(process.stdout.fileno(), False)
    try:
        told = os.read(process.stdout.fileno(), 1000)
    except BlockingIOError:
        told = b""
    return b"done" not in told


def new_homes(root: Path, key: bytes) -> Iterator[Path]:
    """Empty homes with one and the same key, so that equal identifiers give equal tokens."""
    for number in range(10_000):
        home = root / f"home-{number}"
        path = root_key_file(load_settings(home, "test"), create=True)
        path.write_bytes(key)
        yield home


def kill_and_compare(times: int, seed: int, folder: Path) -> Outcome:
    """Kill ``times`` running ingests, finish each, and compare its lake with an undisturbed one."""
    numbers = random.Random(seed)
    delivery = delivery_of(folder / "delivery", numbers)
    homes = new_homes(folder, numbers.randbytes(32))
    undisturbed = next(homes)
    lasts = finish(start(undisturbed, delivery))
    expected = lake_rows(undisturbed / "lake")
    differing: set[str] = set()
    moments: list[float] = []
    with finisher(folder / "finisher", delivery) as again:
        while len(moments) < times:
            home = next(homes)
            moment = numbers.uniform(0, lasts)
            if kill_after(start(home, delivery), moment, whole_group=numbers.random() < 0.5):
                moments.append(moment)
            again(home)
            found = lake_rows(home / "lake")
            differing |= {
                name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)
            }
            so_far = f"DIFFERENT: {sorted(differing)}" if differing else "equal"
            print(
                f"  killed after {moment:.1f} s, {len(moments)} of {times}, {so_far}",
                file=sys.stderr,
                flush=True,
            )
            shutil.rmtree(home)
    rows = sum(map(len, expected.values()))
    return Outcome(len(moments), len(expected), rows, tuple(sorted(differing)), tuple(moments))


def two_at_once(times: int, seed: int, folder: Path) -> Outcome:
    """Start two ingests into one lake, a random moment apart, and compare the lake with an undisturbed one.

    One of them may be refused, as another is writing; both may not, and whatever was done must be whole.
    """
    numbers = random.Random(seed)
    delivery = delivery_of(folder / "delivery", numbers)
    homes = new_homes(folder, numbers.randbytes(32))
    undisturbed = next(homes)
    lasts = finish(start(undisturbed, delivery))
    expected = lake_rows(undisturbed / "lake")
    differing: set[str] = set()
    moments: list[float] = []
    for number in range(times):
        home = next(homes)
        first, second = start(home, delivery), start(home, delivery)
        told = [process.communicate()[0].split(maxsplit=1) for process in (first, second)]
        ends = sorted(each[0] for each in told)
        if ends not in (["done", "done"], ["done", "refused"]):
            differing.add(f"ends {ends}")
        if any(each[0] == "refused" and "Another ingest is writing" not in each[1] for each in told):
            differing.add("refused for another reason")
        found = lake_rows(home / "lake")
        differing |= {
            name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)
        }
        moments.append(lasts)
        print(f"  two at once: {', '.join(ends)}, {number + 1} of {times}", file=sys.stderr, flush=True)
        shutil.rmtree(home)
    rows = sum(map(len, expected.values()))
    return Outcome(len(moments), len(expected), rows, tuple(sorted(differing)), tuple(moments), "two writers")


def main() -> int:
    """Command line: print the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--two", type=int, default=0, help="Instead, start two ingests at once so many times."
    )
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = two_at_once if arguments.two else kill_and_compare
        outcome = work(arguments.two or arguments.times, arguments.seed, Path(folder))
    print(f"{outcome.line} (seed {arguments.seed})")
    return 1 if outcome.differing else 0


if __name__ == "__main__":
    sys.exit(main())
