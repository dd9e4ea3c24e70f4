import cv2
import hypothesis
import hypothesis.extra.numpy as npst
import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf
from helpers import reference_dct, reference_sida, reference_ycbcr

from sfcl_tf import ops
from sfcl_tf.inputs.preprocess import tf_basis

IMAGES = npst.arrays("uint8", (32, 40, 3))
FEW = hypothesis.settings(max_examples=20, deadline=None)


def random_image(height=64, width=72, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3)).astype("uint8")


def test_ycbcr_is_jfif_and_agrees_with_opencv():
    image = random_image()
    found = np.asarray(ops.rgb_to_ycbcr(image))
    np.testing.assert_allclose(found, reference_ycbcr(image), atol=1e-3)
    bgr = (image[..., ::-1] / 255).astype("float32")
    y, cr, cb = np.moveaxis(cv2.cvtColor(bgr, cv2.COLOR_BGR2YCrCb) * 255, -1, 0)
    # OpenCV rounds its coefficients to three digits and centres on 127.5.
    expected = np.stack([y, cb + 0.5, cr + 0.5], -1)
    np.testing.assert_allclose(found, expected, atol=0.2)


def test_zigzag_is_jpegs_table():
    expected = [0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5]
    assert ops.ZIGZAG[:16].tolist() == expected
    assert ops.ZIGZAG[-4:].tolist() == [47, 55, 62, 63]
    assert sorted(ops.ZIGZAG) == list(range(64))


def test_closed_form_basis_is_tensorflows():
    np.testing.assert_allclose(ops.dct_basis(), tf_basis(), atol=1e-6)
    np.testing.assert_allclose(
        ops.dct_basis() @ ops.dct_basis().T, np.eye(8), atol=1e-12
    )


def test_kernel_refuses_another_basis():
    with pytest.raises(ValueError, match=r"Expected a basis of shape \(8, 8\)"):
        ops.dct_kernel(np.eye(4))


def test_luma_alone_is_the_first_channel_and_leaves_the_others_0():
    image = random_image()
    bands, luma = (ops.block_dct(image, channels=c) for c in ("ycbcr", "y"))
    assert luma.shape == (*bands.shape[:-2], 1, 64)
    np.testing.assert_allclose(luma, bands[..., :1, :], atol=1e-3)
    whole, part = (
        np.asarray(ops.sida(image, channels=c)).reshape(4, 3, 3, 64)
        for c in ("ycbcr", "y")
    )
    np.testing.assert_allclose(part[:, :, 0], whole[:, :, 0], rtol=1e-3, atol=1e-3)
    assert (part[:, :, 1:] == 0).all()
    assert (whole[:3, :2, 1:] != 0).all()


def test_other_channels_are_refused():
    with pytest.raises(ValueError, match="Expected `channels` of ycbcr, y"):
        ops.block_dct(random_image(), channels="rgb")


def test_block_dct_agrees_with_scipy_and_tf_signal():
    image = random_image(61, 79)  # remainders of 8 are dropped
    found = np.asarray(ops.block_dct(image))
    assert found.shape == (7, 9, 3, 64)
    assert found.dtype == "float32"
    np.testing.assert_allclose(found, reference_dct(image), atol=1e-3)
    planes = tf.constant(reference_ycbcr(image)[:56, :72] - 128, tf.float32)
    blocks = tf.transpose(tf.reshape(planes, (7, 8, 9, 8, 3)), (0, 2, 4, 1, 3))
    bands = tf.signal.dct(blocks, norm="ortho")
    bands = tf.signal.dct(tf.linalg.matrix_transpose(bands), norm="ortho")
    bands = tf.reshape(tf.linalg.matrix_transpose(bands), (7, 9, 3, 64))
    np.testing.assert_allclose(found, tf.gather(bands, ops.ZIGZAG, axis=-1), atol=1e-3)


@FEW
@hypothesis.given(IMAGES, IMAGES, st.floats(0, 1))
def test_block_dct_is_affine(a, b, share):
    mixed = share * a.astype("float32") + (1 - share) * b.astype("float32")
    expected = share * np.asarray(ops.block_dct(a)) + (1 - share) * np.asarray(
        ops.block_dct(b)
    )
    np.testing.assert_allclose(np.asarray(ops.block_dct(mixed)), expected, atol=5e-3)


@FEW
@hypothesis.given(IMAGES)
def test_block_dct_keeps_energy(image):
    energy = (np.asarray(ops.block_dct(image), "float64") ** 2).sum((0, 1, 3))
    expected = ((reference_ycbcr(image) - 128) ** 2).sum((0, 1))
    np.testing.assert_allclose(energy, expected, rtol=1e-4, atol=1)


@pytest.mark.parametrize("lead", [(), (2,), (2, 3)])
def test_ops_take_any_leading_axes(lead):
    image = random_image()
    stacked = np.broadcast_to(image, (*lead, *image.shape))
    for op in (ops.rgb_to_ycbcr, ops.block_dct, ops.sida):
        one, many = np.asarray(op(image)), np.asarray(op(stacked))
        assert many.shape == (*lead, *one.shape)
        np.testing.assert_allclose(many.reshape(-1, *one.shape)[-1], one, rtol=1e-5)


def test_bad_images_are_refused():
    with pytest.raises(ValueError, match="Expected an RGB image"):
        ops.block_dct(np.zeros((16, 16, 4)))
    with pytest.raises(ValueError, match="at least one 8x8 block"):
        ops.block_dct(np.zeros((7, 16, 3)))
    with pytest.raises(ValueError, match="at least 4x4 blocks"):
        ops.sida(np.zeros((24, 64, 3)))


def check_sida(image):
    found = np.asarray(ops.sida(image))
    expected = reference_sida(image)
    assert found.shape == (ops.SIDA_SIZE,)
    assert np.isfinite(found).all()
    # Where a band hardly varies, float32 may fall on the other side of point 10's
    # bound: leave those out of the comparison, but not out of the line above.
    variance = expected.reshape(4, -1)[1] ** 2
    clear = np.tile((variance < 1e-8) | (variance > 1e-4), 4)
    assert clear.mean() > 0.9
    np.testing.assert_allclose(found[clear], expected[clear], rtol=2e-3, atol=2e-3)


def test_sida_agrees_with_the_equations():
    check_sida(random_image(80, 96))


def test_sida_agrees_with_the_equations_on_real_crops(face_crops):
    for image in face_crops[0][::7]:
        check_sida(image)


def test_sida_of_a_crf_40_frame_is_finite(media):
    import av

    path = media / "ff/original_sequences/youtube/c23/videos/004.mp4"  # in truth crf 40
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="rgb24")
    check_sida(frame[140:300, 704:864])


@pytest.mark.parametrize("value", [0, 128, 255])
def test_sida_of_a_constant_image_has_no_nan(value):
    found = np.asarray(ops.sida(np.full((40, 48, 3), value, "uint8")))
    found = found.reshape(4, 3, 3, 64)
    assert np.isfinite(found).all()
    assert (found[2:] == 0).all()  # no variance: skewness and kurtosis are 0
    assert np.abs(found[0, :2]).max() < 1e-3
    assert (found[:, 2, :, 63] == 0).all()  # the appended band


def test_sida_of_a_mirrored_crop_keeps_row_and_col():
    image = random_image(64, 64)
    found, mirrored = (
        np.asarray(ops.sida(x)).reshape(4, 3, -1)[:, :2]
        for x in (image, image[:, ::-1])
    )
    # Mirroring changes the sign of odd horizontal frequencies, |difference| keeps
    # row's: neighbours swap places. So does col's.
    np.testing.assert_allclose(found, mirrored, rtol=1e-3, atol=1e-3)


def test_sida_is_the_same_inside_tf_data():
    image = random_image()
    dataset = tf.data.Dataset.from_tensors(image).map(
        lambda x: ops.sida(x, basis=tf_basis())
    )
    np.testing.assert_allclose(
        next(iter(dataset)), np.asarray(ops.sida(image)), rtol=1e-4, atol=1e-4
    )
