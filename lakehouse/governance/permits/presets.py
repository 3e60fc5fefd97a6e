"""Permits to begin with, one for each Danish legal basis: what the basis demands is there to be filled in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from lakehouse.errors import UsageError


@dataclass(frozen=True)
class Preset:
    """A legal basis with what is typical of permits under it; ``lines`` are further TOML lines."""

    basis: str
    about: str
    authority: str
    purpose_code: str = "research"
    lines: tuple[str, ...] = ()
    timeline: bool = True


PRESETS: dict[str, Preset] = {
    "research-46-2": Preset(
        "46(2)",
        "Sundhedsloven § 46(2): record data for a concrete research project, by the regional council",
        "the regional council",
    ),
    "ethics-46-1": Preset(
        "46(1)",
        "Sundhedsloven § 46(1): a project that an ethics committee has permitted",
        "the ethics committee",
        lines=('ethics_id = ""', 'incidental_findings = ""'),
    ),
    "statistics-47": Preset(
        "47(1)", "Sundhedsloven § 47(1): statistics or planning", "the regional council", "statistics"
    ),
    "quality-42d": Preset(
        "42d",
        "Sundhedsloven § 42d: quality work of one site on its own last five years",
        "the management of the site",
        "quality",
        lines=("history_years = 5",),
        timeline=False,
    ),
    "consent-43": Preset("43", "Sundhedsloven § 43: with the patients' consent", "the patients"),
    "research-10": Preset(
        "10",
        "Databeskyttelsesloven § 10: research or statistics of substantial public importance",
        "the controller",
    ),
}


def preset_text(permit_id: str, name: str, today: date) -> str:
    """TOML of a permit to fill in; the linter says what is still missing. :class:`UsageError` for an unknown preset."""
    if name not in PRESETS:
        known = "\n".join(f"  {each}: {preset.about}" for each, preset in PRESETS.items())
        raise UsageError(f"There is no preset '{name}'.", "", f"Choose one of:\n{known}")
    preset = PRESETS[name]
    until = today + timedelta(days=2 * 365)
    lines = [
        f"# {preset.about}.",
        "# Material for a check, no legal advice. 'patternlake permit lint' says what is still missing.",
        f'permit_id = "{permit_id}"',
        "version = 1",
        'title = "What is asked, in one sentence"',
        f'legal_basis = "{preset.basis}"',
        f'authority = "{preset.authority}"',
        'case_number = ""',
        f"decision_date = {today}",
        f"valid_from = {today}",
        f"valid_to = {until}",
        f"delete_by = {until + timedelta(days=180)}",
        'controller = ""',
        'dpo = ""',
        "processors = []",
        'recipients = ["the research group"]',
        'countries = ["DK"]',
        'responsible = "Name, department"',
        'users = ["account"]',
        f'purpose = "{"Research" if preset.purpose_code == "research" else preset.purpose_code.capitalize()} on …"',
        f'purpose_code = "{preset.purpose_code}"',
        "exploratory = true",
        'public_interest = ""',
        'why_not_anonymous = ""',
        'population = "all"',
        'opt_outs = "opted-out.txt"',
        "min_cell = 5",
        'operations = ["mine"]',
        *preset.lines,
        "",
        "[period]",
        f"from = {today.year - 5}-01-01",
        f"to = {today.year - 1}-12-31",
        "",
        "[dpia]",
        'id = "DPIA number"',
        f"date = {today}",
        'residual_risk = "medium"',
        "",
    ]
    return "\n".join([*lines, *table_lines(preset)]) + "\n"


def table_lines(preset: Preset) -> list[str]:
    """TOML of the tables a permit usually grants."""
    rows = "rows = \"place = 'SOR code of the site'\"" if not preset.timeline else 'rows = "all"'
    lines = ['[tables."gold.event"]', 'direct = ["day", "domain", "code"]', 'join_only = ["person_id"]']
    lines += ['filter_only = ["place", "status"]', rows, 'why = "What happened, and when"']
    if preset.timeline:
        lines += ["", '[tables."gold.timeline"]']
        lines += [
            'direct = ["split", "sex", "birth_year", "first_day", "last_day", "code", "day", "setting"]'
        ]
        lines += ['why = "Order of events by sex and age"']
    lines += [
        "",
        '[tables."gold.vocabulary"]',
        'direct = ["code_id", "code", "domain", "code_system", "text", "level"]',
    ]
    return [*lines, 'why = "What the codes stand for"']
