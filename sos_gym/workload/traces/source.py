"""A trace file as it is read: decompressed, hashed, its progress told."""

import hashlib
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from sos_gym.workload.tables import TapeError

CHUNK = 1 << 20  # bytes of content that are parsed at once, about
SLICE = 1 << 10  # compressed bytes taken at once: some 15 can stand for 128 KiB in zstd, so more could fill memory
GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"  # RFC 1952, RFC 8878: the first bytes

ByteProgress = Callable[[int, int], None]  # bytes of the file read so far, its size


class Source:
    """One file, read from front to back, plain, gzip or zstd as its first bytes say."""

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
            TapeError: damaged, cut short, or zstd without the package.
        """
        held: list[bytes] = []
        size = 0
        for piece in self._content():
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

    def _content(self) -> Iterator[bytes]:
        with open(self.path, "rb") as file:
            start = file.read(4)
            file.seek(0)
            pieces = self._raw(file)
            if start.startswith(GZIP):
                yield from self._decompressed(pieces, lambda: zlib.decompressobj(wbits=31), zlib.error)
            elif start == ZSTD:
                zstandard = self._zstandard()
                new = zstandard.ZstdDecompressor().decompressobj
                yield from self._decompressed(pieces, new, zstandard.ZstdError)
            else:
                yield from pieces

    def _decompressed(self, pieces: Iterable[bytes], new: Callable[[], Any], broken: type[Exception]):
        """Members or frames that follow each other are one content, as gzip -d and zstd -d have it."""
        decoder = new()
        try:
            for raw in pieces:
                for at in range(0, len(raw), SLICE):
                    left = raw[at : at + SLICE]
                    while left:
                        decoder = new() if decoder.eof else decoder
                        yield decoder.decompress(left)
                        left = decoder.unused_data if decoder.eof else b""
        except broken as error:
            raise TapeError(f"{self.path} is damaged ({error}); decompress it with its own tool to see more") from error
        if not decoder.eof:
            raise TapeError(f"{self.path} is cut short: its compressed data have no end; fetch the file again")

    def _zstandard(self):
        try:
            import zstandard
        except ModuleNotFoundError:
            raise TapeError(
                f"{self.path} is compressed with zstd, which needs the package zstandard: "
                "pip install 'sos-gym[import]', or decompress the file first with zstd -d"
            ) from None
        return zstandard
