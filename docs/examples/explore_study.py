"""Explore a study with pandas on Spark: which events it holds, in how many persons. Every read is recorded in an MLflow run.

    python docs/examples/explore_study.py demo

Groups of fewer than five persons are left out before anything is printed, as in everything that may be shown.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from experiments import open_study

if TYPE_CHECKING:
    from lakehouse.study.session import Study

FEWEST = 5
"""The smallest group of persons that may be shown."""


def persons_by_domain(study: Study) -> Any:
    """Persons and events by kind of event."""
    events = study.pandas("gold.event", ["person_id", "domain"])
    found = events.groupby("domain").agg({"person_id": ["nunique", "count"]})
    found.columns = ["persons", "events"]
    return found[found["persons"] >= FEWEST].sort_values("persons", ascending=False)


def ages(study: Study) -> Any:
    """Persons by sex and decade of birth."""
    persons = study.pandas("gold.person", ["person_id", "sex", "birth_year"])
    persons["decade"] = persons["birth_year"] // 10 * 10
    found = persons.groupby(["sex", "decade"])["person_id"].nunique().rename("persons")
    return found[found >= FEWEST].sort_index()


def busiest_codes(study: Study, most: int = 10) -> Any:
    """The codes that most persons have, and their share of all persons with any code."""
    events = study.pandas("gold.event", ["person_id", "code"])
    everybody = events["person_id"].nunique()
    found = events.groupby("code")["person_id"].nunique().rename("persons").to_frame()
    found["share"] = (found["persons"] / everybody).round(3)
    return found[found["persons"] >= FEWEST].nlargest(most, "persons")


def main(study_id: str) -> None:
    """Print three tables about a study."""
    with open_study(
        study_id, question="Which events does this study hold, and in how many persons?"
    ) as study:
        for question in (persons_by_domain, ages, busiest_codes):
            print(f"\n{question.__doc__}\n{question(study).to_string()}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
