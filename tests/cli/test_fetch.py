"""data fetch from a real server of this machine: what is checked, what is written, what is said."""

import hashlib
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from backproplab.config import load
from backproplab.data import Dataset, fetching
from backproplab.data.images import FILES, VARIABLE
from backproplab.files import cache_folder

NAMES = [f"{file}.gz" for file in FILES]


@contextmanager
def server(answers):
    """Serves {path: (status, headers, content)}; gives its address and the paths that were asked for."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            status, headers, content = answers.get(self.path, (404, {}, b""))
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(content))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_port}", asked
    finally:
        running.shutdown()
        running.server_close()
        thread.join()


@pytest.fixture
def files(tmp_path, write_images, monkeypatch):
    """The content of four small files, whose SHA-256 are those that are expected."""
    write_images(tmp_path / "published", ".gz")
    found = {name: (tmp_path / "published" / name).read_bytes() for name in NAMES}
    digests = tuple(hashlib.sha256(found[name]).hexdigest() for name in NAMES)
    monkeypatch.setattr(Dataset.members["fashion_mnist"], "sha256", digests)
    monkeypatch.delenv(VARIABLE, raising=False)
    return found


def served(files, folder="", **changed):
    return {f"{folder}/{name}": (200, {}, content) for name, content in files.items()} | changed


def test_what_is_fetched_is_found_by_train(backproplab, files, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("BACKPROPLAB_CACHE", str(tmp_path / "cache"))
    with server(served(files, "/data")) as (address, asked):
        ended = backproplab(f"data fetch fashion_mnist --mirror {address}/data/")
        assert (ended.code, len(asked)) == (0, 4)
        folder = cache_folder() / "data" / "fashion_mnist"
        assert ended.out == f"{folder}\n"
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == files
        again = backproplab(f"data fetch fashion_mnist --mirror {address}/data")
        assert (again.code, len(asked), again.err.count("is there")) == (0, 4, 4)
    (tmp_path / "c.yaml").write_text("data: fashion_mnist\n")
    assert "40 train, 10 validation, 20 test" in backproplab("train c.yaml --dry-run").err
    assert load(tmp_path / "c.yaml").data.path == ""


def test_the_environment_says_where(backproplab, files, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "sets"))
    mirror = f"file://{tmp_path}/published"
    assert backproplab(f"data fetch fashion_mnist --mirror {mirror}").code == 0
    assert sorted(p.name for p in (tmp_path / "sets" / "fashion_mnist").iterdir()) == sorted(NAMES)
    assert backproplab(f"data fetch fashion_mnist --mirror {mirror} --to here").code == 0
    assert (tmp_path / "here" / NAMES[0]).exists()


FIRST = f"/{NAMES[0]}"
REFUSED = {
    "another file": ({FIRST: (200, {}, b"other")}, 4, "its SHA-256 is d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa, expected"),
    "not there": ({FIRST: (404, {}, b"")}, 4, "the server answers 404"),
    "a server that fails": ({FIRST: (500, {}, b"")}, 4, "the server answers 500"),
    "too large": ({FIRST: (200, {}, bytes(5000))}, 4, "more than 4,000 bytes"),
    "cut": ({FIRST: (200, {"Content-Length": "999"}, b"begin")}, 6, "ended after 5 of 999 bytes"),
    "sent on to no encryption": ({FIRST: (302, {"Location": "http://example.org/x"}, b"")}, 2, "is not fetched without encryption"),
    "sent on to this machine": ({FIRST: (302, {"Location": "file:///etc/passwd"}, b"")}, 4, "the server answers 302"),
    "sent on for ever": ({FIRST: (302, {"Location": FIRST}, b"")}, 4, "the server answers 302"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_expected_is_not_written(
    name, backproplab, files, tmp_path, monkeypatch
) -> None:
    changed, code, message = REFUSED[name]
    monkeypatch.setattr(fetching, "LARGEST", 4000)
    with server(served(files) | changed) as (address, _):
        ended = backproplab(f"data fetch fashion_mnist --mirror {address} --to new")
    assert (ended.code, ended.out) == (code, "")
    assert message in ended.err
    assert len(ended.err.splitlines()) <= 2
    assert not (tmp_path / "new").exists()


def test_a_file_that_is_there_is_not_replaced(backproplab, files, tmp_path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / NAMES[1]).write_bytes(b"mine")
    ended = backproplab(f"data fetch fashion_mnist --mirror file://{tmp_path}/published --to new")
    assert ended.code == 7
    assert f"{NAMES[1]} is another file" in ended.err
    assert (tmp_path / "new" / NAMES[1]).read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("iris", 2, "iris: is not downloaded — what can be fetched: fashion_mnist, mnist"),
        ("mnist --mirror http://example.org/", 2, "is not fetched without encryption"),
        ("mnist --mirror ftp://example.org/", 2, "is not fetched without encryption"),
        ("mnist --mirror http://127.0.0.1:9/", 6, "cannot be reached: connection refused"),
        ("mnist --mirror file:///nowhere/", 6, "cannot be reached"),
    ],
)
def test_what_cannot_be_fetched(words, code, message, backproplab, tmp_path) -> None:
    ended = backproplab(f"data fetch {words} --to new")
    assert (ended.code, ended.out) == (code, "")
    assert message in ended.err
    assert not (tmp_path / "new").exists()
