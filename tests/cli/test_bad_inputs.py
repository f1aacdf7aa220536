"""Bad configs, command lines and data files, as users write them: the exit code, the message that
says what and where, no traceback, and nothing written. Rows after anchors/reliability.md section 3."""

import gzip
import os
import struct
from pathlib import Path

import pytest

IDX_NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)

# text of c.yaml, part of the message
CONFIGS = {
    "empty": ("", "the config is empty"),
    "only comments": ("# nothing\n", "the config is empty"),
    "a list": ("- 1\n", "the top level must be a mapping"),
    "duplicate key": ("data: digits\nseed: 1\nseed: 2\n", "c.yaml:3:1: duplicate key 'seed'"),
    "leading zero": ("data: digits\nseed: 010\n", "leading zero"),
    "hexadecimal": ("data: digits\nseed: 0x1F\n", "c.yaml:2:7"),
    "underscores": ("data: digits\nepochs: 1_000\n", "underscore"),
    "sexagesimal": ("data: digits\nepochs: 1:30\n", "c.yaml:2:9"),
    "decimal comma": ("data: digits\nlearning_rate: 1,5\n", "decimal point"),
    "overflow": ("data: digits\nlearning_rate: 1.0e+400\n", "too large"),
    "nan": ("data: digits\nlearning_rate: .nan\n", "not a usable number"),
    "yes for true": ("data: {name: digits, standardize: yes}\n", "write true or false"),
    "number as a key": ("data: digits\n1: a\n", "keys must be text"),
    "python tag": ("data: !!python/object/apply:os.system [id]\n", "are not allowed"),
    "anchor": ("data: &d digits\n", "anchors"),
    "alias bomb": ("a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "anchors"),
    "merge key": ("data: digits\n<<: {seed: 1}\n", "merge keys"),
    "two documents": ("data: digits\n---\nseed: 1\n", "only one document"),
    "tab": ("data:\n\tname: digits\n", "tab"),
    "open bracket": ("data: digits\nmodel: {hidden: [1, 2\n", "c.yaml"),
    "at sign": ("data: @digits\n", "quote the value"),
    "deep nesting": ("a: " + "[" * 200_000, "nested deeper than 32"),
    "long integer": ("data: digits\nseed: " + "9" * 5000 + "\n", "integer"),
    "not utf-8": (b"data: digits\nname: \xff\xfe\n", "not UTF-8"),
    "utf-16": ("data: digits\n".encode("utf-16"), "not UTF-8"),
    "control character": ("data: digits\nname: a\x07\n", "control character"),
    "unknown key": ("data: digits\nepochss: 10\n", "c.yaml:2:1: unknown key 'epochss' — did you mean 'epochs'?"),
    "quoted number": ('data: digits\nepochs: "10"\n', "must be a whole number, got text '10' — remove the quotes"),
    "half an epoch": ("data: digits\nepochs: 10.5\n", "must be a whole number, got 10.5"),
    "true for a number": ("data: digits\nepochs: true\n", "must be a whole number, got true"),
    "no epochs": ("data: digits\nepochs: 0\n", "must be"),
    "negative rate": ("data: digits\nlearning_rate: -0.1\n", "must be"),
    "unknown optimizer": ("data: digits\noptimizer: adma\n", "did you mean 'adam'?"),
    "import path": ("data: digits\noptimizer: os.system\n", "'os.system' is not known"),
    "unknown field": ("data: digits\noptimizer: {name: sgd, beta_1: 0.9}\n", "unknown key 'beta_1'"),
    "dropout of 1": ("data: digits\nmodel: {layers: [{dropout: 1.0}, {dense: 10}]}\n", "must be"),
    "no layers": ("data: digits\nmodel: {layers: []}\n", "model.layers"),
    "both forms": ("data: digits\nmodel: {hidden: [3], layers: [{dense: 10}]}\n", "'hidden' or 'layers', not both"),
    "no width": ("data: digits\nmodel: {hidden: [0]}\n", "model.hidden.0"),
    "wrong last layer": ("data: iris\nmodel: {layers: [{dense: 10}]}\n", "10 outputs"),
    "a layer that does not fit": (
        "data: digits\nmodel:\n  layers:\n    - {reshape: [8, 8, 1]}\n    - flatten\n    - {conv2d: 16}\n    - {dense: 10}\n",
        "c.yaml:6:7: model.layers.2: conv2d_1 takes (height, width, channels), got (64,) from flatten_1 — put reshape"),
    "a kernel of words": ("data: digits\nmodel: {layers: [{conv2d: {filters: 4, kernel: 3x3}}]}\n", "kernel: must be a whole number from 1, or a list of them"),
    "a fault in a block": ("data: digits\nmodel: {layers: [{residual: [{conv2d: 0}]}]}\n", "c.yaml:2:39: model.layers.0.residual.0.conv2d: must be >= 1"),
    "too large": ("data: digits\nmodel: {hidden: [1000000000, 1000000000]}\n", "make the layers smaller"),
    "batch of too many": ("data: iris\nbatch_size: 512\n", "c.yaml:2:13: batch_size: 512 is larger than the 120"),
    "negative seed": ("data: digits\nseed: -1\n", "must be"),
    "escaping name": ("data: digits\nname: ../../etc\n", "c.yaml:2:7: name: it names a folder"),
    "no data": ("epochs: 3\n", "data is missing"),
    "unknown data": ("data: digit\n", "did you mean 'digits'?"),
    "unmeasured": ("data: digits\nearly_stopping: {monitor: val_acc}\n", "did you mean 'val_accuracy'?"),
    "wrong loss": ("data: iris\nloss: binary_cross_entropy\n", "c.yaml:2:7: loss: binary_cross_entropy needs two classes"),
    "own test split": ("data: {name: fashion_mnist, test_split: 0.2}\n", "test_split"),
    "a sweep": ("data: digits\nsweep: {learning_rate: [1, 2]}\n", "use 'backproplab sweep'"),
}  # fmt: skip


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


@pytest.mark.parametrize("case", CONFIGS)
def test_bad_configs(backproplab, tmp_path, case):
    text, message = CONFIGS[case]
    write(tmp_path / "c.yaml", text)
    ended = backproplab("train c.yaml")
    assert message in ended.err
    assert ended.code == 2
    assert ended.out == ""
    assert all(len(line) < 500 for line in ended.err.splitlines())
    assert [p.name for p in tmp_path.iterdir()] == ["c.yaml"]


# words after the file, part of the message
COMMAND_LINES = {
    "no file": ("train", "Missing argument 'CONFIG"),
    "missing file": ("train nothing.yaml", "nothing.yaml: no such file"),
    "near file": ("train d.yaml", "c.yaml"),
    "a folder": ("train .", "is a directory"),
    "comma list": ("train c.yaml learning_rate=0.1,0.01", "use 'backproplab sweep'"),
    "no key": ("train c.yaml =1", "command line '=1'"),
    "unknown key": ("train c.yaml model.hiden=[3]", "did you mean 'hidden'?"),
    "twice": ("train c.yaml seed=1 seed=2", "seed"),
    "option and word": ("train c.yaml seed=1 --seed 2", "seed"),
    "same name twice": ("train c.yaml c.yaml", "two experiments are named 'c'"),
    "bad value": ("train c.yaml epochs=1_0", "command line 'epochs=1_0'"),
    "arabic digits": ("train c.yaml epochs=٣", "must be a whole number"),
    "several errors": ("train c.yaml epochs=x batch_size=-1", "2 problems; nothing was written"),
    "unknown command": ("trian c.yaml", "Did you mean 'train'?"),
    "unknown option": ("train c.yaml --ep 3", "No such option"),
}  # fmt: skip


@pytest.mark.parametrize("case", COMMAND_LINES)
def test_bad_command_lines(backproplab, tmp_path, case):
    words, message = COMMAND_LINES[case]
    write(tmp_path / "c.yaml", "data: circle\n")
    ended = backproplab(words)
    assert message in ended.err
    assert ended.code == 2
    assert [p.name for p in tmp_path.iterdir()] == ["c.yaml"]


def test_problems_of_every_stage_and_file_are_told_together(backproplab, tmp_path):
    write(
        tmp_path / "a.yaml",
        "data: digits\nlearning_rate: 0,1\nepochss: 3\nmodel: {activaton: relu}\n",
    )
    write(tmp_path / "b.yaml", "data: digitz\n")
    ended = backproplab("train a.yaml b.yaml")
    for part in (
        "a.yaml:2:16",
        "'0,1' is not a number",
        "a.yaml:3:1",
        "a.yaml:4:9",
        "did you mean 'activation'",
        "b.yaml:1:7",
    ):
        assert part in ended.err
    assert "4 problems; nothing was written" in ended.err


def idx(*shape, data=None, kind=0x08):
    size = 1
    for n in shape:
        size *= n
    body = bytes(i % 10 for i in range(size)) if data is None else data
    return struct.pack(">HBB", 0, kind, len(shape)) + struct.pack(f">{len(shape)}I", *shape) + body


GOOD = dict(zip(IDX_NAMES, (idx(30, 4, 4), idx(30), idx(10, 4, 4), idx(10)), strict=True))
# the file that is bad, its content, part of the message
DATA = {
    "empty": (0, b"", "too short"),
    "cut header": (0, b"\0\0\x08", "too short"),
    "unknown type": (1, idx(30, kind=0x07), "starts with 00 00 07 01"),
    "short by a byte": (0, idx(30, 4, 4)[:-1], "declares"),
    "long by a byte": (0, idx(30, 4, 4) + b"\0", "declares"),
    "huge promise": (0, struct.pack(">HBB3I", 0, 8, 3, 2**32 - 1, 28, 28), "declares"),
    "product overflow": (0, struct.pack(">HBB4I", 0, 8, 4, *[65536] * 4), "dimension"),
    "no images": (0, idx(0, 4, 4), "no "),
    "other count": (1, idx(20), "20"),
    "cut gzip": (0, gzip.compress(idx(30, 4, 4))[:-10], "damaged"),
    "gzip bomb": (0, gzip.compress(idx(30, 4, 4) + b"\0" * 10**6), "declares"),
}  # fmt: skip


@pytest.mark.parametrize("case", DATA)
def test_bad_data_files(backproplab, tmp_path, case):
    which, content, message = DATA[case]
    folder = tmp_path / "images"
    folder.mkdir()
    for name, good in GOOD.items():
        write(folder / name, content if name == IDX_NAMES[which] else good)
    write(tmp_path / "c.yaml", "data: {name: mnist, path: images}\n")
    ended = backproplab("train c.yaml")
    assert ended.code == 4
    assert IDX_NAMES[which] in ended.err
    assert message in ended.err
    assert not (tmp_path / "runs").exists()


def test_missing_data_says_where_it_was_looked_for(backproplab, tmp_path):
    write(tmp_path / "c.yaml", "data: {name: fashion_mnist, path: nowhere}\n")
    ended = backproplab("train c.yaml")
    assert ended.code == 4
    assert "apt-get install dataset-fashion-mnist" in ended.err


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/proc/self").exists(), reason="needs /proc")
def test_a_log_directory_that_cannot_be_written(backproplab, tmp_path):
    write(tmp_path / "c.yaml", "data: circle\nepochs: 1\n")
    write(tmp_path / "file", "")
    for place in ("/proc/self/runs", "file"):
        ended = backproplab(f"train c.yaml --log-dir {place}")
        assert ended.code == 6
        assert "cannot write" in ended.err
