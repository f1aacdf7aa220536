"""The walls of the house: layer order, who may import what, the README's map, sizes, pure imports."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "backproplab"
FILES = sorted(PACKAGE.rglob("*.py"))
NAMES = [str(f.relative_to(PACKAGE)) for f in FILES]

# Lowest first. A room may import rooms on lower levels only: nothing upward, no siblings.
LEVELS = [
    {"errors", "arrays"},
    {"catalogs"},
    {
        "autograd",
        "spec",
        "streams",
        "files",
        "task",
        "text",
        "layout",
        "palette",
        "measures",
        "status",
        "signals",
        "solvers",
        "notes",
    },
    {"columns", "passes", "ranks", "tables", "numpy", "scipy", "formulas", "own_parts"},
    {"nn", "optim", "data"},
    {"learners", "journal"},
    {"loop"},
    {"telemetry"},
    {"config", "runs", "environment"},
    {"experiment", "registry"},
    {"checking"},
    {"explain", "diagnosis", "exporting"},
    {"descend", "assessing"},
    {"landscape"},
    {"report"},
    {"sweep"},
    {"cli"},
    {"__main__"},
]
LEVEL = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}

BUILD_HOOK = "autograd/engines/native/hook.py"  # run by the build back end, never imported

# Who may import a heavy or foreign package; everything else may not.
WALLS = {
    "tensorboardX": {"journal"},
    "tensorboard": {"runs/launcher.py"},
    "rich": {"loop/progress.py", "cli/printing.py", "cli/render.py", "cli/live.py"},
    "typer": {"cli"},
    "yaml": {"config"},
    "sklearn": {"data/bundled.py", "learners/baselines.py"},
    "pandas": {"tables/reading.py"},
    "pyarrow": {"tables/parquet.py", "tables/arrow.py"},
    "scipy": {
        "autograd/ops/activations.py",
        "autograd/implicit.py",
        "autograd/ops/special.py",
        "scipy",
        "learners/closed_form.py",
    },
    "safetensors": {"journal/checkpoint.py"},
    "threadpoolctl": {"experiment"},
    "google_crc32c": {"journal/events.py"},
    "cmaes": {"learners/cma_es.py"},
    "sympy": {"explain/symbolic.py"},
    "cairosvg": {"explain/raster.py"},
    "optuna": {"sweep/search.py"},
    "distributed": {"sweep/executors/dask.py"},
    "mpi4py": {"sweep/executors/mpi.py", "ranks.py"},
    "matplotlib": {"report"},
    "contourpy": {"descend/contours.py"},
    "onnx": {"exporting/onnx_file.py", "exporting/onnx_graph.py"},
    "onnxruntime": {"exporting/onnx_file.py"},
    "PIL": {"telemetry/canvas.py", "data/pictures.py", "descend/gif.py"},
    "hatchling": {BUILD_HOOK},
}


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path):
    """Every module that the file imports anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            if node.module == "backproplab":
                yield from (f"backproplab.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_nothing_imports_upward_or_sideways(path):
    room = room_of(path)
    if room == "__init__":  # the public names, imported on use
        return
    for module in imports(path):
        parts = module.split(".")
        if parts[0] == "backproplab" and len(parts) > 1 and parts[1] != room:
            assert LEVEL[parts[1]] < LEVEL[room], f"{room} must not import {module}"


def test_every_room_has_a_level():
    assert {room_of(path) for path in FILES} - {"__init__"} <= LEVEL.keys()


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_walls_around_foreign_packages(path):
    name = str(path.relative_to(PACKAGE))
    for module in imports(path):
        allowed = WALLS.get(module.split(".")[0])
        if allowed is not None:
            assert name in allowed or room_of(path) in allowed, f"{name} must not import {module}"


@pytest.mark.parametrize("path", [f for f in FILES if "autograd" in f.parts], ids=str)
def test_the_autograd_knows_numpy_only(path):
    if str(path.relative_to(PACKAGE)) == BUILD_HOOK:
        return
    own = {"backproplab", "numpy", "scipy", *sys.stdlib_module_names}
    assert {module.split(".")[0] for module in imports(path)} <= own


# Within autograd, lowest first; a file may import its own level.
FLOORS = [
    {"samples", "tensor", "primitive", "windows"},
    {"lowering"},
    {"ops"},
    {"like_numpy"},
    {"backward", "each_unit", "graph", "numpy_dispatch", "operators", "trees"},
    {"transforms", "custom", "gradcheck", "implicit"},
    {"engines"},
]
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names}


@pytest.mark.parametrize("path", [f for f in FILES if "autograd" in f.parts], ids=str)
def test_lowering_knows_no_op_and_ops_know_no_engine(path):
    own = path.relative_to(PACKAGE).parts[1].removesuffix(".py")
    for module in imports(path) if own != "__init__" else ():
        if module.startswith("backproplab.autograd."):
            assert FLOOR[module.split(".")[2]] <= FLOOR[own], f"{own} must not import {module}"


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_rooms_are_small_and_say_what_they_are(path):
    text = path.read_text()
    assert text.count("\n") <= 350
    assert ast.get_docstring(ast.parse(text)), "a module says what it is"


def test_the_readme_s_map_is_the_house():
    readme = (PACKAGE.parent / "README.md").read_text()
    block = re.search(r"```\nbackproplab/\n(.*?)```", readme, re.DOTALL)[1]
    drawn = set(re.findall(r"^  (\w+)(?:\.py|/)", block, re.MULTILINE))
    real = {room_of(path) for path in FILES} - {"__init__", "__main__"}
    assert drawn == real


HEAVY = (  # pydantic is not among them: Typer itself uses it
    "numpy",
    "yaml",
    "tensorboardX",
    "sklearn",
    "pandas",
    "pyarrow",
    "scipy",
    "matplotlib",
    "optuna",
    "tensorboard",
)
# What a command's start may load. "config" reads YAML but neither trains nor logs.
LIGHT = {
    "--help": (),
    "--version": (),
    "runs --help": (),
    "clean --help": (),
    "train --help": (),
    "explain --help": (),
    "find-lr --help": (),
    "compare --help": (),
    "diagnose --help": (),
    "report --help": (),
    "explain x*y x=1 y=2": ("numpy",),
    "train CONFIG --dry-run": ("numpy", "yaml"),
    "train QUICKSTART epochs=1 --progress none": ("numpy", "yaml", "tensorboardX"),  # make run
    "predict --help": (),
    "evaluate --help": (),
    "data --help": (),
    "descend --help": (),
    "descend x**2 x=1": ("numpy",),
    "runs": (),
    "clean --dry-run": ("tensorboard",),
    "config show CONFIG": ("numpy", "yaml"),
}


@pytest.mark.parametrize("words", LIGHT)
def test_no_command_imports_what_it_does_not_use(words, tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("data: circle\n")
    program = (
        "import sys; sys.argv = ['backproplab', *sys.argv[1:]]\n"
        "from backproplab.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        f"print('LOADED', *[m for m in {HEAVY} if m in sys.modules])"
    )
    files = {"CONFIG": str(config), "QUICKSTART": str(PACKAGE.parent / "configs/quickstart.yaml")}
    arguments = [files.get(w, w) for w in words.split()]
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True, text=True, cwd=tmp_path, check=True,
    )  # fmt: skip
    loaded = done.stdout.splitlines()[-1].split()[1:]
    assert set(loaded) <= set(LIGHT[words])


def test_importing_the_package_is_pure(tmp_path):
    program = (
        "import sys, backproplab; print([m for m in ('numpy', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert done.stdout.strip() == "[]"
    assert not list(tmp_path.iterdir())


def test_every_public_name_can_be_had():
    import backproplab

    for name in backproplab.__all__:
        assert getattr(backproplab, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        backproplab.nothing  # noqa: B018
