import numpy as np
import pytest
import scipy.fft
from helpers import reference_sida, reference_ycbcr
from small_data import small_config, small_manifest

from sfcl_tf.evaluation.spectra import sida_curves
from sfcl_tf.inputs.pipeline import InputPipeline
from sfcl_tf.reproduce.figures import (
    DIFFERENCE,
    FAKE,
    REAL,
    block_dct,
    full_dct,
    plot_heat_maps,
    plot_sida,
)


@pytest.fixture(scope="module")
def crop():
    return np.random.default_rng(0).integers(0, 256, (48, 40, 3)).astype("uint8")


def test_full_image_dct_is_scipys(crop):
    luma = reference_ycbcr(crop)[..., 0] - 128
    expected = np.log10(1 + np.abs(scipy.fft.dctn(luma, norm="ortho")))
    np.testing.assert_allclose(full_dct(crop), expected, atol=1e-4)


def test_blocks_stand_in_their_place(crop):
    luma = reference_ycbcr(crop)[..., 0] - 128
    found = block_dct(crop)
    assert found.shape == (48, 40)
    expected = scipy.fft.dctn(luma[16:24, 8:16], norm="ortho")
    expected = np.log10(1 + np.abs(expected))
    np.testing.assert_allclose(found[16:24, 8:16], expected, atol=1e-4)


def test_curves_are_means_over_frames_then_over_videos(tmp_path):
    pipeline = InputPipeline(small_manifest(tmp_path, frames=2), small_config())
    curves = sida_curves(pipeline.crops("test"))
    assert curves.count.tolist() == [2, 2]
    by_video = {}
    for face, label, meta in pipeline.crops("test"):
        means = reference_sida(face.numpy()).reshape(4, 3, 3, 64)[0, :, 0].ravel()
        key = int(label), meta["video_id"].numpy()
        by_video.setdefault(key, []).append(means)
    for label in (0, 1):
        videos = [np.mean(v, axis=0) for k, v in by_video.items() if k[0] == label]
        np.testing.assert_allclose(curves.mean[label], np.mean(videos, 0), rtol=1e-3)
        error = np.std(videos, axis=0, ddof=1) / np.sqrt(2)
        np.testing.assert_allclose(curves.error[label], error, rtol=0.02, atol=1e-3)

    above, below = plot_sida(curves).axes
    colors = [line.get_color() for line in (*above.lines, *below.lines)]
    assert {REAL, FAKE, DIFFERENCE} <= set(colors)
    drawn = next(x for x in below.lines if x.get_color() == DIFFERENCE)
    shown, last = drawn.get_ydata()[:-1], drawn.get_ydata()[-1]
    np.testing.assert_allclose(shown, (curves.mean[0] - curves.mean[1])[:-1])
    assert np.isnan(last)  # `intra` has no 64th difference
    assert 0 < above.get_ylim()[0] < np.nanmin(above.lines[0].get_ydata())
    assert sum("(row)" in text.get_text() for text in above.texts) == 1


def test_heat_maps_are_labelled(crop):
    figure = plot_heat_maps(crop, crop[:, ::-1], ("one", "two"))
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    for told in ("(a) full-image DCT, real", "(d) DCT of 8x8 blocks, fake"):
        assert told in titles
    assert len(figure.axes) == 8  # six pictures and two colour bars
