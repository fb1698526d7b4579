"""What measured pages have in common: their options, and the line that says how they were made."""

import argparse
import platform
import sys
from importlib.metadata import version
from pathlib import Path


def options(doc: str, episodes: int | None = None) -> argparse.Namespace:
    """--out FILE and, where a default is given, --episodes N; `doc` is shown as help."""
    parser = argparse.ArgumentParser(
        prog=command().partition(" --")[0], description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    if episodes is not None:
        parser.add_argument("--episodes", type=int, default=episodes)
    parser.add_argument("--out", type=Path, help="the page; default: only shown")
    return parser.parse_args()


def command() -> str:
    """What was typed: python -m measurements.defaults --episodes 8"""
    return " ".join(["python -m", f"measurements.{Path(sys.argv[0]).stem}", *sys.argv[1:]])


def made(*packages: str) -> str:
    """The command, and the versions of sos-gym, of `packages` and of Python."""
    using = ", ".join(f"{name} {version(name)}" for name in ("sos-gym", *packages))
    return f"`{command()}`, {using}, Python {platform.python_version()}."


def put(text: str, out: Path | None) -> None:
    """Show the page and, where a file is named, write it."""
    print(text)
    if out:
        out.write_text(text, encoding="utf-8")
        print(f"wrote {out}")
