"""The folder that leaves: data, the counts behind it, thresholds, scope receipt, hashes and two signatures.

Whoever receives it can check it without the platform's data: :func:`verify` needs the folder and, to know the two
signers, their public keys.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

from lakehouse.errors import DisclosureRefused, UsageError
from lakehouse.governance.approvals import signatories
from lakehouse.governance.ledger import ledger
from lakehouse.governance.output_gate.folder import open_folder
from lakehouse.governance.output_gate.memory import Memory
from lakehouse.governance.release.files import digests_of, leaving, sha256_file
from lakehouse.governance.release.requests import (
    APPROVED,
    RELEASED,
    WITHDRAWN,
    approved,
    canonical,
    digest,
    folder_of,
    gate_of,
    load,
    now,
    persons_of,
    state,
    state_is,
    whom_of,
)  # fmt: skip
from lakehouse.private_files import write_private
from lakehouse.settings import Settings

RECORD = "release.json"


def export(settings: Settings, release: str, out: Path) -> Path:
    """Write an approved release to ``out``/<id>; whole or not at all, and only once it stands in the ledger.

    Everything is checked again first: signatures, ledger, every file's hash, and the gate, since another release
    may have left in the meantime.
    """
    asked = load(settings, release)
    state_is(settings, asked.id, APPROVED, RELEASED)
    word = approved(settings, asked)
    first = state(settings, asked.id) == APPROVED
    place = folder_of(settings, asked.id)
    target = out / asked.id
    if target.exists():
        raise UsageError(
            f"{target} is there already.", "A release is not written over.", "Name another folder."
        )
    record = gate_of(settings, asked) if first else None
    if record:
        record.require()
    known = signatories.signatories(settings)
    people = {name: known[name].key for name in (asked.requester, word["reviewer"])}
    names = leaving(dict(asked.files))
    content: dict[str, Any] = {
        "release": asked.id, "request": json.loads(asked.text), "review": word, "keys": people, "exported": now(),
        "files": {name: asked.files[name] for name in names}, "scope": sha256_file(place / "scope.json"),
        "signatures": {part: (place / f"{part}.sig").read_text() for part in ("request", "review")},
        "limits": json.loads((place / "gate.json").read_bytes())["limits"],
        "rehearsal": asked.lake != "real",
    }  # fmt: skip
    temporary = out / f".{asked.id}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    for name in names:
        to = temporary / "files" / name
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(place / "files" / name, to)
    shutil.copyfile(place / "scope.json", temporary / "scope.json")
    write_private(
        temporary / RECORD, json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False).encode()
    )
    write_private(temporary / "README.txt", _readme(content).encode())
    if digests_of(temporary / "files") != content["files"]:
        shutil.rmtree(temporary)
        raise DisclosureRefused(f"{asked.id} changed while it was copied.", "", "Make a new request.")
    if first:
        opened = open_folder(place / "files")
        memory = Memory.of(settings)
        memory.remember(
            asked.id, asked.study, opened.counts, persons_of(settings, memory, asked),
            whom=whom_of(settings, asked), sized=False,
        )  # fmt: skip
        body = {"release": asked.id, "run": asked.run, "study": asked.study, "record": digest(canonical(content["files"])),
                "to": asked.recipient}  # fmt: skip
        ledger.append(settings, "release", body)
    temporary.replace(target)
    return target


def verify(folder: Path, settings: Settings | None = None, trusted: Collection[str] = ()) -> str:
    """One sentence when an exported folder is what two persons signed; :class:`DisclosureRefused` when it is not.

    With ``settings`` the keys must be in this platform's register and the release must stand in its ledger, not
    withdrawn; else ``trusted`` may name public keys (hex).
    """
    record = folder / RECORD
    if not record.is_file():
        raise _not_sound(folder, f"there is no {RECORD}")
    content = json.loads(record.read_text(encoding="utf-8"))
    asked, word, keys = content["request"], content["review"], content["keys"]
    found = digests_of(folder / "files")
    if found != content["files"] or sha256_file(folder / "scope.json") != content["scope"]:
        differ = sorted(n for n in {*found, *content["files"]} if found.get(n) != content["files"].get(n))
        raise _not_sound(folder, f"{', '.join(differ) or 'scope.json'} is not what was signed")
    for who, text, part in ((asked["requester"], asked, "request"), (word["reviewer"], word, "review")):
        signer = signatories.Signatory(who, "", keys.get(who, ""), ())
        if not signatories.verified(signer, canonical(text), content["signatures"][part]):
            raise _not_sound(folder, f"the {part} is not signed by {who}")
        if trusted and keys[who] not in trusted:
            raise _not_sound(folder, f"the key of {who} is not one of those trusted")
    signed = {name: asked["files"].get(name) for name in content["files"]}
    if keys[asked["requester"]] == keys[word["reviewer"]] or asked["requester"] == word["reviewer"]:
        raise _not_sound(folder, "request and review are of one person")
    if signed != content["files"] or word["files"] != asked["files"] or not word["approve"]:
        raise _not_sound(folder, "what is here is not what was reviewed")
    if word["request"] != digest(canonical(asked)):
        raise _not_sound(folder, "the review is of another request")
    if settings is not None:
        known = signatories.signatories(settings)
        if any(name not in known or known[name].key != key for name, key in keys.items()):
            raise _not_sound(folder, "a signer is not in the register")
        if (stands := state(settings, asked["id"])) != RELEASED:
            raise _not_sound(folder, f"the release is {stands}")
    people = f"asked for by {asked['requester']}, reviewed by {word['reviewer']}"
    return f"Release {asked['id']} holds: {len(found)} files, {people}."


def _not_sound(folder: Path, why: str) -> DisclosureRefused:
    return DisclosureRefused(
        f"The release in {folder} does not hold: {why}.", "", "Do not use it; ask who sent it for a new one."
    )


def _readme(content: dict[str, Any]) -> str:
    asked, word = content["request"], content["review"]
    lines = [
        f"Release {asked['id']} of run {asked['run']}, study {asked['study']}, permit {asked['permit']}.",
        f"For {asked['recipient']}: {asked['purpose']}",
        f"Asked for by {asked['requester']} on {asked['asked']}; reviewed by {word['reviewer']} on {word['at']}.",
        f"No number stands for fewer than {content['limits']['persons']} persons.",
        "",
        "files/        the outputs, as reviewed",
        "scope.json    what the run read, under which permit",
        "release.json  request, review, thresholds, SHA-256 of every file, both signatures (Ed25519)",
        "",
        "Check it with: patternlake release verify FOLDER",
    ]
    if content["rehearsal"]:
        lines.insert(0, "A rehearsal on data of no real persons.\n")
    return "\n".join(lines) + "\n"


__all__ = ["WITHDRAWN", "export", "verify"]
