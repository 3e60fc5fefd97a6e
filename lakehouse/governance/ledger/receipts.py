"""The receipt of a run: one signed statement of what it was allowed to read, what it read, and what left."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lakehouse.errors import PermissionRefused
from lakehouse.governance.ledger.check import signed_by
from lakehouse.governance.ledger.ledger import entries, key_path
from lakehouse.governance.ledger.signing import key_at, public_key, sign
from lakehouse.settings import Settings

FORMAT = 1
OF_THE_SCOPE = ("study", "actor", "started", "ended", "assurance", "opt_outs", "reading", "commitment")
"""Facts of a scope record that a receipt takes over as they are."""
MOST_BYTES = 64 * 1024
MOST_WORDS = 400
"""Longest predicate or reason that stands in a receipt; the whole text is in the scope record it names."""


def canonical(receipt: Mapping[str, Any]) -> bytes:
    """The bytes a receipt is signed over."""
    content = {key: value for key, value in receipt.items() if key != "sig"}
    return (
        b"patternlake-receipt:"
        + json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    )


def receipt_hash(receipt: Mapping[str, Any]) -> str:
    """SHA-256 over the signed content."""
    return hashlib.sha256(canonical(receipt)).hexdigest()


def make(
    settings: Settings, scope: Mapping[str, Any], run: Mapping[str, Any], artefacts: Mapping[str, str]
) -> dict[str, Any]:
    """Signed receipt of a run: the scope's facts, those of the run (id, job, code, environment, parameters, result,
    release verdict), and the SHA-256 of every artefact. At most 64 KB: long lists are cut and say so.
    """
    content: dict[str, Any] = {
        "format": FORMAT,
        **run,
        **{name: scope.get(name, "") for name in OF_THE_SCOPE},
        "permit": dict(scope.get("permit", {})),
        "state": str(scope.get("state", "unaccounted")),
        "reads": [dict(read) for read in scope.get("reads", ())],
        "versions": dict(scope.get("versions", {})),
        "unused": list(scope.get("unused", ())),
        "denials": [denial["what"] for denial in scope.get("denials", ())],
        "reasons": list(scope.get("reasons", ())),
        "reconciliation": dict(scope.get("reconciliation", {})),
        "scope": str(scope.get("digest", "")),
        "artefacts": dict(sorted(artefacts.items())),
        "signer": "ledger",
    }
    shorten(content)
    content = json.loads(json.dumps(content))
    return {**content, "sig": sign(key_at(key_path(settings)), canonical(content))}


def shorten(content: dict[str, Any]) -> None:
    """Cut what grows with a job's queries until the receipt fits: first long texts, then long lists."""
    for read in content["reads"]:
        read["predicates"] = [cut(text) for text in read["predicates"]]
    content["denials"] = [cut(text) for text in content["denials"]]
    content["reasons"] = [cut(text) for text in content["reasons"]]
    for most in (50, 10, 1, 0):
        if len(json.dumps(content, ensure_ascii=False).encode()) <= MOST_BYTES - 1024:
            return
        for read in content["reads"]:
            read["predicates"] = some(read["predicates"], most)
        content["denials"] = some(content["denials"], most)
        content["reasons"] = some(content["reasons"], most)
        if len(content["artefacts"]) > 100 * max(most, 1):
            digest = hashlib.sha256(json.dumps(content["artefacts"], sort_keys=True).encode()).hexdigest()
            content["artefacts"] = {f"{len(content['artefacts'])} files": digest}


def cut(text: str) -> str:
    """A text at most ``MOST_WORDS`` long; what was cut is known by its hash."""
    if len(text) <= MOST_WORDS:
        return text
    return f"{text[:MOST_WORDS]}… (sha256 {hashlib.sha256(text.encode()).hexdigest()[:16]})"


def some(texts: list[str], most: int) -> list[str]:
    """The first few texts and how many more there were."""
    more = len(texts) - most
    return [*texts[:most], f"and {more} more"] if more > 0 else texts


def hashes(files: Iterable[Path], root: Path) -> dict[str, str]:
    """SHA-256 of files by their path under a folder."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)
    }


def faults(settings: Settings, receipt: Mapping[str, Any], folder: Path | None = None) -> list[str]:
    """Why a receipt is not valid, nothing when it is: signature, entry in the ledger, state, and the files it names.

    ``folder`` holds the artefacts the receipt names, as far as they are there.
    """
    told = []
    key = key_path(settings)
    if not key.is_file() or not signed_by(public_key(key), str(receipt.get("sig", "")), canonical(receipt)):
        return ["its signature does not hold"]
    digest = receipt_hash(receipt)
    if not any(
        entry["kind"] == "receipt" and entry["body"].get("receipt") == digest for entry in entries(settings)
    ):
        told.append("the ledger does not know it")
    if receipt.get("state") != "accounted":
        told.append(f"its reads are {receipt.get('state')}")
    if folder is not None:
        for name, expected in receipt.get("artefacts", {}).items():
            path = folder / name
            if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() != expected:
                told.append(f"{name} was changed after it was made")
    return told


def require(settings: Settings, receipt: Mapping[str, Any] | None, folder: Path | None = None) -> None:
    """Raise :class:`PermissionRefused` unless what is registered or released has a valid receipt."""
    told = ["there is none"] if receipt is None else faults(settings, receipt, folder)
    if told:
        raise PermissionRefused(
            f"The run has no valid receipt: {'; '.join(told)}.",
            "A model is registered, and a result released, only with proof of what it was made from.",
            "See 'patternlake scope show RUN', correct the job, and run it again.",
        )


def named(read: Mapping[str, Any], receipt: Mapping[str, Any]) -> str:
    """A read by its table, and apart where it was of an earlier version than the run was pinned to."""
    pinned = receipt.get("versions", {}).get(read["table"], read["version"])
    return str(read["table"]) if read["version"] == pinned else f"{read['table']} (earlier version)"


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """What two receipts do not have in common, one line a fact."""
    lines = []
    for name in (
        "study",
        "permit",
        "job",
        "code",
        "environment",
        "params",
        "seed",
        "opt_outs",
        "commitment",
        "state",
    ):
        if one.get(name) != other.get(name):
            lines.append(f"{name}: {one.get(name)} | {other.get(name)}")
    mine, theirs = ({named(read, each): read for read in each["reads"]} for each in (one, other))
    for table in sorted(mine.keys() | theirs.keys()):
        if table not in mine or table not in theirs:
            lines.append(
                f"{table}: {'not read' if table not in mine else 'read'} | {'read' if table in theirs else 'not read'}"
            )
            continue
        for fact in (
            "version",
            "persons",
            "rows",
            "columns_direct",
            "columns_filter",
            "columns_join",
            "predicates",
        ):
            if mine[table].get(fact) != theirs[table].get(fact):
                lines.append(f"{table} {fact}: {mine[table].get(fact)} | {theirs[table].get(fact)}")
    if one.get("result") != other.get("result"):
        lines.append(f"result: {one.get('result')} | {other.get('result')}")
    return lines or ["nothing"]
