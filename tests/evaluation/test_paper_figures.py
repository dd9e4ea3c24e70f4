import dataclasses

import numpy as np
import pytest
from helpers import reference_dct, reference_sida, reference_ycbcr
from small_data import small_config, small_manifest

from sfcl_tf.data.pipeline import InputPipeline
from sfcl_tf.errors import DataError
from sfcl_tf.evaluation import paper_figures
from sfcl_tf.evaluation.plots import save


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "records"
    return InputPipeline(small_manifest(folder), small_config())


@pytest.fixture(scope="module")
def means(pipeline):
    return paper_figures.sida_means(pipeline, "test")


def test_means_are_those_of_sida_with_each_video_once(pipeline, means):
    expected = ({}, {})
    for crop, label, meta in pipeline.crops("test"):
        video = expected[int(label)].setdefault(meta["video_id"].numpy(), [])
        video.append(reference_sida(crop.numpy()).reshape(4, 3, 3, 64)[0, :, 0])
    for found, videos in zip(means, expected, strict=True):
        by_video = np.array([np.mean(frames, axis=0) for frames in videos.values()])
        wanted = by_video.mean(0)
        np.testing.assert_allclose(
            found.mean.ravel()[:-1], wanted.ravel()[:-1], rtol=1e-4, atol=1e-4
        )
        assert np.isnan(found.mean[2, 63])
        error = by_video.std(0, ddof=1) / np.sqrt(2)
        np.testing.assert_allclose(found.error[0], error[0], rtol=1e-3, atol=1e-4)
        assert (found.videos, found.frames) == (2, 8)


def test_frames_are_bounded_and_spread_over_the_split(pipeline):
    real, fake = paper_figures.sida_means(pipeline, "test", most=4)
    assert (real.frames, fake.frames) == (2, 2)
    assert (real.videos, fake.videos) == (2, 2)


def test_smoothed_fakes_lie_below_reals_at_high_frequencies(means):
    real, fake = means
    assert (real.mean[:2, 32:] > fake.mean[:2, 32:]).all()


def test_spectra_are_those_of_scipy(pipeline):
    import scipy.fft

    crop, _ = paper_figures.pair_of_faces(pipeline, "test")
    blocks = paper_figures.block_spectrum(crop)
    assert blocks.shape == tuple(n // 8 * 8 for n in crop.shape[:2])
    luma = reference_ycbcr(crop)[..., 0] - 128
    found = 10 ** blocks[8:16, 16:24]
    expected = np.abs(scipy.fft.dctn(luma[8:16, 16:24], norm="ortho"))
    np.testing.assert_allclose(found, np.maximum(expected, 1e-2), rtol=1e-2, atol=1e-3)
    assert np.isclose(found[0, 0], abs(reference_dct(crop)[1, 2, 0, 0]), rtol=1e-3)
    whole = 10 ** paper_figures.full_spectrum(crop)
    expected = np.abs(scipy.fft.dctn(luma, norm="ortho"))
    np.testing.assert_allclose(whole, np.maximum(expected, 1e-2), rtol=1e-2, atol=1e-3)


def test_figures_have_what_the_papers_have(pipeline, means, tmp_path):
    one = paper_figures.figure1(*paper_figures.pair_of_faces(pipeline, "test"))
    titles = " ".join(axes.get_title(loc="left") for axes in one.axes)
    for part in ("(a) Full-image DCT, real", "(d) Block-wise DCT, fake"):
        assert part in titles
    assert sum("log10" in axes.get_ylabel() for axes in one.axes) == 2
    seven = paper_figures.figure7(*means)
    upper = seven.axes[0]
    assert len(upper.lines) == 2 * 3 + 2  # segments and their marks
    named = [t.get_text() for axes in seven.axes for t in axes.get_legend().get_texts()]
    assert [name.split(":")[0] for name in named] == [
        "real",
        "fake",
        "difference, real - fake",
    ]
    for name, figure in (("one", one), ("seven", seven)):
        save(figure, tmp_path / name)
        svg = (tmp_path / f"{name}.svg").read_text()
        assert "mathdefault" not in svg
        assert (tmp_path / f"{name}.png").stat().st_size > 10_000


def test_a_split_of_one_class_is_told(pipeline):
    fakes = tuple(v for v in pipeline.manifest.videos if v["label"])
    manifest = dataclasses.replace(pipeline.manifest, videos=fakes)
    alone = dataclasses.replace(pipeline, manifest=manifest)
    for draw in (paper_figures.pair_of_faces, paper_figures.sida_means):
        with pytest.raises(DataError, match="no real one"):
            draw(alone, "test")
