"""export RUN --onnx FILE: checked before it is written, and never over another file."""

import json
import sys

import pytest

import backproplab as bpl
from backproplab.config import load
from backproplab.errors import DamageError
from backproplab.exporting import is_onnx_file

pytestmark = pytest.mark.slow


def test_the_command_writes_both_files(tmp_path, backproplab):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    (tmp_path / "c.yaml").write_text(json.dumps({"data": "iris", "epochs": 1}))
    bpl.run(load(tmp_path / "c.yaml"), tmp_path / "run")
    ended = backproplab("export run --onnx m.onnx --numpy m.py")
    assert ended.code == 0, ended.err
    assert "onnxruntime gives what the run gives, to" in ended.out
    content = (tmp_path / "m.onnx").read_bytes()
    assert is_onnx_file(content)
    proto = onnx.load_from_string(content)
    assert {each.domain: each.version for each in proto.opset_import} == {"": 20, "ai.onnx.ml": 3}
    assert proto.ir_version == 9
    (tmp_path / "other.onnx").write_bytes(b"something else")
    assert backproplab("export run --onnx other.onnx").code == 7
    (tmp_path / "run" / "checkpoints" / "last.safetensors").write_bytes(b"")
    assert backproplab("export run --onnx m.onnx").code == DamageError.exit_code
    assert (tmp_path / "m.onnx").read_bytes() == content


def test_without_the_packages_it_says_what_to_install(tmp_path, backproplab, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    (tmp_path / "c.yaml").write_text(json.dumps({"data": "iris", "epochs": 1}))
    bpl.run(load(tmp_path / "c.yaml"), tmp_path / "run")
    ended = backproplab("export run --onnx m.onnx")
    assert ended.code == 2
    assert "--onnx needs pip install 'backproplab[onnx]'" in ended.err
    assert not (tmp_path / "m.onnx").exists()
