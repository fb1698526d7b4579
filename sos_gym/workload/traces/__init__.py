"""Traces of other tools as tapes: `formats/` has one reader per kind of file, the rest is what several of them need."""

import inspect
import os
from typing import Any

from sos_gym.settings.ranges import SettingError
from sos_gym.workload.tape import Tape
from sos_gym.workload.traces.formats.registry import FORMATS, OPTIONS, Format, explanation, guess, plain_name
from sos_gym.workload.traces.source import ByteProgress, Source

__all__ = ["FORMATS", "OPTIONS", "Format", "import_tape"]


def import_tape(
    path: str | os.PathLike, format: str | None = None, *, progress: ByteProgress | None = None, **options: Any
) -> Tape:
    """A trace file of another tool as a tape; plain or compressed, whatever its name.

    Args:
        path: The file.
        format: One of FORMATS; None: as its name and first lines say, if only one is possible.
        progress: Is told how many bytes of the file are read, of how many.
        options: As the format takes them; None stands for its default.

    Raises:
        TapeError: the file is not of that format; it names the line.
        SettingError: an option is out of range, or not one of that format's.
        OSError: the file cannot be read.
    """
    source = Source(path, progress)
    if format is not None and format not in FORMATS:
        raise SettingError("format", format, f"one of {', '.join(FORMATS)}", "sos-gym import --formats explains them")
    chosen = guess(source) if format is None else FORMATS[format]
    given = chosen.accept(options)
    source.facts = {
        "name": plain_name(source.path),
        "family": "imported",
        "side": chosen.side,
        "summary": f"Imported from {source.path.name}: {chosen.what}.",
        "source": chosen.source,
        "parameters": given,
        "format": chosen.name,
    }
    source.sample = chosen.sample
    return chosen.read(source, **given)


def _show_options() -> None:
    """Put the declared options into the signature and the docstring of `import_tape`, for help()."""
    signature, keyword = inspect.signature(import_tape), inspect.Parameter.KEYWORD_ONLY
    *fixed, _ = signature.parameters.values()
    declared = [
        inspect.Parameter(name, keyword, default=None, annotation=one.kind | None) for name, one in OPTIONS.items()
    ]
    import_tape.__signature__ = signature.replace(parameters=[*fixed, *declared])  # type: ignore[attr-defined]
    lines = "".join(f"    {name}: {explanation(name)}\n" for name in OPTIONS)
    if import_tape.__doc__:  # python -OO has none
        import_tape.__doc__ = inspect.cleandoc(import_tape.__doc__).replace("\nRaises:", f"{lines}\nRaises:")


_show_options()
