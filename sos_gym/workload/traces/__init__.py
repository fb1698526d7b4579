"""Traces of other tools as tapes."""

import os

from sos_gym.settings.ranges import SettingError
from sos_gym.workload.tape import Tape
from sos_gym.workload.traces import addresses, blocks, jobs, requests, schedules  # noqa: F401  (they register)
from sos_gym.workload.traces.formats import FORMATS, Format, guess
from sos_gym.workload.traces.source import Progress, Source

__all__ = ["FORMATS", "Format", "import_tape"]


def import_tape(
    path: str | os.PathLike,
    format: str | None = None,
    *,
    limit: int | None = None,
    page_bytes: int | None = None,
    timed: bool | None = None,
    speed: float | None = None,
    most_threads: int | None = None,
    columns: str | None = None,
    root: int | None = None,
    progress: Progress | None = None,
) -> Tape:
    """A trace file of another tool as a tape; plain, gzip or zstd, whatever its name.

    `format`: one of FORMATS; None: as its name and first lines say, if only one is possible. None elsewhere: the
    format's default. `limit`: stop after so many references, jobs, or lines of a schedule. `page_bytes`: of address
    and block traces, a power of two. `timed`: keep arrival times, as SLEEP_UNTIL; without it references are back to
    back. `speed`: recorded times are divided by it. `most_threads`: of one job. `columns`: of a CSV file, in
    libCacheSim's words. `root`: of a schedule, only this pid and its descendants. `progress`: is told how many bytes
    of the file are read, of how many.

    Raises:
        TapeError: the file is not of that format; it names the line.
        SettingError: an option is out of range, or not one of that format's.
        OSError: the file cannot be read.
    """
    source = Source(path, progress)
    if format is not None and format not in FORMATS:
        raise SettingError("format", format, f"one of {', '.join(FORMATS)}", "sos-gym import --formats explains them")
    chosen = guess(source) if format is None else FORMATS[format]
    options = {
        "limit": limit,
        "page_bytes": page_bytes,
        "timed": timed,
        "speed": speed,
        "most_threads": most_threads,
        "columns": columns,
        "root": root,
    }
    given = chosen.accept({name: value for name, value in options.items() if value is not None})
    source.facts = {
        "name": source.path.name.partition(".")[0] or source.path.name,
        "family": "imported",
        "side": chosen.side,
        "summary": f"Imported from {source.path.name}: {chosen.what}.",
        "source": chosen.source,
        "parameters": given,
        "format": chosen.name,
    }
    source.sample = chosen.sample
    return chosen.read(source, **given)
