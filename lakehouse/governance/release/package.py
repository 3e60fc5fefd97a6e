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
from lakehouse.governance.approvals.signatories import Signatory, locked, signatories, verified
from lakehouse.governance.approvals.signed_request import digest, now
from lakehouse.governance.output_gate.folder import open_folder
from lakehouse.governance.output_gate.memory import Memory
from lakehouse.governance.release.files import digests_of, leaving, sha256_file
from lakehouse.governance.release.judgement import gate_of, persons_of, whom_of
from lakehouse.governance.release.records import (
    APPROVED,
    PROCEDURE,
    RELEASED,
    Request,
    folder_of,
    load,
    state,
)
from lakehouse.governance.release.requests import approved
from lakehouse.private_files import write_private
from lakehouse.settings import Settings

RECORD = "release.json"


def export(settings: Settings, release: str, out: Path) -> Path:
    """Write an approved release to ``out``/<id>; whole or not at all, and only once it stands in the ledger.

    Everything is checked again first: signatures, ledger, every file's hash, and the gate, since another release
    may have left in the meantime. Raises :class:`PermissionRefused` where it is not approved,
    :class:`DisclosureRefused` where a file changed or the gate finds something, :class:`UsageError` where the folder
    is there.
    """
    place = folder_of(settings, release)
    with (
        locked(place / "request.json"),
        PROCEDURE.refusals_recorded(settings, "release", {"release": place.name}),
    ):
        asked = load(settings, release)
        first = PROCEDURE.require(settings, asked.id, "release") == APPROVED
        word = approved(settings, asked)
        target = out / asked.id
        if target.exists():
            raise UsageError(
                f"{target} is there already.", "A release is not written over.", "Name another folder."
            )
        if first:
            gate_of(settings, asked).require()
        content = _content(settings, asked, word)
        temporary = _written(place, out / f".{asked.id}.tmp", content)
        if digests_of(temporary / "files") != content["files"]:
            shutil.rmtree(temporary)
            raise DisclosureRefused(f"{asked.id} changed while it was copied.", "", "Make a new request.")
        if first:
            _remember(settings, asked, content)
        temporary.replace(target)
    return target


def _content(settings: Settings, asked: Request, word: dict[str, Any]) -> dict[str, Any]:
    """What the folder's record says: request and review as signed, keys, hashes, thresholds."""
    place, known = folder_of(settings, asked.id), signatories(settings)
    names = leaving(dict(asked.files))
    return {
        "release": asked.id, "request": json.loads(asked.text), "review": word, "exported": now(),
        "keys": {name: known[name].key for name in (asked.requester, word["reviewer"])},
        "files": {name: asked.files[name] for name in names}, "scope": sha256_file(place / "scope.json"),
        "signatures": {part: (place / f"{part}.sig").read_text() for part in ("request", "review")},
        "limits": json.loads((place / "gate.json").read_bytes())["limits"],
        "rehearsal": asked.lake != "real",
    }  # fmt: skip


def _written(place: Path, temporary: Path, content: dict[str, Any]) -> Path:
    """The folder as it will leave, under its temporary name."""
    shutil.rmtree(temporary, ignore_errors=True)
    for name in content["files"]:
        to = temporary / "files" / name
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(place / "files" / name, to)
    shutil.copyfile(place / "scope.json", temporary / "scope.json")
    write_private(
        temporary / RECORD, json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False).encode()
    )
    write_private(temporary / "README.txt", _readme(content).encode())
    return temporary


def _remember(settings: Settings, asked: Request, content: dict[str, Any]) -> None:
    """The memory of releases and the ledger learn of it before the folder has its name."""
    opened, memory = open_folder(folder_of(settings, asked.id) / "files"), Memory.of(settings)
    memory.remember(
        asked.id, asked.study, opened.counts, persons_of(settings, memory, asked),
        whom=whom_of(settings, asked), sized=False,
    )  # fmt: skip
    record = digest(PROCEDURE.form.text(content["files"]))
    facts = {
        "release": asked.id,
        "run": asked.run,
        "study": asked.study,
        "record": record,
        "to": asked.recipient,
    }
    PROCEDURE.enter(settings, "release", facts)


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
        signer = Signatory(who, "", keys.get(who, ""), ())
        if not verified(signer, PROCEDURE.form.text(text), content["signatures"][part]):
            raise _not_sound(folder, f"the {part} is not signed by {who}")
        if trusted and keys[who] not in trusted:
            raise _not_sound(folder, f"the key of {who} is not one of those trusted")
    signed = {name: asked["files"].get(name) for name in content["files"]}
    if keys[asked["requester"]] == keys[word["reviewer"]] or asked["requester"] == word["reviewer"]:
        raise _not_sound(folder, "request and review are of one person")
    if signed != content["files"] or word["files"] != asked["files"] or not word["approve"]:
        raise _not_sound(folder, "what is here is not what was reviewed")
    if word["request"] != digest(PROCEDURE.form.text(asked)):
        raise _not_sound(folder, "the review is of another request")
    if settings is not None:
        known = signatories(settings)
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
