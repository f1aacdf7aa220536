"""A table in, a model out: train, evaluate, predict on rows that were not in training."""

import csv
import io
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

import backproplab as bpl
from backproplab.config import load, to_yaml
from backproplab.errors import DamageError, DataError, RunError

SHORT = "epochs: 12\nlearning_rate: 0.03\nthreads: 1\nmodel: {hidden: [8]}\ntensorboard: off\n"


def rows(count, seed=0, **also):
    """Ages, cities, dates and an answer that follows from them; ``also`` replaces the cities."""
    random = np.random.default_rng(seed)
    for i in range(count):
        age = int(random.integers(18, 80))
        city = str(random.choice(also.get("cities", ["Köln", "Ulm"])))
        yield {
            "nr": f"n{i}",
            "age": age if random.random() > 0.1 else "",
            "city": city,
            "day": f"{random.integers(1, 28):02d}.{random.integers(1, 13):02d}.2024",
            "price": f"{100 * age + 900 * (city == 'Ulm')},5",
            "buys": "yes" if age > 45 else "no",
        }


def write(path, found, delimiter=";", without=()):
    found = [{k: v for k, v in row.items() if k not in without} for row in found]
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, list(found[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(found)
    return path


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A classification and a regression on one file, which is named relative to the config."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "sub").mkdir()
    write(folder / "sub" / "shop.csv", rows(300))
    for name, other in (("buys", "price"), ("price", "buys")):
        columns = f"{{day: {{date: '%d.%m.%Y'}}, {other}: ignore}}"
        data = f"{{name: csv, path: shop.csv, target: {name}, id: nr, columns: {columns}}}"
        (folder / "sub" / f"{name}.yaml").write_text(f"data: {data}\n{SHORT}")
        bpl.run(load(folder / "sub" / f"{name}.yaml"), folder / "runs" / "1" / name)
    return folder


@pytest.fixture
def trained(backproplab, shop, tmp_path):
    """The command, in a folder with copies of the runs and of what they were trained on."""
    shutil.copytree(shop, tmp_path, dirs_exist_ok=True)
    return backproplab


def table(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_train_says_what_it_took_the_columns_for(trained):
    shown = trained("train sub/buys.yaml --dry-run").err
    assert "target buys: no, yes · 1 numeric, 1 categorical, 1 date" in shown
    assert "without nr (the id)" in shown
    assert "without price (ignored, as the config says)" in shown


def test_predictions_of_classes(trained, tmp_path):
    new = write(tmp_path / "new.csv", rows(50, 1), without=("buys", "price"))
    ended = trained("predict buys new.csv --proba")
    found = table(ended.out)
    assert list(found[0]) == ["row", "nr", "prediction", "p_no", "p_yes"]
    assert [row["row"] for row in found] == [str(i + 1) for i in range(50)]
    assert [row["nr"] for row in found] == [f"n{i}" for i in range(50)]
    for row in found:
        shares = [float(row["p_no"]), float(row["p_yes"])]
        assert abs(sum(shares) - 1) < 1e-6
        assert row["prediction"] == ("yes" if shares[1] > 0.5 else "no")
    truth = [row["buys"] for row in rows(50, 1)]
    known = [i for i, row in enumerate(rows(50, 1)) if row["age"]]
    assert np.mean([found[i]["prediction"] == truth[i] for i in known]) > 0.8
    model = bpl.model(next(tmp_path.glob("runs/*/buys")))
    assert model.predict(new).tolist() == [row["prediction"] for row in found]


def test_predictions_of_numbers_are_in_the_units_of_the_target(trained, tmp_path):
    write(tmp_path / "new.csv", rows(50, 1))
    found = table(trained("predict price new.csv").out)
    assert list(found[0]) == ["row", "nr", "prediction"]
    assert 1500 < np.mean([float(row["prediction"]) for row in found]) < 8500


def test_evaluate_repeats_what_the_run_measured(trained, tmp_path):
    for name in ("buys", "price"):
        record = json.loads(next(tmp_path.glob(f"runs/*/{name}/run.json")).read_text())
        found = json.loads(trained(f"evaluate {name} --json --weights last").out)
        assert found["validation"]["loss"] == record["metrics"]["val_loss"]
        assert found["train"]["loss"] == record["metrics"]["loss"]
    assert found["validation"]["r2"] == pytest.approx(record["metrics"]["val_r2"], rel=1e-5)
    scale = bpl.model(next(tmp_path.glob("runs/*/price"))).preparation.targets.scale[0]
    assert found["validation"]["mae"] == pytest.approx(
        record["metrics"]["val_mae"] * scale, rel=1e-5
    )


def test_evaluate_on_other_data_counts_what_was_taken_for_what(trained, tmp_path):
    write(tmp_path / "new.csv", rows(60, 2, cities=["Köln", "Paris"]))
    ended = trained("evaluate buys new.csv")
    assert "accuracy" in ended.out
    assert "as yes" in ended.out
    assert re.search(r"unseen: city \d+ \(Paris\)", ended.err)
    assert "missing: age " in ended.err


def test_columns_are_known_by_name(trained, tmp_path):
    new = list(rows(20, 1))
    plain = trained(f"predict buys {write(tmp_path / 'a.csv', new)}").out
    turned = [dict(reversed(row.items())) | {"more": 1} for row in new]
    ended = trained(f"predict buys {write(tmp_path / 'b.csv', turned, ',')}")
    assert ended.out == plain
    assert "not used: price, more" in ended.err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"age": "old"}, ":2: column 'age': 'old' is not a number"),
        ({"day": "2024-01-02"}, ":2: column 'day': '2024-01-02' is no date as %d.%m.%Y"),
        ({"buys": "perhaps"}, ":2: column 'buys': 'perhaps' is none of the classes no, yes"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_used_is_named(change, message, trained, tmp_path):
    new = list(rows(5, 1))
    new[0] |= change
    ended = trained(f"evaluate buys {write(tmp_path / 'new.csv', new)}")
    assert (ended.code, message in ended.err) == (4, True), ended.err


def test_missing_columns_are_named_together(trained, tmp_path):
    new = [{"agee": row["age"], "nr": row["nr"], "day": row["day"]} for row in rows(5)]
    ended = trained(f"predict buys {write(tmp_path / 'new.csv', new)}")
    assert ended.code == 4
    assert "no column 'age' — did you mean 'agee'?" in ended.err
    assert "no column 'city'" in ended.err


def test_many_missing_columns_are_one_line(backproplab, tmp_path):
    names = [f"c{i}" for i in range(20)]
    lines = [",".join([*names, "y"]), *(",".join([str(i)] * 20 + ["ab"[i % 2]]) for i in range(30))]
    (tmp_path / "f.csv").write_text("\n".join(lines))
    (tmp_path / "c.yaml").write_text(f"data: f.csv\n{SHORT}")
    assert backproplab("train c.yaml epochs=1").code == 0
    (tmp_path / "new.csv").write_text("a,c3\n1,2\n")
    ended = backproplab("predict latest new.csv")
    assert ended.code == 4
    found = (
        "new.csv: there are no columns 'c0', 'c1', 'c2', 'c4', 'c5', 'c6', 'c7', 'c8' and 11 more"
    )
    assert ended.err == f"backproplab: {found} — columns: a, c3\n"


def test_probabilities_of_a_number(trained, tmp_path):
    write(tmp_path / "new.csv", rows(5))
    ended = trained("predict price new.csv --proba")
    assert ended.code == 2
    assert "the run predicts a number" in ended.err


@pytest.mark.slow
def test_a_table_may_come_through_a_pipe(trained, tmp_path):
    new = write(tmp_path / "new.csv", rows(20, 3))
    own = [sys.executable, "-m", "backproplab"]
    for words in ("predict buys -", "evaluate buys - --by city"):
        with new.open("rb") as file:
            piped = subprocess.run([*own, *words.split()], cwd=tmp_path, stdin=file, capture_output=True, text=True, check=True)  # fmt: skip
        plain = trained(words.replace("-", "new.csv", 1))
        assert piped.stdout == plain.out
    done = subprocess.run([*own, "predict", "buys", "-"], cwd=tmp_path, input="a\n1,2\n", capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 4
    assert "stdin.csv:2" in done.stderr


def test_predictions_go_to_a_file_that_is_free_or_ours(trained, tmp_path):
    write(tmp_path / "new.csv", rows(5))
    for _ in range(2):
        assert trained("predict buys new.csv -o out.csv").code == 0
    assert len(table((tmp_path / "out.csv").read_text())) == 5
    assert trained("predict buys new.csv -o new.csv").code == 7


def test_a_model_needs_its_run_s_folder_alone(trained, shop, tmp_path):
    new = write(tmp_path / "new.csv", rows(30, 1))
    before = trained("predict buys new.csv").out
    folder = next(tmp_path.glob("runs/*/buys")).rename(tmp_path / "moved")
    config = (folder / "config.yaml").read_text()
    assert config.count(str(shop)) == 1
    (folder / "config.yaml").write_text(config.replace(str(shop), "/gone"))
    assert trained(f"predict moved {new}").out == before
    assert bpl.model(folder).classes == ("no", "yes")


def test_a_data_frame_gives_what_its_file_gives(trained, tmp_path):
    import pandas

    new = write(tmp_path / "new.csv", rows(30, 1))
    model = bpl.model(next(tmp_path.glob("runs/*/buys")))
    frame = pandas.read_csv(new, sep=";")
    assert np.array_equal(model.probabilities(frame), model.probabilities(new))
    with pytest.raises(DataError, match="a table with named columns"):
        model.predict(np.eye(3))


def test_a_run_on_arrays_takes_arrays_and_tables_of_numbers(backproplab, tmp_path):
    (tmp_path / "c.yaml").write_text("data: iris\n" + SHORT)
    backproplab("train c.yaml --progress none")
    model = bpl.model(next(tmp_path.glob("runs/*/c")))
    source = load(tmp_path / "c.yaml").data.read(np.random.default_rng(0))
    inputs, names = source.examples.inputs[:9], source.task.labels
    predicted = model.predict(inputs)
    assert set(predicted) <= set(names)
    np.savetxt(tmp_path / "new.csv", inputs, delimiter=",")
    assert [row["prediction"] for row in table(backproplab("predict latest new.csv").out)] == list(
        predicted
    )
    with pytest.raises(DataError, match="it takes n × 4 numbers, these are n × 3"):
        model.predict(inputs[:, :3])
    with pytest.raises(DataError, match="1 inputs are NaN"):
        model.predict(np.where(np.arange(36).reshape(9, 4) == 5, np.nan, inputs))


def test_a_run_without_a_network_or_preparation_is_refused(backproplab, tmp_path):
    (tmp_path / "b.yaml").write_text(
        "data: bars_and_stripes\nlearner: contrastive_divergence\nepochs: 1\n"
    )
    backproplab("train b.yaml --progress none")
    with pytest.raises(RunError, match="contrastive_divergence keeps no network to predict with"):
        bpl.model(next(tmp_path.glob("runs/*/b")))
    (tmp_path / "c.yaml").write_text("data: {name: circle, samples: 60}\n" + SHORT)
    backproplab("train c.yaml --progress none")
    folder = next(tmp_path.glob("runs/*/c"))
    whole = (folder / "preparation.json").read_bytes()
    (folder / "preparation.json").write_bytes(whole.replace(b"0", b"1", 1))
    with pytest.raises(DamageError, match=r"preparation\.json: damaged"):
        bpl.model(folder)
    record = json.loads((folder / "run.json").read_text())
    del record["hashes"]["preparation"]
    (folder / "run.json").write_text(json.dumps(record))
    with pytest.raises(RunError, match="train it again: backproplab train"):
        bpl.model(folder)


def test_a_bare_path_and_overrides(backproplab, tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    write(tmp_path / "sub" / "shop.csv", rows(60), ",", without=("nr", "day"))
    (tmp_path / "sub" / "c.yaml").write_text("data: shop.csv\n")
    plain = load(tmp_path / "sub" / "c.yaml")
    assert plain.data.path == str(tmp_path / "sub" / "shop.csv")
    assert load(tmp_path / "sub" / "c.yaml", "data.target=price").data == plain.data.model_copy(
        update={"target": "price"}
    )
    monkeypatch.chdir(tmp_path / "sub")
    (tmp_path / "other.yaml").write_text("data: iris\n")
    typed = load(tmp_path / "other.yaml", "data=shop.csv", "data.target=price")
    assert (typed.data.path, typed.data.target) == (plain.data.path, "price")
    (tmp_path / "again.yaml").write_text(to_yaml(typed))
    assert load(tmp_path / "again.yaml").data == typed.data
    keyed = load(tmp_path / "other.yaml", "data={csv: shop.csv}")
    assert keyed.data == plain.data


def test_a_file_that_is_not_there(backproplab, tmp_path):
    write(tmp_path / "shops.csv", rows(20))
    (tmp_path / "c.yaml").write_text("data: shop.csv\n")
    ended = backproplab("train c.yaml")
    assert ended.code == 4
    assert (
        f"{tmp_path / 'shop.csv'}: there is no such file — did you mean 'shops.csv'?" in ended.err
    )


@pytest.mark.slow  # two workers
def test_a_sweep_reads_the_file_in_its_workers(backproplab, tmp_path):
    write(tmp_path / "shop.csv", rows(60), without=("price",))
    base = "{name: csv, path: shop.csv, columns: {day: {date: '%d.%m.%Y'}}}"
    (tmp_path / "s.yaml").write_text(
        f"base: {{data: {base}, epochs: 2, tensorboard: off}}\nseeds: 2\n"
        "grid: {data.train_samples: [20, 40]}\n"
    )
    ended = backproplab("sweep s.yaml -j 2 --progress none")
    assert ended.code == 0, ended.err
    for folder in [path.parent for path in tmp_path.glob("runs/*/*/run.json")]:
        record = json.loads((folder / "run.json").read_text())
        (again := tmp_path / f"alone-{folder.name}").mkdir()
        result = bpl.run(load(folder / "config.yaml"), again / "run")
        assert json.loads((result.folder / "run.json").read_text())["hashes"] == record["hashes"]
        assert len(bpl.model(folder).predict(tmp_path / "shop.csv")) == 60


def test_changed_data_are_no_longer_the_run_s(backproplab, tmp_path):
    write(tmp_path / "shop.csv", rows(60), without=("day",))
    (tmp_path / "c.yaml").write_text("data: shop.csv\n" + SHORT)
    assert backproplab("train c.yaml --progress none").code == 0
    write(tmp_path / "shop.csv", rows(60, 4), without=("day",))
    ended = backproplab("resume latest --epochs 20")
    assert ended.code == 5
    assert "the data have changed since the run began" in ended.err


def test_data_show_names_kinds_leaks_and_more(trained, tmp_path):
    ended = trained("data show sub/buys.yaml")
    assert ended.code == 0
    assert "300 rows, target buys: classification, 2 classes" in ended.out
    assert [line.split()[:2] for line in ended.out.splitlines()[4:9]] == [
        ["nr", "-"], ["age", "numeric"], ["city", "categorical"], ["day", "date"], ["price", "-"],
    ]  # fmt: skip
    assert "tells all of the target" not in ended.out
    assert trained("data show runs").code == 4
    (tmp_path / "i.yaml").write_text("data: iris\n")
    assert "setosa" in trained("data show i.yaml").out
    assert "--yaml: iris is no table" in trained("data show i.yaml --yaml").err
    found = [{"x": i, "copy": "ab"[i % 2], "y": i % 2} for i in [*range(40), 7]]
    write(tmp_path / "leak.csv", found, ",")
    assert "copy tells all of the target" in trained("data show leak.csv").out


def test_data_show_as_yaml_is_the_same_data(trained, tmp_path):
    form = trained("data show sub/shop.csv --target price --yaml").out
    (tmp_path / "found.yaml").write_text(form)
    data = load(tmp_path / "found.yaml").data
    plain = load(
        tmp_path / "found.yaml", "data={name: csv, path: sub/shop.csv, target: price}"
    ).data
    target, roles = data.roles(table := data.other(tmp_path / "sub" / "shop.csv"))
    assert [role.name for role in roles] == [role.name for role in plain.roles(table)[1]]
    kinds = [getattr(role, "kind", "-") for role in roles]
    assert kinds == [getattr(role, "kind", "-") for role in plain.roles(table)[1]]
    assert target.kind == "regression"


def test_data_show_as_a_page(backproplab, tmp_path):
    lines = [
        "<b>age</b>,copy,same,kind",
        *(f"{i % 7},{i % 2},1,{['no', 'yes'][i % 2]}" for i in range(80)),
    ]
    (tmp_path / "f.csv").write_text("\n".join(lines))
    shown = backproplab("data show f.csv --html f.html")
    assert shown.code == 0
    assert "classes: no 50.0%, yes 50.0%" in shown.out
    page = (tmp_path / "f.html").read_text()
    for text in (
        "f.csv",
        "copy tells all of the target",
        "same has one value in every row",
        "&lt;b&gt;age",
    ):
        assert text in page
    assert "<b>age" not in page
    assert page.count("<svg") == 1 + 2 + 4  # a pattern, two classes, four columns
    assert backproplab("data show f.csv --html f.html").code == 0  # ours, replaced
    (tmp_path / "mine.html").write_text("precious")
    assert backproplab("data show f.csv --html mine.html").code == 7
    assert backproplab("data show f.csv --html f.csv").code == 2
    assert backproplab("data show f.csv --html g.html --target <b>age</b>").code == 0


def test_data_list_has_every_data_set(backproplab):
    shown = backproplab("data list").out
    assert all(name in shown for name in ("csv", "npz", "idx", "iris", "spiral"))


def test_predictions_on_arrays_of_a_file(backproplab, tmp_path):
    inputs = np.random.default_rng(0).normal(size=(80, 3))
    np.savez(tmp_path / "f.npz", x_train=inputs, y_train=(inputs[:, 0] > 0) + 1)
    (tmp_path / "c.yaml").write_text("data: f.npz\n" + SHORT)
    assert backproplab("train c.yaml --progress none").code == 0
    np.savez(tmp_path / "new.npz", x_train=inputs[:10])
    found = [row["prediction"] for row in table(backproplab("predict latest new.npz").out)]
    assert found == [
        str(x) for x in bpl.model(next(tmp_path.glob("runs/*/c"))).predict(inputs[:10])
    ]
    assert set(found) <= {"1", "2"}


def test_export_writes_a_file_that_predicts_alike(trained, tmp_path):
    ended = trained("export buys --numpy shop.py")
    assert ended.code == 0
    assert "the best weights of" in ended.out
    names = {"__name__": "shop"}
    exec((tmp_path / "shop.py").read_text(), names)
    new = list(rows(20, 3))
    columns = {name: [row[name] for row in new] for name in new[0]}
    found = [
        row["prediction"]
        for row in table(trained(f"predict buys {write(tmp_path / 'n.csv', new)}").out)
    ]
    assert names["predict"](columns).tolist() == found
    assert trained("export buys --numpy shop.py").code == 0
    assert trained("export buys --numpy sub/shop.csv").code == 7
    assert trained("export buys price --numpy shop.py").code == 2


def test_a_sweep_goes_into_a_bare_path_and_sweeps_paths(backproplab, tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    for name in "ab":
        write(tmp_path / "sub" / f"{name}.csv", rows(40), ",", without=("day", "price", "nr"))
    (tmp_path / "sub" / "one.yaml").write_text(
        "base: {data: a.csv, epochs: 1}\ngrid: {data.train_samples: [10, 20]}\n"
    )
    (tmp_path / "sub" / "two.yaml").write_text(
        "base: {data: a.csv, epochs: 1}\ngrid: {data: [a.csv, b.csv], data.standardize: [true, false]}\n"
    )
    (tmp_path / "sub" / "c.yaml").write_text("data: a.csv\nepochs: 1\n")
    for words, trials in (("one.yaml", 2), ("two.yaml", 4), ("c.yaml data.label_noise=0.1,0.2", 2)):
        ended = backproplab(f"sweep sub/{words} --dry-run")
        assert (ended.code, f"{trials} trials" in ended.out) == (0, True), ended.err


def test_show_names_what_of_the_data_is_no_default(trained):
    shown = " ".join(trained("show price").out.split())
    assert "data csv, path " in shown
    assert ", target price, columns day %d.%m.%Y, buys ignore, id nr" in shown
    assert "task auto" not in shown


@pytest.mark.parametrize("command", ["train", "sweep", "find-lr"])
@pytest.mark.parametrize("suffix", [".csv", ".npz"])
def test_data_in_the_place_of_a_config(command, suffix, backproplab, tmp_path):
    (tmp_path / f"mine{suffix}").write_bytes(b"a,b\n1,2\n")
    ended = backproplab(f"{command} mine{suffix}")
    assert ended.code == 2
    assert f"mine{suffix}: these are data, and a config is expected" in ended.err
    assert f"backproplab config init mine.yaml --data mine{suffix}" in ended.err
    assert not (tmp_path / "runs").exists()


def test_images_in_the_place_of_a_config(backproplab, tmp_path):
    (tmp_path / "photos" / "cat").mkdir(parents=True)
    assert "is a directory" in backproplab("train photos").err
    (tmp_path / "photos" / "cat" / "1.png").write_bytes(b"")
    for folder in ("photos", "photos/"):
        ended = backproplab(f"train {folder}")
        assert ended.code == 2
        assert "photos: these are data, and a config is expected" in ended.err
        assert "backproplab config init photos.yaml --data photos/" in ended.err


def test_data_in_the_place_of_a_formula(backproplab, tmp_path):
    (tmp_path / "f.csv").write_text("a,b\n1,2\n")
    ended = backproplab("descend f.csv")
    assert ended.code == 2
    assert "f.csv: is a file, and no YAML" in ended.err


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("f.cvs", "no data set reads 'f.cvs' — did you mean 'f.csv'?"),
        ("f.json", "no data set reads 'f.json' — files are read by their suffix, .csv .data"),
        ("f.csv.gz", "'f.csv.gz' is compressed — unpack it"),
        ("{path: f.xlsx}", "'f.xlsx' is a spreadsheet — save it as CSV"),
        ("photo", "'photo' is not known; one of arrays, "),
        ("photo", "a folder of images is written with a slash at its end: photo/"),
        ("irs", "did you mean 'iris'?"),
        ("{irs: {}}", "did you mean 'iris'?"),
        ("{target: bought}", "data: needs a path, such as {path: FILE.csv}, or a name"),
        ("{name: csv, path: 'https://x.org/f.csv'}", "it is an address: download the file"),
    ],
)
def test_what_is_no_data_set_says_what_to_do(data, message, backproplab, tmp_path):
    (tmp_path / "c.yaml").write_text(f"data: {data}\n")
    ended = backproplab("train c.yaml")
    assert ended.code == (4 if "path: '" in data else 2)
    assert message in " ".join(ended.err.split())
    assert ended.err.count("c.yaml:1:") == (0 if ended.code == 4 else 1)


def test_a_first_config_for_ones_own_data(backproplab, tmp_path):
    """What ``train`` prints for a table makes a config that trains on it; images and arrays too."""
    write(tmp_path / "mine.csv", rows(60))
    asked = backproplab("train mine.csv").err
    assert "backproplab config init mine.yaml --data mine.csv" in asked
    assert backproplab("config init mine.yaml --data mine.csv").code == 0
    assert load(tmp_path / "mine.yaml").data.path == str(tmp_path / "mine.csv")
    assert backproplab("train mine.yaml epochs=1 --dry-run").code == 0
    assert "backproplab train mine.yaml data=mine.csv" in backproplab("train mine.csv").err
    (tmp_path / "sub").mkdir()
    assert backproplab("config init sub/a.yaml --data mine.csv").code == 0
    assert load(tmp_path / "sub" / "a.yaml").data.path == str(tmp_path / "mine.csv")
    np.savez(tmp_path / "f.npz", x=np.arange(40.0).reshape(20, 2), y=np.arange(20) % 2)
    assert backproplab("config init b.yaml --data f.npz").code == 0
    assert "target" not in (tmp_path / "b.yaml").read_text()
    refused = backproplab("config init c.yaml --data f.xlsx")
    assert refused.code == 2
    assert "is a spreadsheet" in refused.err
