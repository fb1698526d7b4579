"""A trace file as it is read: decompressed, hashed, its progress told."""

import bz2
import hashlib
import lzma
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from sos_gym.workload.tables import TapeError

CHUNK = 1 << 20  # bytes of content that are parsed at once, about
SLICE = 1 << 10  # compressed bytes taken at once: some 15 can stand for 128 KiB in zstd, so more could fill memory
HEAD = 265  # bytes that are looked at to know what a file is; tar has its mark at 257
# The first bytes, as regular expressions: RFC 1952, RFC 8878 (a frame, or a skippable one), the xz file format 1.0.4,
# bzip2 (its first block, or the end of an empty file), PKWARE's APPNOTE (a member, or the end of an empty archive)
GZIP, ZSTD, XZ = rb"\x1f\x8b\x08", rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18", rb"\xfd7zXZ\0"
BZIP2, ZIP = rb"BZh[1-9](1AY&SY|\x17\x72\x45\x38\x50\x90)", rb"PK(\x03\x04|\x05\x06)"
COMPRESSED = {"gzip": GZIP, "zstd": ZSTD, "xz": XZ, "bzip2": BZIP2, "zip": ZIP}
UNPACK = "unpack it with its own tool first"
OTHERS = {  # what is known, but not read: first bytes, and what to do
    "7z": (rb"7z\xbc\xaf\x27\x1c", UNPACK),
    "rar": (rb"Rar!\x1a\x07", UNPACK),
    "lz4": (rb"\x04\x22\x4d\x18", "unpack it with lz4 -d first"),
    "lzip": (rb"LZIP\x01", UNPACK),
    "lzop": (rb"\x89LZO\0", UNPACK),
    "compress (.Z)": (rb"\x1f\x9d[\x89-\x90]", "unpack it with gzip -d first"),
    "lzma": (rb"\x5d\0\0[\0-\xff]{2}\xff{8}", "unpack it with xz -d first"),
    "tar": (rb"[\0-\xff]{257}ustar", "unpack it with tar -x, and import one of its files"),
    "perf.data": (rb"PERFILE2|2ELIFREP", "print it with perf sched script -i FILE, and import that"),
    "trace.dat": (rb"\x17\x08\x44tracing", "print it with trace-cmd report -i FILE, and import that"),
    "HDF5": (rb"\x89HDF\r\n", "write the trace as CSV"),
    "Parquet": (rb"PAR1", "write the trace as CSV"),
    "SQLite": (rb"SQLite format 3\0", "write the trace as CSV"),
    "NumPy": (rb"\x93NUMPY", "use sos_gym.Tape.from_references"),
}
SUFFIXES = (".gz", ".zst", ".xz", ".bz2", ".zip")  # of names; they decide nothing

ByteProgress = Callable[[int, int], None]  # bytes of the file read so far, its size


class Source:
    """One file, read from front to back, plain or compressed (COMPRESSED) as its first bytes say."""

    def __init__(self, path: str | os.PathLike, progress: ByteProgress | None = None) -> None:
        self.path = Path(path)
        self.size = os.path.getsize(path)
        self.facts: dict[str, object] = {}  # name, format, parameters: what the card begins with
        self.sample = ""  # a line of the format, for those who are refused
        self._progress = progress or (lambda read, size: None)
        self._digest = hashlib.sha256()
        self._read = 0

    def chunks(self) -> Iterator[bytes]:
        """The content in pieces of at least CHUNK bytes, but for the last.

        Raises:
            TapeError: damaged, cut short, packed twice, in a form that is not read, or zstd without the package.
        """
        held: list[bytes] = []
        size = 0
        for piece in self._checked():
            held.append(piece)
            size += len(piece)
            if size >= CHUNK:
                yield b"".join(held)
                held, size = [], 0
        if any(held):
            yield b"".join(held)

    def card(self, **said: object) -> dict:
        """The card of a tape from this file: what is known of the file, and what its reader says."""
        return {**self.facts, "file": self.path.name, "sha256": self._sha256(), **said}

    def _sha256(self) -> str:
        """Of the whole file as it lies there, also of what was not parsed."""
        with open(self.path, "rb") as file:
            file.seek(self._read)
            for _ in self._raw(file):
                pass
        return self._digest.hexdigest()

    def _raw(self, file) -> Iterator[bytes]:
        while raw := file.read(CHUNK):
            self._digest.update(raw)
            self._read += len(raw)
            self._progress(self._read, self.size)
            yield raw

    def _checked(self) -> Iterator[bytes]:
        """The content, if its first bytes are not those of something else."""
        start, known = b"", False
        for piece in self._content():
            start = b"" if known else start + piece
            if known or len(start) >= HEAD:
                self._refuse_others(start)
                yield start or piece
                known = True
        if not known:
            self._refuse_others(start)
            yield start

    def _refuse_others(self, start: bytes) -> None:
        twice = {name: (first, f"it is packed twice; {UNPACK}") for name, first in COMPRESSED.items()}
        for name, (first, remedy) in (OTHERS | twice).items():
            if re.match(first, start):
                raise TapeError(
                    f"{self.path} holds {name} data; allowed: a trace, plain or {', '.join(COMPRESSED)}; {remedy}"
                )

    def _content(self) -> Iterator[bytes]:
        with open(self.path, "rb") as file:
            start = file.read(HEAD)
            file.seek(0)
            found = next((name for name, first in COMPRESSED.items() if re.match(first, start)), "")
            pieces = self._raw(file)
            if found == "gzip":
                yield from self._decompressed(pieces, lambda: zlib.decompressobj(wbits=31), zlib.error)
            elif found == "zstd":
                zstandard = self._zstandard()
                new = zstandard.ZstdDecompressor().decompressobj
                yield from self._decompressed(pieces, new, zstandard.ZstdError)
            elif found == "xz":
                yield from self._decompressed(pieces, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ), lzma.LZMAError)
            elif found == "bzip2":
                yield from self._decompressed(pieces, bz2.BZ2Decompressor, OSError)
            elif found == "zip":
                yield from self._member()
            else:
                yield from pieces

    def _decompressed(self, pieces: Iterable[bytes], new: Callable[[], Any], broken: type[Exception]):
        """Members or frames that follow each other are one content, as gzip -d and zstd -d have it."""
        decoder = new()
        try:
            for raw in pieces:
                for at in range(0, len(raw), SLICE):
                    left = raw[at : at + SLICE]
                    while left := left.lstrip(b"\0") if decoder.eof else left:  # zeros fill up a block of a tape
                        decoder = new() if decoder.eof else decoder
                        yield from _decoded(decoder, left)
                        left = decoder.unused_data if decoder.eof else b""
        except broken as error:
            raise TapeError(f"{self.path} is damaged ({error}); decompress it with its own tool to see more") from error
        if not decoder.eof:
            raise TapeError(f"{self.path} is cut short: its compressed data have no end; fetch the file again")

    def _member(self) -> Iterator[bytes]:
        """The one file of a zip archive."""
        try:
            with zipfile.ZipFile(self.path) as archive:
                names = [name for name in archive.namelist() if not name.endswith("/") and "__MACOSX/" not in name]
                if len(names) != 1:
                    listed = ", ".join(names[:5]) + ", ..." * (len(names) > 5)
                    raise TapeError(
                        f"{self.path} is a zip archive of {len(names)} files ({listed}); allowed: one; unpack it, and "
                        "import one of its files"
                    )
                with archive.open(names[0]) as member:
                    while piece := member.read(CHUNK):
                        yield piece
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError) as error:
            raise TapeError(f"{self.path} is damaged or cut short ({error}); fetch the file again") from error
        except (RuntimeError, NotImplementedError) as error:  # a password; a method that zipfile has not
            raise TapeError(f"{self.path} cannot be unpacked here ({error}); {UNPACK}") from error

    def _zstandard(self):
        try:
            import zstandard
        except ModuleNotFoundError:
            raise TapeError(
                f"{self.path} is compressed with zstd, which needs the package zstandard: "
                "pip install 'sos-gym[import]', or decompress the file first with zstd -d"
            ) from None
        return zstandard


def _decoded(decoder: Any, compressed: bytes) -> Iterator[bytes]:
    """What some bytes stand for; a KiB of xz or bzip2 may stand for gigabytes, and comes in pieces."""
    if not isinstance(decoder, bz2.BZ2Decompressor | lzma.LZMADecompressor):
        yield decoder.decompress(compressed)
        return
    yield decoder.decompress(compressed, CHUNK)
    while not (decoder.eof or decoder.needs_input):
        yield decoder.decompress(b"", CHUNK)
