"""Files that appear whole or not at all."""

import os
import stat
import threading

import pytest

from sos_gym.outputs import check_writable, write_whole


def test_what_is_written_is_there_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    assert write_whole(path, b"one") == path and write_whole(path, b"two") == path
    assert path.read_bytes() == b"two" and list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_no_rest_and_names_the_path(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    write_whole(path, b"old")

    def full(source, target):
        raise OSError(28, "No space left on device", "/somewhere/else")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*a\.txt'"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_whole(tmp_path / "link", b"through it")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "target").read_bytes() == b"through it"


def test_a_pipe_stays_a_pipe(tmp_path):
    path, got = tmp_path / "pipe", []
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: got.append(path.read_bytes()))
    reader.start()
    check_writable(path)
    write_whole(path, b"through it")
    reader.join(10)
    assert got == [b"through it"] and stat.S_ISFIFO(path.stat().st_mode)


def test_the_rights_are_those_of_any_new_file(tmp_path):
    write_whole(tmp_path / "a", b"")
    (tmp_path / "b").touch()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


@pytest.mark.parametrize("name", ["missing/a.txt", "file/a.txt", "folder", "long" * 100])
def test_what_could_not_be_written_is_refused_by_name(tmp_path, name):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for refuses in (check_writable, lambda path: write_whole(path, b"")):
        with pytest.raises(OSError) as refused:
            refuses(tmp_path / name)
        assert refused.value.filename == str(tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_check_leaves_nothing(tmp_path):
    (tmp_path / "old").write_text("kept")
    check_writable(tmp_path / "old")
    check_writable(tmp_path / "new")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["kept"]
