"""Why an output may not leave, in English and in Danish: one rule, one pair of sentences."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Rule(StrEnum):
    """What a check of the output gate looks for."""

    SMALL_CELL = "small cell"
    MISSING_CATEGORY = "missing category"
    RECOVERABLE = "recoverable"
    CLASS = "class disclosure"
    DOMINANCE = "dominance"
    NO_EVIDENCE = "no evidence"
    EXTREME = "extreme"
    PERCENTILE = "percentile"
    FREEDOM = "degrees of freedom"
    SATURATED = "saturated"
    SURVIVAL = "survival step"
    ROUNDING = "rounding"
    UNROUNDED_RATE = "unrounded rate"
    SMALL_RATE = "small rate"
    PATTERN = "pattern inference"
    CERTAIN_RULE = "certain rule"
    SEQUENCE = "sequence inference"
    DIFFERENCING = "differencing"
    TRAINING_ROWS = "training rows"
    SMALL_LEAF = "small leaf"
    SMALL_CLUSTER = "small cluster"
    RARE_LABEL = "rare label"
    REAL_EXAMPLE = "real example"
    EMBEDDED_DATA = "embedded data"
    PSEUDONYM = "pseudonym"
    PERSONAL_NUMBER = "personal number"
    PAYLOAD = "encoded payload"
    PRECISION = "precision"
    FILE_TYPE = "file type"
    TOO_MANY_ROWS = "too many rows"
    SALAMI = "many small exports"
    MEMBERSHIP = "membership"
    UNREADABLE = "unreadable"
    SECOND_OPINION = "second opinion"


@dataclass(frozen=True)
class Reason:
    """One rule in the two languages of those who read it; ``{k}`` is the threshold that was passed over."""

    en: str
    da: str


REASONS: dict[Rule, Reason] = {
    Rule.SMALL_CELL: Reason(
        "A number stands for fewer than {k} persons.", "Et tal dækker færre end {k} personer."
    ),
    Rule.MISSING_CATEGORY: Reason(
        "The parts fall short of their total by fewer than {k} persons, so those left out can be counted.",
        "Delene mangler færre end {k} personer i forhold til totalen, så de udeladte kan tælles.",
    ),
    Rule.RECOVERABLE: Reason(
        "A hidden number can be worked out, to within {k} persons, from the numbers around it.",
        "Et skjult tal kan regnes ud inden for {k} personer fra tallene omkring det.",
    ),
    Rule.CLASS: Reason(
        "Everybody in a group is in the same category, so the category of each of them is known.",
        "Alle i en gruppe er i samme kategori, så kategorien er kendt for hver enkelt.",
    ),
    Rule.DOMINANCE: Reason(
        "One or two persons make up nearly all of a sum, so their own values can be estimated.",
        "En eller to personer udgør næsten hele summen, så deres egne værdier kan anslås.",
    ),
    Rule.NO_EVIDENCE: Reason(
        "The number of persons behind a figure is not given, so it cannot be judged.",
        "Antallet af personer bag et tal er ikke oplyst, så det kan ikke bedømmes.",
    ),
    Rule.EXTREME: Reason(
        "A smallest or largest value is some person's own value.",
        "En mindste eller største værdi er en bestemt persons værdi.",
    ),
    Rule.PERCENTILE: Reason(
        "Fewer than {k} persons lie beyond a percentile.",
        "Færre end {k} personer ligger uden for en percentil.",
    ),
    Rule.FREEDOM: Reason(
        "A model has fewer than {k} degrees of freedom left.",
        "En model har færre end {k} frihedsgrader tilbage.",
    ),
    Rule.SATURATED: Reason(
        "A model has a parameter for every group, so it only repeats the groups' own numbers.",
        "En model har en parameter for hver gruppe, så den gentager blot gruppernes egne tal.",
    ),
    Rule.SURVIVAL: Reason(
        "A step of a survival curve stands for fewer than {k} persons.",
        "Et trin i en overlevelseskurve dækker færre end {k} personer.",
    ),
    Rule.ROUNDING: Reason(
        "Numbers said to be rounded are not multiples of the rounding base.",
        "Tal, der angives som afrundede, er ikke multipla af afrundingen.",
    ),
    Rule.UNROUNDED_RATE: Reason(
        "A rate was made of the numbers before rounding, so the rounded ones can be sharpened with it.",
        "En rate er beregnet af tallene før afrunding, så de afrundede tal kan skærpes med den.",
    ),
    Rule.SMALL_RATE: Reason(
        "A rate and the number it belongs to show a group of fewer than {k} persons.",
        "En rate og det tal, den hører til, viser en gruppe på færre end {k} personer.",
    ),
    Rule.PATTERN: Reason(
        "Adding and subtracting the supports of several patterns gives a group of fewer than {k} persons.",
        "Ved at lægge antallene for flere mønstre sammen og trække fra fås en gruppe på færre end {k} personer.",
    ),
    Rule.CERTAIN_RULE: Reason(
        "A rule holds for everybody, so whoever is known to have its first part has the second.",
        "En regel gælder for alle, så den, der vides at have første del, har også anden del.",
    ),
    Rule.SEQUENCE: Reason(
        "Two sequences, one inside the other, differ by fewer than {k} persons.",
        "To forløb, det ene indeholdt i det andet, adskiller sig med færre end {k} personer.",
    ),
    Rule.DIFFERENCING: Reason(
        "Set against what was released before, the output shows a group of fewer than {k} persons.",
        "Sammenholdt med tidligere frigivelser viser resultatet en gruppe på færre end {k} personer.",
    ),
    Rule.TRAINING_ROWS: Reason(
        "A model holds rows of the persons it was trained on.",
        "En model indeholder rækker fra de personer, den er trænet på.",
    ),
    Rule.SMALL_LEAF: Reason(
        "A leaf of a tree stands for fewer than {k} persons.",
        "Et blad i et træ dækker færre end {k} personer.",
    ),
    Rule.SMALL_CLUSTER: Reason(
        "A cluster has fewer than {k} persons.", "En klynge har færre end {k} personer."
    ),
    Rule.RARE_LABEL: Reason(
        "A model names a category or an interval that fewer than {k} persons have.",
        "En model nævner en kategori eller et interval, som færre end {k} personer har.",
    ),
    Rule.REAL_EXAMPLE: Reason(
        "An input example is a row of a real person.", "Et eksempel på input er en rigtig persons række."
    ),
    Rule.EMBEDDED_DATA: Reason(
        "A page or picture carries more data than it shows.",
        "En side eller et billede bærer flere data, end det viser.",
    ),
    Rule.PSEUDONYM: Reason(
        "A name, tag, parameter or text holds what looks like a person's pseudonym.",
        "Et navn, et mærke, en parameter eller en tekst indeholder noget, der ligner en persons pseudonym.",
    ),
    Rule.PERSONAL_NUMBER: Reason(
        "A text holds what looks like a personal number.",
        "En tekst indeholder noget, der ligner et CPR-nummer.",
    ),
    Rule.PAYLOAD: Reason(
        "Something is packed into the output that no reader could read (encoded, compressed or hidden).",
        "Der er pakket noget ind i resultatet, som ingen læser kan læse (kodet, komprimeret eller skjult).",
    ),
    Rule.PRECISION: Reason(
        "Numbers have more digits than a result needs; the last ones can carry a message.",
        "Tal har flere cifre, end et resultat behøver; de sidste kan bære en besked.",
    ),
    Rule.FILE_TYPE: Reason(
        "This kind of file cannot be checked, or is not what its name says.",
        "Denne filtype kan ikke kontrolleres eller er ikke, hvad navnet siger.",
    ),
    Rule.TOO_MANY_ROWS: Reason(
        "The output has more rows than a result has; it may be a list of persons.",
        "Resultatet har flere rækker, end et resultat har; det kan være en liste over personer.",
    ),
    Rule.SALAMI: Reason(
        "The study has released too often in too short a time; small pieces can be put together.",
        "Studiet har frigivet for ofte på for kort tid; små stykker kan sættes sammen.",
    ),
    Rule.MEMBERSHIP: Reason(
        "From the model one can tell who was in its training data better than by chance.",
        "Ud fra modellen kan man se, hvem der var i træningsdata, bedre end ved tilfældigt gæt.",
    ),
    Rule.UNREADABLE: Reason(
        "The output could not be read, so it could not be judged.",
        "Resultatet kunne ikke læses og derfor ikke bedømmes.",
    ),
    Rule.SECOND_OPINION: Reason(
        "The second checker (acro) would not let this table out.",
        "Den anden kontrol (acro) ville ikke lade tabellen slippe ud.",
    ),
}
