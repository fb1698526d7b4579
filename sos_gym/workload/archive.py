"""Tapes as files: one .npz, compressed with a column per field, or plain with ops that are mapped, not read."""

import json
import os
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from sos_gym.outputs import whole_file
from sos_gym.workload.tables import CHANNELS, OPS, TABLES, TapeError, field_names

FORMAT = "sos_gym.tape"
VERSION = 1
PIECE = 1 << 22  # bytes
LENGTHS_AT = 26  # of a zip member's name and extra field, from the start of its local header (APPNOTE.TXT 4.3.7)
# What numpy and zipfile raise on damaged input. RuntimeError also covers flags for encryption and patches; numpy
# evaluates the text of an .npy header, hence the last two.
_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, struct.error, ValueError, EOFError, OSError, RuntimeError, MemoryError),
    *(SyntaxError, tokenize.TokenError),
)


def write(
    path: str | os.PathLike, tables: dict[str, np.ndarray], card: dict, names: tuple[str, ...], compressed: bool
) -> Path:
    """Write a tape's arrays; the file appears whole or not at all."""
    path = Path(path)
    columns: dict[str, Any] = {
        f"{t}.{field}": np.ascontiguousarray(tables[t][field])
        for t, kind in TABLES.items()
        for field in field_names(kind)
        if compressed or t != "ops"
    }
    columns["channels"] = tables["channels"]
    if not compressed:
        columns["ops"] = tables["ops"]
    header = {"format": FORMAT, "version": VERSION, "card": card, "thread_names": list(names)}
    with whole_file(path) as file:
        (np.savez_compressed if compressed else np.savez)(file, header=_text(json.dumps(header)), **columns)
    return path


def read(path: str | os.PathLike) -> dict[str, Any]:
    """A tape's arrays, card and thread names, as keywords of `Tape`."""
    with _opened(path) as archive:
        header = _header(path, archive)
        try:
            plain = "ops" in archive
            tables = {name: _table(archive, name, kind) for name, kind in TABLES.items() if name != "ops" or not plain}
            if plain:
                tables["ops"] = _mapped(path, archive.zip)
            channels = archive["channels"].astype(CHANNELS, casting="safe")
        except (*_BROKEN, KeyError, TypeError) as error:
            raise TapeError(f"{path} is damaged ({error}); record or save the tape again") from error
    return {**tables, "channels": channels, "card": header["card"], "thread_names": header["thread_names"]}


def read_card(path: str | os.PathLike) -> dict:
    """A tape's card alone, without reading its ops."""
    with _opened(path) as archive:
        return _header(path, archive)["card"]


def _opened(path: str | os.PathLike):
    try:
        archive = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise
    except _BROKEN as error:
        raise TapeError(f"{path} is not a tape, or is cut short ({error}); allowed: files of Tape.save") from error
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise TapeError(f"{path} is a bare array, not a tape; build one with Tape.from_references and save it")
    return archive


def _header(path: str | os.PathLike, archive) -> dict:
    try:
        header = json.loads(archive["header"].tobytes())
        kind, version = header["format"], header["version"]
        header["card"], header["thread_names"] = dict(header["card"]), tuple(header["thread_names"])
    except (*_BROKEN, KeyError, TypeError) as error:
        raise TapeError(f"{path} has no tape header ({error}); allowed: files of Tape.save") from error
    if kind != FORMAT or version != VERSION:
        raise TapeError(
            f"{path} is {kind} version {version}; allowed: {FORMAT} version {VERSION}; "
            "save it again with this version of sos_gym"
        )
    return header


def _table(archive, name: str, kind: np.dtype) -> np.ndarray:
    columns = {field: archive[f"{name}.{field}"] for field in field_names(kind)}
    lengths = {field: column.shape for field, column in columns.items()}
    if len(set(lengths.values())) != 1 or any(len(shape) != 1 for shape in lengths.values()):
        raise ValueError(f"columns of {name} differ in length: {lengths}")
    table = np.zeros(next(iter(lengths.values())), kind)
    for field, column in columns.items():
        table[field] = column.astype(kind[field], casting="safe")
    return table


def _mapped(path: str | os.PathLike, archive: zipfile.ZipFile) -> np.ndarray:  # OPS (ops,), read as it is used
    """The ops, which lie in the file as they do in memory. Read once before, for the sake of the checksum."""
    member = archive.getinfo("ops.npy")
    with archive.open(member) as whole:
        while whole.read(PIECE):
            pass
    if member.compress_type != zipfile.ZIP_STORED:
        raise ValueError("its ops are compressed as records")
    with open(path, "rb") as file:
        file.seek(member.header_offset + LENGTHS_AT)
        name, extra = struct.unpack("<HH", file.read(4))
        file.seek(name + extra, os.SEEK_CUR)
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise ValueError(f"its ops have an .npy header of version {version}")
        shape, _, kind = np.lib.format.read_array_header_1_0(file)
        if kind != OPS or len(shape) != 1:
            raise ValueError(f"its ops are {kind} {shape}")
        return np.memmap(path, OPS, "r", file.tell(), shape)


def _text(text: str) -> np.ndarray:  # u1 (bytes,)
    return np.frombuffer(text.encode(), np.uint8)
