"""Config files: which are read, the messages for others, and the position of each value."""

import os
import socket
from pathlib import Path

import pytest

from backproplab.config.yaml_source import LIMIT, Document, parse_yaml, read_yaml
from backproplab.errors import ConfigError, Problem

TEXT = """\
# a comment
name: exp1
model:
  hidden: [64, 32]
  layers:
  - dense
  - {dropout: 0.2}

data: {name: xor}
"""
PLACES = {
    (): (2, 1),
    ("name",): (2, 7),
    ("model",): (4, 3),
    ("model", "hidden"): (4, 11),
    ("model", "hidden", 1): (4, 16),
    ("model", "layers"): (6, 3),
    ("model", "layers", 0): (6, 5),
    ("model", "layers", 1, "dropout"): (7, 15),
    ("data", "name"): (9, 14),
}
KEYS = {
    ("name",): (2, 1),
    ("model",): (3, 1),
    ("model", "layers"): (5, 3),
    ("model", "layers", 1, "dropout"): (7, 6),
}


def problem_of(path: Path) -> Problem:
    with pytest.raises(ConfigError) as raised:
        read_yaml(path)
    (problem,) = raised.value.problems
    return problem


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_places_whatever_the_line_end(end: str) -> None:
    document = parse_yaml(TEXT.replace("\n", end), "c.yaml")
    assert {path: document.positions[path] for path in PLACES} == PLACES
    assert {path: document.keys[path] for path in KEYS} == KEYS


@pytest.mark.parametrize(
    ("path", "where"),
    [
        (("name",), "c.yaml:2:7"),
        (("model", "activation"), "c.yaml:4:3"),
        (("model", "layers", 1, "rate", "x"), "c.yaml:7:5"),
        (("optimizer",), "c.yaml:2:1"),
    ],
)
def test_where_is_the_nearest_that_the_file_has(path: tuple[str | int, ...], where: str) -> None:
    assert parse_yaml(TEXT, "c.yaml").where(path) == where


def test_where_of_a_key() -> None:
    document = parse_yaml(TEXT, "c.yaml")
    assert document.where(("model",), key=True) == "c.yaml:3:1"
    assert document.where(("model", "hidden", 0), key=True) == "c.yaml:4:12"


def test_a_document_that_stands_nowhere_has_a_place() -> None:
    assert Document({}, "c.yaml", {}, {}).where(("a",)) == "c.yaml:1:1"


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_file_is_read(tmp_path: Path, mark: bytes) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(mark + "name: é\n".encode())
    document = read_yaml(path)
    assert document.tree == {"name": "é"}
    assert document.name == str(path)
    assert document.keys == {("name",): (1, 1)}


@pytest.mark.parametrize(
    ("data", "place", "what"),
    [
        (b"", "", "the config is empty; a mapping is expected"),
        (b"# only\n# comments\n", "", "the config is empty; a mapping is expected"),
        (b"---\n", "", "the config is empty; a mapping is expected"),
        (b"\n- 1", ":2:1", "the top level must be a mapping, got a list"),
        (b"42", ":1:1", "the top level must be a mapping, got 42"),
        (b'"x"', ":1:1", "the top level must be a mapping, got text 'x'"),
        (b"a: 1\nb: \xff\xfe", ":2:4", "not UTF-8 at byte 8"),
        ("a: é".encode("latin-1"), ":1:4", "not UTF-8 at byte 3"),
        ("a: 1".encode("utf-16"), ":1:1", "not UTF-8 at byte 0"),
        ("a: 1".encode("utf-16-le"), ":1:2", "control character U+0000"),
        (b"#" * (LIMIT + 1), "", "larger than 1 MiB"),
    ],
)
def test_contents_that_are_refused(tmp_path: Path, data: bytes, place: str, what: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(data)
    problem = problem_of(path)
    assert problem.where == f"{path}{place}"
    assert problem.what == what
    assert problem.hint
    with pytest.raises(ConfigError, match=what.replace("+", r"\+")):
        parse_yaml(data, "c.yaml")


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    with path.open("wb") as file:
        file.truncate(2**40)  # sparse: reading it would take a terabyte of memory
    assert problem_of(path).what == "larger than 1 MiB"


def test_a_file_that_hides_its_size_is_read_to_the_limit_only() -> None:
    pages = Path("/proc/self/pagemap")
    if not os.access(pages, os.R_OK):
        pytest.skip("no /proc here")
    assert problem_of(pages).what.startswith(("larger than 1 MiB", "cannot be read"))


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        for path in (tmp_path / "pipe", tmp_path / "socket", Path("/dev/zero")):
            assert problem_of(path).what.endswith("not a regular file")
    assert problem_of(tmp_path).what == "is a directory, not a regular file"


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    for name in ("xor-batch.yaml", "xor.yaml", "digits.txt"):
        (tmp_path / name).touch()
    problem = problem_of(tmp_path / "xor.yml")
    assert problem.what == "no such file"
    assert problem.hint == "nearest names: xor.yaml, xor-batch.yaml"
    assert "no similar name" in problem_of(tmp_path / "q").hint
    assert "there is no folder" in problem_of(tmp_path / "no" / "xor.yaml").hint


def test_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "file").touch()
    assert problem_of(tmp_path / "loop").what.startswith("cannot be read: too many")
    assert problem_of(tmp_path / "file" / "c.yaml").what == "cannot be read: not a directory"
    assert problem_of(tmp_path / ("x" * 300)).what == "cannot be read: file name too long"
    assert problem_of(tmp_path / "a\0b").what == "is not a file name"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.touch(mode=0)
    assert problem_of(path).what == "cannot be read: permission denied"
