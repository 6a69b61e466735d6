"""The history of the bench: a line of JSON for each run, and what is shown of it."""

import datetime
import importlib.metadata
import importlib.util
import json
import os
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tabulate import tabulate
from timing import ratio

from hdd_tf.artifacts.provenance import git_revision
from hdd_tf.errors import InputError, one_line

# Above this load others use the cores, and times are no times of this machine.
QUIET_LOAD = 1.5
# Units of processors that multiply bfloat16, as Linux names them.
_UNITS = ("avx512_bf16", "amx_bf16", "avx_ne_convert", "bf16")
# With it TensorFlow has fast convolutions where it would leave them off.
_SWITCH = "TF_ENABLE_ONEDNN_OPTS"
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


def machine(cpuinfo: str = "/proc/cpuinfo") -> dict[str, Any]:
    """Returns what the times depend on.

    Args:
        cpuinfo: File of the processor's name and features, as Linux writes it.
    """
    try:
        text = pathlib.Path(cpuinfo).read_text("utf-8", "replace")
    except OSError:
        text = ""
    model = re.search(r"(?m)^model name\s*:\s*(.*)$", text)
    flags = re.search(r"(?m)^(?:flags|Features)\s*:(.*)$", text)
    have = set(flags[1].split()) if flags else set()
    torch = importlib.util.find_spec("torch") is not None
    return {
        "cpu": model[1] if model else "unknown",
        "cores": os.cpu_count(),
        "bfloat16_units": [unit for unit in _UNITS if unit in have],
        _SWITCH: os.environ.get(_SWITCH),
        "tensorflow": importlib.metadata.version("tensorflow"),
        "torch": importlib.metadata.version("torch") if torch else None,
        "load_at_start": round(os.getloadavg()[0], 2),
    }


def new_record() -> dict[str, Any]:
    """Returns a record of a run that begins now, which has no numbers yet."""
    about = machine()
    return {
        "format": 1,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": git_revision(),
        "quiet": about["load_at_start"] <= QUIET_LOAD,
        "machine": about,
    }


def append(history: pathlib.Path, record: Mapping[str, Any]) -> None:
    """Appends a record to a history, as one line."""
    with history.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def shown_records(history: pathlib.Path) -> list[dict[str, Any]]:
    """Returns what is known last of every part on every kind of machine.

    Quick runs do not count. Of memory and curves one machine's are enough.

    Args:
        history: File of records.

    Returns:
        The records, newest first, each without what a newer one has measured again.

    Raises:
        InputError: there is none, or a line is no record.
    """
    name = one_line(history)
    lines = history.read_text("utf-8").splitlines() if history.is_file() else []
    shown: list[dict[str, Any]] = []
    known: set[str | tuple[object, ...]] = set()
    try:
        for line in reversed(lines):
            record = json.loads(line) if line.strip() else {"quick": True}
            if record["quick"]:
                continue
            kind = _kind(record["machine"])
            groups = [g for g in record["groups"] if (*kind, g["name"]) not in known]
            rest = {
                part: {} if part in known else record[part]
                for part in ("peak_gib", "curves")
            }
            if groups or any(rest.values()):
                shown.append({**record, "groups": groups, **rest})
            known |= {(*kind, group["name"]) for group in groups}
            known |= {part for part, found in rest.items() if found}
    except (ValueError, TypeError, KeyError) as error:
        message = f"{name} has a line that is no record: take it out"
        raise InputError(message) from error
    if not shown:
        raise InputError(f"{name} holds no full run: make one, `make bench`")
    return shown


def _kind(about: Mapping[str, Any]) -> tuple[object, ...]:
    """Returns what ratios of two machines must have in common to be compared."""
    units = tuple(about["bfloat16_units"])
    return about["cpu"], about["cores"], units, about.get(_SWITCH)


def ratio_rows(record: Mapping[str, Any]) -> list[list[str]]:
    """Returns the rows of a record: what, median, smallest, largest, seconds."""
    rows = []
    for group in record["groups"]:
        seconds = group["seconds"]
        for title, above, below in group["ratios"]:
            if above not in seconds or below not in seconds:
                continue
            found = ratio(seconds[above], seconds[below])
            middle = [sorted(seconds[n])[len(seconds[n]) // 2] for n in (above, below)]
            rows.append(
                [
                    title,
                    *(f"{value:.2f}" for value in found),
                    " / ".join(f"{value:.3f}" for value in middle),
                ]
            )
    return rows


def described(record: Mapping[str, Any]) -> list[str]:
    """Returns a record as lines of Markdown."""
    about = record["machine"]
    units = ", ".join(about["bfloat16_units"]) or "no bfloat16 units"
    if about.get(_SWITCH):
        units += f", {_SWITCH}={about[_SWITCH]}"
    commit = record["commit"] or "no commit"
    if match := re.fullmatch(r"([0-9a-f]{7})[0-9a-f]*(-dirty)?", commit):
        commit = match[1] + (match[2] or "")
    torch = about["torch"]
    # Long groups have fewer rounds.
    counts = {len(t) for g in record["groups"] for t in g["seconds"].values()}
    ends = sorted({min(counts), max(counts)}) if counts else []
    rounds = " to ".join(map(str, ends)) + " rounds, " if counts else ""
    lines = [
        f"{record['date'][:10]}, commit {commit}: {about['cpu']}, "
        f"{about['cores']} cores ({units}), TensorFlow {about['tensorflow']}, "
        + (f"PyTorch {torch}. " if torch else "PyTorch is not installed. ")
        + f"Load {about['load_at_start']} at the start, {about['load_at_end']} at the "
        f"end; {rounds}{record['minutes']:.1f} minutes.",
        "",
    ]
    if not record["quiet"]:
        text = "The machine was not quiet: others used its cores, and these numbers are"
        lines += [f"**{text} not its own.**", ""]
    headers = ["ratio", "median", "least", "most", "seconds"]
    # Numbers are text already, and keep their digits.
    table = tabulate(
        ratio_rows(record), headers, "github", disable_numparse=True
    ).splitlines()
    lines += [*table, ""]
    for classes, peak in record["peak_gib"].items():
        lines.append(f"- Peak memory of the step at {classes} classes: {peak:.2f} GiB.")
    for name, curve in record["curves"].items():
        lines.append(f"- Cost against {name}: {curve['sentence']}")
    return lines


def write_section(document: pathlib.Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Writes records between the two marks of a document.

    Args:
        document: Markdown file with a line `BEGIN` and a later line `END`.
        records: The records.

    Raises:
        InputError: the document lacks the marks.
    """
    text = document.read_text("utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise InputError(
            f"{one_line(document)} has no lines {BEGIN} and {END}: put them back"
        )
    parts = []
    for record in records:
        lines = described(record)
        if record["curves"]:
            title = "Cost of an iteration against what it depends on"
            lines += ["", f"![{title}](costs.png)"]
        parts.append("\n".join(lines))
    body = "\n\n".join(parts)
    document.write_text(f"{before}{BEGIN}\n\n{body}\n\n{END}{after}", "utf-8")
