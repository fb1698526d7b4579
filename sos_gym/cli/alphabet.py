"""Streams whose encoding lacks a character: it is written in characters that every encoding has."""

import codecs
import sys
import unicodedata

HANDLER = "sos_gym.readable"
SUBSTITUTES = {
    **{
        "†": "+",
        "‡": "#",
        "×": "x",
        "·": ".",
        "∞": "inf",
        "∝": "~",
        "±": "+-",
        "½": "1/2",
        "µ": "u",
        "μ": "u",
        "Σ": "sum",
    },
    **{"–": "-", "—": "-", "−": "-", "…": "...", "≤": "<=", "≥": ">=", "←": "<-", "→": "->", "“": '"', "”": '"'},
    **{"‘": "'", "’": "'", "•": "*", "\u00a0": " ", "\u2009": " ", "\u202f": " "},
}
LEAST_ASCII = 128


def readable(character: str) -> str:
    """In ASCII: † is +, é is e, what has no likeness is its number, \\u4e2d."""
    if character in SUBSTITUTES:
        return SUBSTITUTES[character]
    plain = "".join(one for one in unicodedata.normalize("NFKD", character) if ord(one) < LEAST_ASCII)
    return plain or character.encode("ascii", "backslashreplace").decode()


def _substituted(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(readable, error.object[error.start : error.end])), error.end


codecs.register_error(HANDLER, _substituted)


def make_streams_readable() -> None:
    """Standard output and error write whatever they are given."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=HANDLER)
