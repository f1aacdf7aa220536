"""How good answers are: each number against scikit-learn's, each figure as it is drawn."""

import json
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
from sklearn import metrics
from sklearn.calibration import calibration_curve
from sklearn.inspection import permutation_importance

import backproplab as bpl
from backproplab import report
from backproplab.assessing import Sample, parts_of
from backproplab.assessing.calibration import Bins
from backproplab.assessing.classes import DRAWN, Confusion, Roc
from backproplab.assessing.groups import Groups
from backproplab.assessing.importance import Importance
from backproplab.assessing.picture import DASHES, Picture
from backproplab.assessing.thresholds import Thresholds
from backproplab.config import load
from backproplab.errors import DataError, RunError
from backproplab.palette import THEMES
from backproplab.report.page import render
from backproplab.runs import find_run
from backproplab.text import json_tree

ROWS = 240
SHORT = "epochs: 6\nlearning_rate: 0.03\nthreads: 1\nmodel: {hidden: [6]}\ntensorboard: off\n"
TARGETS = ("kind", "buys", "price")  # three classes, two, a number


def write_table(path, rows=ROWS, seed=0):
    chance = np.random.default_rng(seed)
    x, city = chance.normal(size=rows), chance.choice(["Köln", "Ulm"], rows)
    height = chance.normal(size=rows)
    noise = chance.normal(size=rows) / 3
    kind = np.array(["a", "b & c", "d"])[np.digitize(x + noise, [-0.5, 0.5])]
    lines = [
        f"{'' if i % 11 == 0 else x[i]},{height[i]},{city[i]},{1 + i % 3},{kind[i]},"
        f"{'yes' if x[i] + noise[i] > 0 else 'no'},{100 + 9 * x[i] + 3 * (city[i] == 'Ulm')}"
        for i in range(rows)
    ]
    path.write_text("x,height,city,counts,kind,buys,price\n" + "\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A run of each task on one table, whose rows count differently."""
    folder = tmp_path_factory.mktemp("shop")
    write_table(folder / "shop.csv")
    for name in TARGETS:
        others = ", ".join(f"{other}: ignore" for other in TARGETS if other != name)
        fields = f"path: shop.csv, target: {name}, weights: counts, test_split: 0.3"
        (folder / f"{name}.yaml").write_text(f"data: {{{fields}, columns: {{{others}}}}}\n{SHORT}")
        bpl.run(load(folder / f"{name}.yaml"), folder / "runs" / "20261130-000000" / name)
    return folder


@pytest.fixture(params=TARGETS)
def sample(request, shop):
    return sample_of(shop, request.param)


def sample_of(shop, name):
    return Sample.of(bpl.model(shop / "runs" / "20261130-000000" / name))


def drawn(seed):
    """Classes, scores with ties, weights."""
    chance = np.random.default_rng(seed)
    is_class = chance.random(200) < 0.3
    scores = np.round(np.clip(0.3 * is_class + chance.random(200) * 0.7, 0, 1), 2)
    return is_class, scores, chance.integers(1, 5, 200).astype(float)


@pytest.mark.parametrize("seed", range(4))
def test_curves_are_those_of_scikit_learn(seed):
    is_class, scores, weights = drawn(seed)
    found = Thresholds.of(is_class, scores, weights)
    false, true, _ = metrics.roc_curve(
        is_class, scores, sample_weight=weights, drop_intermediate=False
    )
    np.testing.assert_allclose(found.false_rate, false, atol=1e-12)
    np.testing.assert_allclose(found.recall, true, atol=1e-12)
    assert found.area == pytest.approx(
        metrics.roc_auc_score(is_class, scores, sample_weight=weights), rel=1e-12
    )
    precision, recall, _ = metrics.precision_recall_curve(is_class, scores, sample_weight=weights)
    np.testing.assert_allclose(found.precision[:0:-1], precision[:-1], atol=1e-12)
    np.testing.assert_allclose(found.recall[::-1], recall, atol=1e-12)
    assert found.average_precision == pytest.approx(
        metrics.average_precision_score(is_class, scores, sample_weight=weights), rel=1e-12
    )


@pytest.mark.parametrize("seed", range(4))
def test_bins_are_those_of_scikit_learn(seed):
    came, said, weights = drawn(seed)
    alike = Bins.of(said, came, np.ones(200))
    share, mean = calibration_curve(came, said, n_bins=10)
    np.testing.assert_allclose(alike.came, share, rtol=1e-12)
    np.testing.assert_allclose(alike.said, mean, rtol=1e-12)
    assert alike.counts.sum() == 200
    repeated = np.repeat(np.arange(200), weights.astype(int))  # a weight is a number of copies
    weighted = Bins.of(said, came, weights)
    copied = Bins.of(said[repeated], came[repeated], np.ones(len(repeated)))
    for name in ("shares", "said", "came", "error"):
        np.testing.assert_allclose(getattr(weighted, name), getattr(copied, name), rtol=1e-12)


def test_the_test_split_is_judged_with_its_own_rows(sample):
    assert sample.name == "test"
    assert len(sample) == len(sample.table) == 72
    counts = sample.table.column("counts").values
    np.testing.assert_array_equal(sample.weights, counts)
    again = Sample.of(sample.model, sample.table)  # the same rows as another table
    np.testing.assert_array_equal(again.outputs, sample.outputs)
    np.testing.assert_array_equal(again.truth, sample.truth)


def test_the_matrix_and_the_areas_of_a_run(shop):
    sample = sample_of(shop, "kind")
    np.testing.assert_array_equal(
        Confusion.of(sample).counts, metrics.confusion_matrix(sample.truth, sample.decided)
    )
    for number, name in enumerate(sample.classes):
        area = metrics.roc_auc_score(
            sample.truth == number, sample.probabilities[:, number], sample_weight=sample.weights
        )
        assert Roc(sample).values[name] == pytest.approx(area, rel=1e-9)


def test_groups_are_measured_apart(sample):
    found = Groups.of(sample, "city").found
    texts = sample.table.column("city")
    of_all = sample.model.evaluate()["test"][1]
    metric = "accuracy" if sample.classes else "mae"
    whole = 0.0
    for name, (count, row) in found.items():
        rows = np.flatnonzero(texts.codes == texts.levels.index(name))
        weights = sample.weights[rows]
        if sample.classes:
            right = sample.decided[rows] == sample.truth[rows]
            expected = metrics.accuracy_score(right, np.ones(len(rows)), sample_weight=weights)
        else:
            expected = metrics.mean_absolute_error(
                sample.truth[rows], sample.predicted[rows], sample_weight=weights
            )
        assert count == len(rows)
        assert row[metric] == pytest.approx(expected, rel=1e-9)
        whole += row[metric] * weights.sum() / sample.weights.sum()
    assert whole == pytest.approx(of_all[metric], rel=1e-6)


def test_numbers_are_grouped_by_their_quarters(shop):
    found = Groups.of(sample_of(shop, "buys"), "x").found
    assert len(found) == 5
    assert list(found)[-1] == "(missing)"
    counts = [count for count, _ in found.values()]
    assert sum(counts) == 72
    assert max(counts[:4]) - min(counts[:4]) <= 1
    assert set(Groups.of(sample_of(shop, "buys"), "counts").found) == {"1", "2", "3"}


@pytest.mark.slow
def test_importance_is_that_of_scikit_learn(shop):
    """With 25 permutations; the mean of each falls within four of its standard errors."""
    sample = sample_of(shop, "kind")
    own = Importance.of(sample, repeats=25)

    class Answering:
        def fit(self, x, y):
            return self

        def score(self, x, y, sample_weight):
            decided = sample.model.loss.decide(sample.model.outputs(x.astype(np.float32)))
            return metrics.accuracy_score(y, decided, sample_weight=sample_weight)

    theirs = permutation_importance(
        Answering(), sample.examples.inputs, sample.truth, n_repeats=25, random_state=0,
        sample_weight=sample.weights,
    )  # fmt: skip
    for place, name in enumerate(("x", "height")):
        number = own.names.index(name)
        error = np.hypot(own.falls[number].std(), theirs.importances_std[place]) / np.sqrt(25)
        assert abs(own.means[number] - theirs.importances_mean[place]) <= 4 * error + 1e-9
    assert own.means[own.names.index("x")] > 0.2
    assert own.names == ("x", "height", "city")  # a category is one column


@pytest.mark.parametrize("theme", THEMES)
def test_every_figure_is_a_picture_with_every_number(sample, theme):
    parts = {part.name: part for part in parts_of(sample, "city")}
    own = {"residuals"} if not sample.classes else {"confusion", "roc", "precision_recall", "calibration"}  # fmt: skip
    assert parts.keys() == own | {"groups", "importance"}
    for part in parts.values():
        text = part.figure(THEMES[theme])
        tree = ElementTree.fromstring(text)
        width = float(tree.get("width"))
        assert text.isascii()
        assert "nan" not in text
        for node in tree.iter("{http://www.w3.org/2000/svg}text"):
            assert -1 <= float(node.get("x")) <= width
        ElementTree.fromstring(part.within_page(THEMES[theme]))
    if sample.classes:
        assert "b &amp; c" in parts["confusion"].figure(THEMES[theme]) or len(sample.classes) == 2


def test_curves_differ_in_more_than_their_color():
    for theme in THEMES.values():
        looks = [Picture("", "", theme).look(n) for n in range(DRAWN)]
        assert len(set(looks)) == DRAWN
    assert len(THEMES["light"].runs) * len(DASHES) >= DRAWN


def test_a_class_that_does_not_occur_has_no_curve(shop):
    sample = sample_of(shop, "kind")
    only = np.flatnonzero(sample.truth != 2)
    fewer = Sample("some", sample.model, sample.examples.take(only), sample.table.take(only))
    assert list(Roc(fewer).found) == ["a", "b & c"]
    one = np.flatnonzero(sample.truth == 0)
    single = Sample("one", sample.model, sample.examples.take(one))
    assert [part.name for part in parts_of(single)] == ["confusion", "calibration", "importance"]


def test_what_has_no_figures_is_refused(shop):
    sample = sample_of(shop, "buys")
    lost = SimpleNamespace(classes=("no", "yes"), outputs=np.array([[np.nan]]), model=sample.model)
    with pytest.raises(RunError, match="its answers are not finite"):
        list(parts_of(lost))
    with pytest.raises(DataError, match="there is no column 'town'"):
        list(parts_of(sample, "town"))
    arrays = Sample("test", sample.model, sample.examples)
    with pytest.raises(DataError, match="whose columns have no names"):
        Groups.of(arrays, "city")


def test_the_report_shows_the_best_run(shop):
    info = find_run(shop / "runs", "kind")
    records, warnings = report.read_records([info])
    page, _ = render(report.compare(records), warnings)
    assert page.count('class="drawn"') == 5
    assert "kind, weights of its best epoch, on its test split." in page


def test_numbers_are_written_beside_the_figures(sample):
    numbers = {part.name: part.tree() for part in parts_of(sample)}
    read = json.loads(json.dumps(json_tree(numbers)))
    if sample.classes:
        assert np.sum(read["confusion"]["counts"]) == 72
    else:
        left = read["residuals"]["price"]["residual"]
        np.testing.assert_allclose(left, (sample.truth - sample.predicted)[:, 0])
