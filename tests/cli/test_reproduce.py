import pytest
from small_data import small_manifest

from sfcl_tf.cli import main, reproduce

TABLE3 = ("reproduce", "table3", "--dataset", "demo", "--preset", "tiny")


@pytest.fixture
def asked(monkeypatch):
    """The configurations that tables are asked for, which are not made."""
    configs = []

    def table(args, config, folder):
        configs.append(config)
        return 0

    monkeypatch.setattr(reproduce, "_table", table)
    return configs


@pytest.mark.parametrize(
    ("options", "frames", "epochs"),
    [
        ((), 4, 3),
        (("--frames", "8"), 8, 3),
        (("--epochs", "7"), 4, 7),
        (("--set", "train.epochs=9", "--set", "data.frames=5"), 5, 9),
    ],
)
def test_the_demo_is_short_unless_told_otherwise(asked, options, frames, epochs):
    assert main([*TABLE3, *options]) == 0
    (config,) = asked
    assert (config.data.frames, config.train.epochs) == (frames, epochs)


def test_a_file_of_settings_holds_on_the_demo_too(asked, place):
    (place / "mine.toml").write_text("[train]\nepochs = 11\n")
    assert main([*TABLE3, "--config", "mine.toml"]) == 0
    assert asked[0].train.epochs == 11


def test_figures_take_a_bounded_number_of_frames(place, monkeypatch):
    from sfcl_tf.evaluation import spectra

    manifest = small_manifest(place / "records")
    monkeypatch.setattr(reproduce, "ready_records", lambda *args: manifest)
    monkeypatch.setattr(reproduce, "_FRAMES", 8)
    counts, curves = [], spectra.sida_curves

    def counted(crops, on_crop):
        crops = list(crops)
        counts.append(len(crops))
        return curves(crops, on_crop)

    monkeypatch.setattr(spectra, "sida_curves", counted)
    argv = ["reproduce", "figure7", "--dataset", "demo", "--preset", "tiny"]
    assert main(argv) == 0
    assert counts == [8]
    made = sorted((place / "runs/reproduce-demo-tiny").iterdir())
    assert [path.name for path in made] == ["figure7.png", "figure7.svg"]


def test_what_is_missing_is_told_before_anything_is_trained(place, capsys, monkeypatch):
    monkeypatch.setenv("SFCL_WEIGHTS", str(place))
    monkeypatch.setenv("KERAS_HOME", str(place))
    argv = ("reproduce", "table3", "--dataset", "demo", "--preset", "paper")
    assert main(argv) == 4
    assert "efficientnetb4_notop.h5" in capsys.readouterr().err
    assert main(["reproduce", "table4", "--dataset", "ff_c23"]) == 3
    assert not (place / "demo_data").exists()
