"""A name with parameters, as people write it: s3fifo(small=0.2)."""

import re

from sos_gym.settings.ranges import SettingError


def parts_of(what: str, spec: object, example: str) -> tuple[str, dict[str, int | float]]:
    """s3fifo(small=0.2) is ("s3fifo", {"small": 0.2}); `what` it names and an `example` are for the error.

    Raises:
        SettingError: not of that form.
    """
    allowed, remedy = "a name, or name(parameter=number, ...)", f"write for example {example}"
    written = re.fullmatch(r"\s*([^()]*?)\s*(?:\((.*)\))?\s*", spec) if isinstance(spec, str) else None
    if not written:
        raise SettingError(what, spec, allowed, remedy)
    parameters: dict[str, int | float] = {}
    for part in filter(None, (part.strip() for part in (written[2] or "").split(","))):
        name, _, value = (word.strip() for word in part.partition("="))
        try:
            parameters[name] = int(value) if re.fullmatch(r"[-+]?\d+", value) else float(value)
        except ValueError:
            raise SettingError(what, spec, allowed, remedy) from None
    return written[1], parameters
