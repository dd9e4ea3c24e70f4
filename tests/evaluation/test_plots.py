import numpy as np
import pytest
from matplotlib.figure import Figure

from sfcl_tf.evaluation import plots
from sfcl_tf.evaluation.predictions import Predictions

HISTORY = [
    {
        "epoch": 1,
        "loss": 0.7,
        "val_loss": 0.6,
        "auc": 0.6,
        "val_auc": 0.7,
        "learning_rate": 1e-3,
    },
    {
        "epoch": 2,
        "loss": 0.4,
        "val_loss": None,
        "val_auc": float("nan"),
        "learning_rate": 5e-4,
    },
]


def make(methods, frames=6):
    rng = np.random.default_rng(0)
    method = np.repeat(methods, frames)
    label = (method != "real").astype(int)
    n = len(method)
    return Predictions(
        dataset=["a$\\x$b"] * n,
        split=["test"] * n,
        method=method,
        video_id=method,
        frame_index=np.arange(n),
        time_s=np.zeros(n),
        track_id=np.zeros(n),
        label=label,
        logit=rng.normal(2 * label - 1),
    )


def example(caption="real", label=0, score=0.1, shape=(12, 9, 3)):
    return plots.Example(np.full(shape, 90, np.uint8), caption, label, score)


def texts(figure):
    figure.draw_without_rendering()
    found = [t.get_text() for axes in figure.axes for t in axes.texts]
    return " ".join(found + [axes.get_xlabel() for axes in figure.axes])


@pytest.mark.parametrize("plot", [plots.plot_roc, plots.plot_scores])
@pytest.mark.parametrize(
    "methods", [["real", "swap", "a$\\x$b", "_c"], ["real"], ["swap"], []]
)
def test_curves_draw_whatever_classes_there_are(plot, methods, tmp_path):
    figure = plot(make(methods))
    assert isinstance(figure, Figure)
    plots.save(figure, tmp_path / "plot")


def test_a_missing_class_is_told_in_the_roc_plot():
    assert "no fakes" in texts(plots.plot_roc(make(["real"])))
    assert "no reals" in texts(plots.plot_roc(make(["swap"])))


def test_many_frames_are_counted_on_a_log_axis():
    few, many = make(["real", "swap"]), make(["real", "swap"], frames=2000)
    assert plots.plot_scores(few).axes[0].get_yscale() == "linear"
    assert plots.plot_scores(many).axes[0].get_yscale() == "log"


def test_confusion_counts_frames_and_videos():
    text = texts(plots.plot_confusion(make(["real", "swap"], frames=50)))
    assert " of 50" in text
    assert " of 1" in text
    assert "n/a\n0 of 0" in texts(plots.plot_confusion(make(["real"])))


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_training_draws_what_the_history_has(rows):
    figure = plots.plot_training(HISTORY[:rows])
    labels = [axes.get_ylabel() for axes in figure.axes]
    assert labels == (["Loss", "AUC", "Learning rate"] if rows else [""])
    assert ("No training history" in texts(figure)) == (rows == 0)


def test_examples_tell_right_and_wrong_by_text():
    figure = plots.plot_examples(
        [example(), example("swap", 1, 0.2, (30, 40, 3)), example("swap", 1, 0.5)]
    )
    assert texts(figure).count("right") == 2
    assert texts(figure).count("wrong") == 1


@pytest.mark.parametrize("count", [0, 1, 7])
def test_any_number_of_examples_fits(count):
    figure = plots.plot_examples([example()] * count)
    assert sum(len(axes.images) for axes in figure.axes) == count


def test_overview_shows_one_example_a_method_real_first():
    examples = [example("b", 1), example(), example("a", 1), example("b", 1)]
    figure = plots.overview(make(["real", "a", "b"]), HISTORY, examples)
    titles = [axes.get_title("center") for axes in figure.axes if axes.images]
    assert titles == ["real", "b", "a"]
    assert plots.overview(make(["real"]), [], []).axes


def test_saved_files_are_the_same_bytes_each_time(tmp_path):
    for name in ("one", "two"):
        figure = plots.overview(make(["real", "swap"]), HISTORY, [example()])
        plots.save(figure, tmp_path / name)
    for suffix in ("png", "svg"):
        one, two = (tmp_path / f"{n}.{suffix}" for n in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


def test_a_dot_in_the_name_is_kept(tmp_path):
    plots.save(plots.plot_training([]), tmp_path / "run_v1.5")
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "run_v1.5.png",
        "run_v1.5.svg",
    ]


def test_plotting_leaves_no_global_state():
    import matplotlib

    before = dict(matplotlib.rcParams)
    plots.plot_roc(make(["real", "swap"]))
    assert dict(matplotlib.rcParams) == before
