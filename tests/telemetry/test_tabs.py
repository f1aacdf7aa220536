"""Graphs, Images, PR Curves and Projector in a real browser, of a dense network, a CNN and a 2-D problem.

Pictures of the pages land in the folder that tests.browser.shots names.
"""

import json
import os
import signal
import subprocess
import sys
import urllib.request

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from backproplab import runs
from backproplab.config import load
from backproplab.experiment import build
from backproplab.journal import load as load_checkpoint
from backproplab.journal.summaries import pr_rows
from backproplab.telemetry import drawings
from backproplab.telemetry.answers import Answers
from tests.browser import Browser, needs_chromium, shooter

pytestmark = [pytest.mark.slow, needs_chromium]

CONFIGS = {
    "mlp": "data: digits\nmodel: {hidden: [16]}\nepochs: 3\ntensorboard: {projector: true}\n",
    "cnn": """
data: digits
model:
  layers: [{reshape: [8, 8, 1]}, {conv2d: {filters: 4}}, relu, flatten, {dropout: 0.2}, {dense: 10}]
epochs: 2
clipping: {global_norm: 1}
""",
    "spiral": "data: {name: spiral, samples: 200}\nmodel: {hidden: [8]}\nepochs: 20\n",
}
NODES = "all('g.node').map((x) => x.getAttribute('data-name')).filter((x) => !x.includes('~~'))"


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """A session of three experiments; boards register beside it, and are stopped."""
    place = tmp_path_factory.mktemp("tabs")
    (place / "info").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(place / "info"))
        patch.setattr("tempfile.tempdir", str(place / "info"))
        for name, text in CONFIGS.items():
            (place / f"{name}.yaml").write_text(text)
        files = [f"{name}.yaml" for name in CONFIGS]
        words = [sys.executable, "-m", "backproplab", "train", *files, "--progress", "none"]
        subprocess.run(words, cwd=place, check=True, capture_output=True)
        (session,) = place.glob("runs/*/")
        yield session


@pytest.fixture(scope="module")
def page(session):
    """page(run): the address of the TensorBoard that shows this run alone."""
    boards = {}

    def page(run):
        if run not in boards:
            boards[run] = runs.start(session / run)
        return f"http://127.0.0.1:{boards[run].port}/"

    yield page
    for board in boards.values():
        os.kill(board.pid, signal.SIGTERM)


@pytest.fixture(scope="module")
def browser(session):
    with Browser(session.parents[1]) as browser:
        yield browser


@pytest.fixture
def shot(browser, tmp_path_factory):
    return shooter(browser, tmp_path_factory.getbasetemp())


def trained(session, run):
    """The network with the weights of the run's last checkpoint."""
    descent = build(load(session / run / "config.yaml")).descent()
    last = load_checkpoint(session / run / "checkpoints/last.safetensors").arrays
    for name, view in descent.parameters.views.items():
        view[...] = last[f"learner/weights/{name}"]
    return descent


def answers(session, run):
    """What these weights predict."""
    return Answers(trained(session, run))


def ask(address):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(address, timeout=10) as answer:
        return answer.read()


LAYERS = {
    "mlp": {"dense_1", "dense_2"},
    "cnn": {"reshape_1", "conv2d_1", "relu_1", "flatten_1", "dropout_1", "dense_1"},
    "spiral": {"dense_1", "dense_2"},
}


@pytest.mark.parametrize("run", CONFIGS)
def test_the_graph_is_the_layers(browser, page, shot, run):
    browser.open(page(run) + "#graphs")
    browser.until("texts().includes('optimizer')")
    assert set(browser.until(NODES)) == LAYERS[run] | {"inputs", "targets", "loss", "optimizer"}
    shot(f"graph_{run}")


def test_a_layer_opens_and_shows_its_backward_pass_its_shapes_and_its_time(browser, page, shot):
    browser.open(page("mlp") + "#graphs")
    browser.until("texts().includes('dense_2')")
    browser.run("""all('g.node').find((x) => x.getAttribute('data-name') === 'dense_1')
        .querySelector('.nodeshape').dispatchEvent(
            new MouseEvent('dblclick', {bubbles: true, composed: true}))""")
    browser.until(f"{NODES}.includes('dense_1/backward')")
    inside = {
        f"dense_1/{name}"
        for name in ("kernel", "bias", "matrix_product", "add", "relu", "backward")
    }
    assert inside <= set(browser.run(NODES))
    assert "32×64" in browser.run("texts()")  # the batch at its edge
    browser.run("all('paper-item').find((x) => x.innerText.includes('1000 updates')).click()")
    for choice in ("Profile", "Compute time"):
        button = f"all('paper-radio-button').find((x) => x.innerText.includes('{choice}'))"
        browser.until(f"!{button}.disabled")
        browser.run(f"{button}.click()")
    browser.until("texts().includes('0 µs')")
    shades = "all('g.node .nodeshape rect').map((x) => getComputedStyle(x).fill)"
    assert len(set(browser.run(shades))) >= 3
    assert "NaN" not in browser.run("texts()")
    shot("graph_compute_time")


@pytest.mark.parametrize("run", CONFIGS)
def test_the_confusion_matrix_is_the_last_weights_and_sums_to_m(browser, session, page, shot, run):
    browser.open(page(run) + "#images")
    card = "all('tf-image-loader').find((x) => x.tag === 'images/confusion_matrix')"
    source = browser.until(
        f"inside({card}.shadowRoot).find((x) => x.matches('img') && x.naturalWidth).src"
    )
    shot(f"images_{run}")
    found = answers(session, run)
    counts = confusion_matrix(found.of.targets, found.classes, labels=range(len(found.labels)))
    assert counts.sum() == len(found.of) == {"mlp": 359, "cnn": 359, "spiral": 40}[run]
    assert ask(source) == drawings.confusion(counts, found.labels).png


@pytest.mark.parametrize(
    ("run", "tags"),
    [("mlp", ["examples", "first_layer", "worst_examples"]), ("cnn", ["first_layer"]), ("spiral", ["boundary", "first_layer"])],
)  # fmt: skip
def test_pictures_are_drawn(browser, page, run, tags):
    browser.open(page(run) + "#images")
    browser.until("texts().includes('confusion_matrix')")
    sizes = """all('tf-image-loader').map((x) => [x.tag, inside(x.shadowRoot)
        .filter((y) => y.matches('img')).map((y) => y.naturalWidth)[0] || 0])"""
    names = [f"images/{tag}" for tag in [*tags, "confusion_matrix"]]
    drawn = dict(
        browser.until(
            f"((x) => x.every(([_, w]) => w > 30) && x.length >= {len(names)} && x)({sizes})"
        )
    )
    assert set(names) <= drawn.keys()


@pytest.mark.parametrize("run", CONFIGS)
def test_a_precision_recall_curve_is_drawn_and_is_that_of_the_last_weights(
    browser, session, page, shot, run
):
    name, label = {"spiral": ("_1", 1)}.get(run, ("0", 0))
    browser.open(page(run) + "#pr_curves")
    browser.until(f"texts().includes('pr_curves/{name}')")
    drawn = "all('path.line').map((x) => x.getAttribute('d')).some((x) => x.split('L').length > 5)"
    browser.until(drawn)
    shot(f"pr_curves_{run}")
    address = f"{page(run)}data/plugin/pr_curves/pr_curves?tag=pr_curves/{name}&run=validation"
    last = json.loads(ask(address))["validation"][-1]
    found = answers(session, run)
    rows = pr_rows(found.probabilities[:, label], found.of.targets == label)
    shown = len(last["precision"])  # those at which anything counts as positive
    np.testing.assert_allclose(last["precision"], rows[4, :shown], rtol=1e-6)
    np.testing.assert_allclose(last["recall"], rows[5, :shown], rtol=1e-6)


def test_histograms_draw_the_looks_and_the_last_one_is_of_the_last_weights(
    browser, session, page, shot
):
    """30 bins at each of three looks; distributions have the same values between their edges."""
    browser.open(page("mlp") + "#histograms")
    drawn = """all('tf-histogram-loader').map((x) => [x.tag, inside(x.shadowRoot)
        .filter((y) => y.matches('g.histogram path')).map((y) => y.getAttribute('d').split('L').length)])"""
    curves = dict(
        browser.until(f"((x) => x.length && x.every(([_, n]) => n.length) && x)({drawn})")
    )
    assert {"gradients/dense_1/kernel", "outputs/dense_1"} < curves.keys()
    assert all(len(points) == 3 and min(points) > 30 for points in curves.values())
    shot("histograms_mlp")
    kernel = trained(session, "mlp").weights["dense_1/kernel"]
    asked = "?run=train&tag=weights/dense_1/kernel"
    looks = json.loads(ask(f"{page('mlp')}data/plugin/histograms/histograms{asked}"))
    assert [step for _, step, _ in looks] == [-1, 0, 2]
    np.testing.assert_array_equal([x for *_, x in looks[-1][2]], np.histogram(kernel, 30)[0])
    browser.open(page("mlp") + "#distributions")
    bands = """all('tf-distribution-loader').flatMap((x) => inside(x.shadowRoot))
        .filter((x) => x.matches('path.area')).length"""
    browser.until(f"{bands} >= {len(curves)}")
    shot("distributions_mlp")
    looks = json.loads(ask(f"{page('mlp')}data/plugin/distributions/distributions{asked}"))
    edges = dict(looks[-1][2])
    assert (edges[0], edges[10000]) == pytest.approx((kernel.min(), kernel.max()))


def test_custom_scalars_draw_all_layers_of_one_kind_in_one_chart(browser, session, page, shot):
    browser.open(page("mlp") + "#custom_scalars")
    drawn = """all('tf-custom-scalar-multi-line-chart-card').map((x) => [x.title, inside(x.shadowRoot)
        .filter((y) => y.matches('path.line') && (y.getAttribute('d') || '').includes('L')).length / 2])"""
    titles = ["loss", "accuracy", "Norm of the weights", "Spread of ∂L/∂z"]
    whole = (
        f"{json.dumps(titles)}.every((title) => x.some(([other, n]) => other === title && n >= 2))"
    )
    curves = dict(browser.until(f"((x) => {whole} && x)({drawn})"))
    for title in titles:
        assert curves[title] == 2, title  # train and validation; or two layers
    shot("custom_scalars_mlp")
    weights = trained(session, "mlp").weights
    for layer in ("dense_1", "dense_2"):
        tag = f"telemetry/weight_norm/{layer}"
        *_, last = json.loads(ask(f"{page('mlp')}data/plugin/scalars/scalars?run=train&tag={tag}"))
        norm = np.hypot(*(np.linalg.norm(weights[f"{layer}/{w}"]) for w in ("kernel", "bias")))
        assert last[1:] == [2, pytest.approx(norm, rel=1e-6)]


def test_the_projector_shows_a_point_for_each_example(browser, page, shot):
    browser.open(page("mlp") + "data/plugin/projector/projector_binary.html")
    browser.until("texts().includes('Points: 359') && texts().includes('Dimension: 16')")
    assert "input of dense_2" in browser.run("texts()")
    browser.until("texts().includes('Total variance described')")
    shot("projector_mlp")
