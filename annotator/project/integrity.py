"""Whether a project holds what it promises: file, journal, state, counts, photos, mirror. It only reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from annotator.console import Progress
from annotator.project.backups import list_backups
from annotator.project.database import FILE_NAME, Database
from annotator.project.draft import person_columns
from annotator.project.errors import DamagedProjectError, ProjectError
from annotator.project.fields import FROM
from annotator.project.journal import as_json, link_hash, link_line
from annotator.project.mirror import find_differences, lagging
from annotator.project.opening import open_project, read_description
from annotator.project.photos import photo_files
from annotator.project.store import Project, silent

State = Literal["ok", "note", "problem"]
_AT_MOST = 20  # lines about one kind of thing
_PORTION = 2000
_UNSET = object()  # no step that is done has set it


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: what.
        state: "ok", "note" (works, but worth knowing) or "problem".
        text: what was found.
        remedy: what to do; empty if nothing needs doing.
    """

    name: str
    state: State
    text: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class ProjectCheck:
    """All findings about a project.

    Attributes:
        folder: of the project.
        healthy: no finding is a problem.
        findings: one entry per thing that was looked at.
    """

    folder: Path
    healthy: bool
    findings: list[Finding]

    def __str__(self) -> str:
        """One line per finding, then what to do, then the verdict."""
        width = max(len(finding.name) for finding in self.findings)
        lines = [str(self.folder)]
        lines += [f"  {finding.state:<7}  {finding.name:<{width}}  {finding.text}" for finding in self.findings]
        remedies = [finding for finding in self.findings if finding.remedy]
        if remedies:
            lines += ["", "What to do", *(f"  {finding.name}: {finding.remedy}" for finding in remedies)]
        return "\n".join([*lines, "", "Everything is as it should be." if self.healthy else "Something is wrong."])


def check_project(folder: Path, *, photos: bool = False, progress: Progress = silent) -> ProjectCheck:
    """Verify a project; it may be open elsewhere meanwhile.

    Args:
        folder: of the project.
        photos: read every photo through and compare its hash, instead of its size alone.
        progress: told what is being looked at.

    Raises:
        NotAProjectError, NewerProjectError: there is no project that this program knows.
    """
    findings: list[Finding] = []
    try:
        project = open_project(folder, read_only=True)
    except DamagedProjectError as error:
        findings.append(Finding("database", "problem", str(error), _restore(folder)))
        return ProjectCheck(folder, False, [*findings, *_backups(folder)])
    with project:
        parts = (_description, _file, _journal, _state, _counts, _predictions, _mirror)
        for done, part in enumerate(parts):
            progress(done, len(parts), "checking the project")
            try:
                findings += part(project)
            except ProjectError as error:
                findings.append(Finding(part.__name__.strip("_"), "problem", str(error), _restore(folder)))
        with suppress(ProjectError):
            findings += _photos(project, photos, progress)
    findings += _backups(folder)
    return ProjectCheck(folder, all(finding.state != "problem" for finding in findings), findings)


def differences(database: Database) -> Iterator[str]:
    """Where what is set is not what the journal adds up to, and where its lines do not join; one sentence each."""
    known = {
        kind: dict(database.rows(f"SELECT id, own FROM {kind} WHERE own <> '{{}}'"))
        for kind in ("photo", "person", "comment")
    }
    for kind, subject, values in _replayed(database):
        for field, (value, joins, rule) in values.items():
            if not joins:
                yield f"{kind} {subject}, {field}: a change does not begin where the one before ended"
            if rule != value:
                yield f"{kind} {subject}, {field}: not what the steps that are done say"
        replayed = {field: value for field, (value, _, _) in values.items() if value is not None}
        own = json.loads(known[kind].pop(subject, "{}"))
        for field in sorted(set(own) | set(replayed)):
            before = None if field not in own else as_json(own[field])
            if before != replayed.get(field):
                yield f"{kind} {subject}, {field}: is {before}, and the journal says {replayed.get(field)}"
    for kind, rest in known.items():
        for subject in rest:
            yield f"{kind} {subject}: has values of which the journal knows nothing"


def _replayed(database: Database) -> Iterator[tuple[str, int, dict[str, tuple[Any, bool, Any]]]]:
    """Each subject's fields: value at the end of the journal, whether its changes join, value by the rule of undo."""
    last: tuple = ("", 0, "", 0, 0)
    current: tuple[str, int] | None = None
    fields: dict[str, tuple[Any, bool, Any]] = {}
    hands: dict[tuple[str, int], bool] = {}
    while rows := database.rows(
        "SELECT change.kind, subject, field, seq, n, before, after, change.step_id, step.done, step.kind "
        "FROM change LEFT JOIN step ON step.id = change.step_id "
        "WHERE (change.kind, subject, field, seq, n) > (?, ?, ?, ?, ?) "
        f"ORDER BY change.kind, subject, field, seq, n LIMIT {_PORTION}",
        last,
    ):
        last = rows[-1][:5]
        for kind, subject, field, _, _, before, after, step_id, done, step_kind in rows:
            if current != (kind, subject):
                if current is not None:
                    yield (*current, _kept(current, fields, hands))
                current, fields, hands = (kind, subject), {}, {}
            value, joins, rule = fields.get(field, (None, True, _UNSET))
            counts = step_id is not None and done
            if counts and step_kind != "bulk":
                hands[current] = True
            fields[field] = (after, joins and before == value, after if counts else rule)
    if current is not None:
        yield (*current, _kept(current, fields, hands))


def _kept(subject: tuple[str, int], fields: dict, hands: dict) -> dict:
    """The exception to the rule: who was changed by a hand stays, though their creation is undone."""
    for field, (value, joins, rule) in fields.items():
        if rule is _UNSET:
            stays = field == "present" and subject[0] != "photo" and hands.get(subject)
            fields[field] = (value, joins, "true" if stays else None)
    return fields


def _description(project: Project) -> Iterator[Finding]:
    description = read_description(project.folder)
    if description.uid != project.uid:
        remedy = f'write uid = "{project.uid}" into it'
        yield Finding("project.toml", "problem", f"belongs to another project ({description.uid})", remedy)
    else:
        yield Finding("project.toml", "ok", description.name)


def _file(project: Project) -> Iterator[Finding]:
    found = [line for (line,) in project.database.rows(f"PRAGMA integrity_check({_AT_MOST})")]
    size = (project.folder / FILE_NAME).stat().st_size
    if found == ["ok"]:
        yield Finding("database", "ok", f"{size / 1e6:.1f} MB, whole")
    else:
        yield Finding("database", "problem", f"damaged: {'; '.join(found)}", _restore(project.folder))
    broken = project.database.rows("PRAGMA foreign_key_check")
    if broken:
        tables = ", ".join(sorted({row[0] for row in broken}))
        text = f"{len(broken)} rows point to nothing, in {tables}"
        yield Finding("references", "problem", text, _restore(project.folder))


def _journal(project: Project) -> Iterator[Finding]:
    database = project.database
    link, expected, problem = project.uid, 0, ""
    for seq, said, *columns in _edits(database):
        expected += 1
        digest = link_hash(link, (seq, *columns))
        for row in database.rows(
            "SELECT kind, subject, field, before, after FROM change WHERE seq = ? ORDER BY n", [seq]
        ):
            digest.update(link_line(*row))
        if seq != expected:
            problem = f"line {expected} is missing"
        elif digest.hexdigest() != said:
            problem = f"line {seq} is not as it was written"
        if problem:
            break
        link = said
    changes = database.value("SELECT count(*) FROM change")
    if problem:
        yield Finding("journal", "problem", problem, _restore(project.folder))
    else:
        yield Finding("journal", "ok", f"{expected} lines, {changes} changes, every link as it was written")
    if not project.held_by and (left := database.value("SELECT count(*) FROM step WHERE open")):
        yield Finding(
            "steps", "note", f"{left} still open: somebody works, or a crash; opening the project closes them"
        )


def _edits(database: Database) -> Iterator[tuple]:
    after = 0
    while rows := database.rows(
        "SELECT seq, link, step_id, action, command, who, at, detail FROM edit WHERE seq > ? ORDER BY seq LIMIT 500",
        [after],
    ):
        yield from rows
        after = rows[-1][0]


def _state(project: Project) -> Iterator[Finding]:
    wrong: list[str] = []
    more = 0
    for sentence in differences(project.database):
        if len(wrong) < _AT_MOST:
            wrong.append(sentence)
        else:
            more += 1
    if wrong:
        text = "; ".join(wrong) + (f" and {more} more" if more else "")
        yield Finding("state", "problem", text, _restore(project.folder))
    else:
        count = project.database.value("SELECT count(*) FROM person WHERE present")
        yield Finding("state", "ok", f"{count} people, as the journal adds up")


def _counts(project: Project) -> Iterator[Finding]:
    database = project.database
    wrong = 0
    columns = "present, state, verdict, edited, box_from, body_from"
    after = 0
    while rows := database.rows(f"SELECT id, own, {columns} FROM person WHERE id > ? ORDER BY id LIMIT 2000", [after]):
        wrong += sum(tuple(person_columns(json.loads(own))) != tuple(rest) for _, own, *rest in rows)
        after = rows[-1][0]
    tallied = database.rows("SELECT state, verdict, edited, people FROM tally WHERE people ORDER BY 1, 2, 3")
    counted = database.rows(
        "SELECT state, verdict, edited, count(*) FROM person WHERE present GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    )
    wrong += tallied != counted
    wrong += database.value(
        "SELECT count(*) FROM photo_tally AS t WHERE photos <> (SELECT count(*) FROM photo WHERE excluded = t.excluded)"
    )
    wrong += database.value(
        "SELECT count(*) FROM photo LEFT JOIN (SELECT photo_id, sum(present) AS n, "
        "sum(present AND state = 'done') AS d, sum(present AND verdict = 'accepted') AS a, "
        "sum(present AND verdict = 'rejected') AS r, sum(present AND edited) AS e FROM person GROUP BY photo_id) "
        "ON photo_id = photo.id "
        "WHERE (people, done, accepted, rejected, photo.edited) IS NOT "
        "(coalesce(n, 0), coalesce(d, 0), coalesce(a, 0), coalesce(r, 0), coalesce(e, 0))"
    )
    if wrong:
        yield Finding("counts", "problem", f"{wrong} counts or indexed values are wrong", _restore(project.folder))
    else:
        yield Finding("counts", "ok", "as counted anew")


def _predictions(project: Project) -> Iterator[Finding]:
    wrong = 0
    for person in project.people():
        pointed = {field.removeprefix(FROM): number for field, number in person.own.items() if field.startswith(FROM)}
        wrong += any(part not in person.predictions for part in pointed)
        wrong += any(part not in prediction.parts for part, prediction in person.predictions.items())
    count = project.database.value("SELECT count(*) FROM prediction")
    if wrong:
        text = f"{wrong} people are taken from predictions that are missing or lack the part"
        yield Finding("predictions", "problem", text, _restore(project.folder))
    else:
        yield Finding("predictions", "ok", f"{count}, all that people are taken from are there")


def _mirror(project: Project) -> Iterator[Finding]:
    behind = lagging(project.database)
    if behind:
        text = f"{behind} photos behind"
        yield Finding("mirror", "note", text, "opening the project for writing brings it up to date")
    found = find_differences(project, project.folder)
    if found:
        more = f" and {len(found) - _AT_MOST} more" if len(found) > _AT_MOST else ""
        yield Finding("mirror", "problem", "; ".join(found[:_AT_MOST]) + more, "see each line")
    elif not behind:
        files = project.database.value("SELECT count(*) FROM photo WHERE mirror_hash <> ''")
        yield Finding("mirror", "ok", f"{files} files, as the database has it")


def _photos(project: Project, by_hash: bool, progress: Progress) -> Iterator[Finding]:
    rows = project.database.rows("SELECT id, name, sha256, size_bytes FROM photo ORDER BY id")
    files = photo_files(project.database, project.folder, [row[0] for row in rows])
    missing, changed = [], []
    for done, (number, name, sha256, size) in enumerate(rows, 1):
        if by_hash:
            progress(done, len(rows), "reading photos")
        try:
            if files[number].stat().st_size != size or (by_hash and _hash(files[number]) != sha256):
                changed.append(name)
        except OSError:
            missing.append(name)
    if missing:
        text = f"{len(missing)} of {len(rows)} not where they were: {', '.join(missing[:3])}"
        yield Finding("photos", "problem", text, "`relink PROJECT FOLDER` finds them where they are now")
    if changed:
        text = f"{len(changed)} are other files now: {', '.join(changed[:3])}"
        yield Finding("photos", "problem", text, "put the old files back; annotations belong to their pixels")
    if not missing and not changed:
        how = "every byte as it was" if by_hash else "in their places with their sizes (--photos compares every byte)"
        yield Finding("photos", "ok", f"{len(rows)}, {how}")


def _hash(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _backups(folder: Path) -> Iterator[Finding]:
    backups = list_backups(folder)
    if backups:
        yield Finding("backups", "ok", f"{len(backups)}, the newest of {backups[0].made} ({backups[0].seq} lines)")
    else:
        yield Finding("backups", "note", "none yet; the first is made when the project is opened for writing")


def _restore(folder: Path) -> str:
    backups = list_backups(folder)
    if backups:
        return f"`restore` brings back {backups[0].path.name}, or a backup that you name"
    return "`restore --mirror` rebuilds the database from annotations/"
