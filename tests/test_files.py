"""Files are written whole or not at all, through links, and never over what is not a file."""

import contextlib
import errno
import fcntl
import os
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from bayescale.files import check_folder, check_target, check_targets, write_file, write_files

OLD, NEW = b"old " * 4000, b"new " * 5000


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@contextlib.contextmanager
def mounted(folder, *options):
    """Mount something, if we may; these tests are for root, whom permissions do not bind."""
    done = subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mount is not allowed here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


# Where a file is written


def test_a_file_is_replaced_and_keeps_its_permissions(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(OLD)
    path.chmod(0o640)
    write_file(str(path), memoryview(NEW))
    assert path.read_bytes() == NEW and path.stat().st_mode & 0o777 == 0o640 and names(tmp_path) == ["a"]


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("absolute", [True, False])
def test_a_link_stays_and_its_file_is_written(tmp_path, exists, absolute):
    """A dangling link too; the draft stands beside the file, which may be on another disk."""
    (tmp_path / "far").mkdir()
    target = tmp_path / "far" / "file"
    if exists:
        target.write_bytes(OLD)
    (tmp_path / "one").symlink_to(target if absolute else Path("far", "file"))
    (tmp_path / "two").symlink_to("one")
    assert check_target(tmp_path / "two") == target.resolve()
    write_file(tmp_path / "two", NEW)
    assert target.read_bytes() == NEW and (tmp_path / "one").is_symlink() and (tmp_path / "two").is_symlink()
    assert names(tmp_path) == ["far", "one", "two"] and names(tmp_path / "far") == ["file"]


NAMES = ["ä ö 日本語 🙂.nc", "with\nline.nc", "-.nc", "=cmd", "x" * 255, "日" * 85, os.fsdecode(b"\xff\xfe.nc"), " .nc"]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_any_name_can_be_written(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    for data in (OLD, NEW):
        write_file(name, data)
    assert Path(name).read_bytes() == NEW and len(names(tmp_path)) == 1


# What is refused, with nothing touched


def fifo(path):
    os.mkfifo(path)


def listening(path):
    with socket.socket(socket.AF_UNIX) as made:
        here = Path.cwd()
        os.chdir(path.parent)  # a socket's path has at most 108 bytes
        made.bind(path.name)
        os.chdir(here)


def device(path):
    path.symlink_to("/dev/null")


def circle(path):
    path.with_name("other").symlink_to(path)
    path.symlink_to(path.with_name("other"))


def nowhere(path):
    path.symlink_to(path.parent / "missing" / "file")


def to_folder(path):
    path.symlink_to(path.parent)


REFUSED = {
    "a FIFO": (fifo, "", "is a pipe \\(FIFO\\), not a file"),
    "a socket": (listening, "", "is a socket, not a file"),
    "a device": (device, "", "is a device, not a file"),
    "a folder": (Path.mkdir, "", "is a folder; give a file, e.g."),
    "a link to a folder": (to_folder, "", "is a folder; give a file"),
    "links in a circle": (circle, "", "lead in a circle: give another path"),
    "a link into nowhere": (nowhere, "", "There is no folder '.*missing' to write file to; create it"),
    "a missing folder": (None, "/a.nc", "There is no folder '.*target' to write a.nc to"),
    "a file as folder": (Path.touch, "/a.nc", "cannot be written \\(not a directory\\); give another path"),
    "a slash at the end": (None, "/", "names a folder; give a file"),
    "a slash after a file": (Path.touch, "/", "cannot be written \\(not a directory\\)"),
    "a long name": (None, "x" * 300, "file name too long\\); give a shorter name"),
    "a long path": (None, "/x" * 3000, "file name too long\\); give a shorter name"),
    "a zero byte": (None, "\0", "A file needs a name"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(tmp_path, what):
    make, more, message = REFUSED[what]
    path = tmp_path / "target"
    if make:
        make(path)
    before = {p.name: os.lstat(p) for p in tmp_path.iterdir()}
    for write in (check_target, lambda path: write_file(path, NEW)):
        with pytest.raises(ValueError, match=message) as caught:
            write(f"{path}{more}")
        assert len(str(caught.value)) < 600 and "\n" not in str(caught.value)
    assert {name: stat.st_ino for name, stat in before.items()} == {
        p.name: os.lstat(p).st_ino for p in tmp_path.iterdir()
    }


@pytest.mark.parametrize("name", ["", " "])
def test_a_file_needs_a_name(name):
    with pytest.raises(ValueError, match="A file needs a name"):
        write_file(name, NEW)
    with pytest.raises(ValueError, match="A folder needs a name"):
        check_folder(name)


def test_the_standard_streams_are_not_replaced(tmp_path):
    """`> table.csv --out table.csv`: what is printed would go to a file without a name."""
    path = tmp_path / "file"
    path.write_bytes(OLD)
    kept = os.dup(0)
    with path.open("rb") as file:
        os.dup2(file.fileno(), 0)
    try:
        with pytest.raises(ValueError, match="is the standard input of this command"):
            write_file(path, NEW)
    finally:
        os.dup2(kept, 0)
        os.close(kept)
    assert path.read_bytes() == OLD


def test_a_removed_current_folder(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(ValueError, match="The current folder no longer exists"):
        write_file("a", NEW)
    write_file(tmp_path / "a", NEW)
    os.chdir(tmp_path)


def test_two_paths_to_one_file(tmp_path):
    (tmp_path / "link").symlink_to("file")
    check_targets(tmp_path / "link", tmp_path / "other")
    with pytest.raises(ValueError, match="are one file; give two different paths"):
        check_targets(tmp_path / "link", tmp_path / "file")


@pytest.mark.parametrize("make", [fifo, Path.touch, device, circle])
def test_a_folder_that_is_none(tmp_path, make):
    make(tmp_path / "folder")
    with pytest.raises(ValueError, match="exists and is not a folder"):
        check_folder(tmp_path / "folder")
    with pytest.raises(ValueError):
        check_folder(tmp_path / "folder" / "in")
    assert check_folder(tmp_path / "new" / "deep").is_dir()


# What stops a write in its middle


STOPS = {
    errno.ENOSPC: "no space left on device\\); free some space",
    errno.EDQUOT: "free some space",
    errno.EIO: "input/output error\\); give another path",
    errno.EROFS: "read-only file system\\); give another path",
    errno.EACCES: "is not writable; give another path",
}


@pytest.mark.parametrize("number", STOPS)
@pytest.mark.parametrize("call", ["write", "fsync"])
def test_an_error_of_the_disk_leaves_the_old_file(tmp_path, monkeypatch, number, call):
    path = tmp_path / "a"
    path.write_bytes(OLD)
    real = os.write

    def stop(file, data=b""):
        real(file, data[:10])
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, stop)
    with pytest.raises(ValueError, match=STOPS[number]):
        write_file(path, NEW)
    assert path.read_bytes() == OLD and names(tmp_path) == ["a"]


@pytest.mark.parametrize("call", ["write", "fsync", "fchmod"])
def test_an_interruption_leaves_the_old_file(tmp_path, monkeypatch, call):
    path = tmp_path / "a"
    path.write_bytes(OLD)

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, call, stop)
    with pytest.raises(KeyboardInterrupt):
        write_file(path, NEW)
    assert path.read_bytes() == OLD and names(tmp_path) == ["a"]


def test_files_that_belong_together_are_written_all_or_none(tmp_path):
    (tmp_path / "a").write_bytes(OLD)
    os.mkfifo(tmp_path / "b")
    with pytest.raises(ValueError, match="pipe"):
        write_files({tmp_path / "a": NEW, tmp_path / "b": NEW})
    assert (tmp_path / "a").read_bytes() == OLD and names(tmp_path) == ["a", "b"]


# What killed writers leave, and two writers at once


LEFT = [".a.0123456789ab.part", ".a.4711.part", ".a.part"]
KEPT = ["a.part", ".a.b.part", ".ab.0123456789ab.part", ".a.0123456789ab.partial", ".a.nc.0123456789ab.part"]


@pytest.mark.parametrize("write", [check_target, lambda path: write_file(path, NEW)])
def test_left_drafts_of_the_same_target_are_removed(tmp_path, write):
    for name in LEFT + KEPT:
        (tmp_path / name).write_bytes(b"half")
    (tmp_path / ".a.ab.part").mkdir()
    (tmp_path / ".a.cd.part").symlink_to("a.part")
    write(tmp_path / "a")
    assert set(names(tmp_path)) - {"a"} == {*KEPT, ".a.ab.part", ".a.cd.part"}


def test_the_draft_of_another_writer_is_kept(tmp_path):
    draft = tmp_path / ".a.0123456789ab.part"
    with draft.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        write_file(tmp_path / "a", NEW)
        assert draft.exists()
    write_file(tmp_path / "a", NEW)
    assert names(tmp_path) == ["a"]


def test_of_many_writers_one_wins(tmp_path):
    path, faults = tmp_path / "a", []
    contents = [bytes([65 + i]) * 100_000 for i in range(4)]

    def write(data):
        for _ in range(8):
            try:
                write_file(path, data)
                if path.read_bytes() not in contents:
                    faults.append("a mixture")
            except Exception as error:
                faults.append(error)

    threads = [threading.Thread(target=write, args=(data,)) for data in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults and path.read_bytes() in contents and names(tmp_path) == ["a"]


# Disks, as root too


def test_a_full_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    with mounted(disk, "-t", "tmpfs", "-o", "size=64k", "none"):
        (disk / "a").write_bytes(OLD)
        with pytest.raises(ValueError, match="cannot be written \\(no space left on device\\); free some space"):
            check_target(disk / "a", size=200_000)
        with pytest.raises(ValueError, match="cannot be written \\(no space left on device\\); free some space"):
            write_file(disk / "a", bytes(60_000))
        assert (disk / "a").read_bytes() == OLD and names(disk) == ["a"]
        write_file(disk / "a", NEW)
        assert (disk / "a").read_bytes() == NEW


def test_a_read_only_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    (tmp_path / "link").symlink_to(disk / "new")
    with mounted(disk, "-t", "tmpfs", "-o", "size=64k,ro", "none"):
        for path in (disk / "new", tmp_path / "link", disk / "sub" / "new"):
            with pytest.raises(ValueError, match=r"read-only file system|There is no folder"):
                check_target(path)
        with pytest.raises(ValueError, match="read-only file system"):
            check_folder(disk / "sub")
    assert names(tmp_path) == ["disk", "link"]


@pytest.mark.parametrize(
    ("mode", "message"), [("rw", "is mounted by itself"), ("ro", "is read-only; give another path")]
)
def test_a_file_that_is_mounted_by_itself(tmp_path, mode, message):
    """As containers do; a rename over it would fail, after the work."""
    source, path = tmp_path / "source", tmp_path / "a file"
    source.write_bytes(OLD)
    path.touch()
    with mounted(path, "--bind", str(source)):
        if mode == "ro":
            subprocess.run(["mount", "-o", "remount,bind,ro", str(path)], check=True)
        with pytest.raises(ValueError, match=message):
            check_target(path)
    assert source.read_bytes() == OLD
