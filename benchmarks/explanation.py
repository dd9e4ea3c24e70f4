"""How much of a heat map's energy lies where a face was changed.

    python benchmarks/explanation.py [FOLDER]

Twice with `tiny`, on test crops of the demo. First with a planted artefact: noise in a
square of a quarter of the side, at a random place of the real crops, is all that tells
fake from real, and a network is fitted to that. It is `tiny` at 256 px, whose maps of
8x8 and 4x4 positions can tell a place (at 128 px the frequency branch ends in 2x2). It
goes without SIDA, which describes the whole crop and knows such noise by itself: with
it the gate alone turned the logit's sign (seen at 128 px). Then the network of
`make demo` as it is, on the demo's own forgeries against the masks that come with them;
no size is claimed there. FOLDER is where that was trained before, by `sfcl train` with
OPTIONS.

Shares are means over crops; a crop whose map is 0 everywhere has none, and is counted.
Intervals are by video; a real video and its copies are one. `other maps` is a control:
each mask against the map of another crop.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import tensorflow as tf
from scipy import stats
from sklearn.metrics import roc_auc_score

from sfcl_tf.config import load_config, read_config
from sfcl_tf.detect.explain import energy_share
from sfcl_tf.detect.models import encode_png
from sfcl_tf.evaluation import Calibration
from sfcl_tf.inputs.crop import crop_face, crop_square
from sfcl_tf.inputs.pipeline import InputPipeline
from sfcl_tf.media.video import decode
from sfcl_tf.models import load_model
from sfcl_tf.records.manifest import Manifest, read_manifest
from sfcl_tf.records.record import decode_region, parse_record, write_shard
from sfcl_tf.serving.signatures import Signatures
from sfcl_tf.training import train

OPTIONS = "--dataset demo --preset tiny --frames 6 --epochs 3"  # as `make demo`
COPIES = 4  # of each real video, with noise
NOISE, PART = 12.0, 4  # grey levels; of the crop's side, one part in so many
PLANTED = (
    "model.image_size=256",
    "model.sida=false",
    "train.epochs=3",
    f"data.real_repeat={COPIES}",
)
LEAST = 2


def train_demo(folder):
    """Trains as `make demo` does."""
    command = [sys.executable, "-m", "sfcl_tf.cli", "train", *OPTIONS.split()]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)


def records(manifest, video):
    """Yields a video's records, as bytes and parsed."""
    for serialized in tf.data.TFRecordDataset(str(manifest.folder / video["shard"])):
        yield serialized.numpy(), parse_record(serialized)


def planted(manifest, data, folder):
    """Writes real videos, and copies of them with noise in a square.

    Returns:
        Their manifest, and by video and frame the square: x, y, side in the crop.
    """
    reports, places = [], {}
    rng = np.random.default_rng(0)

    def plant(example, record, video_id):
        region = decode_region(record["png"]).numpy().astype(float)
        x, y, side = map(
            int, crop_square(record["box"], *region.shape[:2], data.margin)
        )
        part = side // PART
        left, top = rng.integers(0, side - part + 1, 2)
        places[video_id, int(record["frame_index"])] = left, top, part
        square = region[y + top : y + top + part, x + left : x + left + part]
        square += rng.normal(0, NOISE, square.shape)
        region = np.clip(np.rint(region), 0, 255).astype("uint8")
        example = tf.train.Example.FromString(example)
        values = example.features.feature
        values["png"].bytes_list.value[:] = [encode_png(region)]
        values["label"].int64_list.value[:] = [1]
        values["method"].bytes_list.value[:] = [b"planted"]
        values["video_id"].bytes_list.value[:] = [video_id.encode()]
        return example.SerializeToString()

    for video in manifest.videos:
        if video["label"]:
            continue
        (folder / video["split"]).mkdir(exist_ok=True)
        found = list(records(manifest, video))
        write_shard(folder / video["shard"], [example for example, _ in found])
        reports.append(video)
        for copy in range(COPIES):
            video_id = f"planted {copy}/{video['video_id']}"
            shard = f"{video['shard']}.{copy}"
            write_shard(folder / shard, [plant(*each, video_id) for each in found])
            told = {"label": 1, "method": "planted", "shard": shard}
            reports.append(video | told | {"video_id": video_id})
    return Manifest(folder, "planted", manifest.settings, tuple(reports), ()), places


def planted_faces(pipeline, places):
    """Yields test crops with group, video and mask; of real ones that is empty."""
    for crop, label, meta in pipeline.crops("test"):
        crop, video = crop.numpy(), meta["video_id"].numpy().decode()
        mask = np.zeros(crop.shape[:2], bool)
        if label:
            x, y, part = places[video, int(meta["frame_index"])]
            mask[y : y + part, x : x + part] = True
        # A real video and its copies are one, and drawn as one.
        yield "planted" if label else "real", video.rpartition("/")[2], crop, mask


def forged_faces(manifest, data, root):
    """Yields the demo's test fakes with method, video and forged mask."""
    for video in manifest.split("test"):
        if not video["label"]:
            continue
        method, name = video["method"], video["video_id"].rpartition("/")[2]
        folder = root / "FaceForensics++/manipulated_sequences" / method
        masks = {p.index: p for p in decode(folder / f"masks/videos/{name}.mp4")}
        for _, record in records(manifest, video):
            region = masks[int(record["frame_index"])].region(*record["region"].numpy())
            box = record["box"]
            crop = crop_face(decode_region(record["png"]), box, data.margin).numpy()
            mask = crop_face(region, box, data.margin).numpy()[..., 0] > 127
            yield method, video["video_id"], crop, mask


def explained(model, config, faces):
    """Returns of each face: group, video, mask, logit, heat map and blocks."""
    signatures = Signatures(model, config, Calibration())
    rows = []
    for group, video, crop, mask in faces:
        found = signatures.explain(tf.constant([encode_png(crop)]))
        names = ("logit", "heatmap", "blocks")
        logit, heatmap, blocks = (found[name][0].numpy() for name in names)
        rows.append((group, video, mask, logit, heatmap, np.maximum(blocks, 0)))
    return rows


def without(rows, place):
    """Returns the rows with one of heat map and blocks alone."""
    return [(*row[:place], *row[place + 1 :]) for row in rows]


def ratio_of(rows, title, maps=None):
    """Prints a line of the table; returns the energy's share in shares of the area."""
    maps = maps or [row[-1] for row in rows]
    shares = np.array(
        [energy_share(m, row[2]) for m, row in zip(maps, rows, strict=True)]
    )
    areas = np.array([row[2].mean() for row in rows])
    seen = np.isfinite(shares)
    names, video = np.unique([row[1] for row in rows], return_inverse=True)
    energy, area = (  # sums by video
        np.bincount(video[seen], values[seen], minlength=len(names))
        for values in (shares, areas)
    )

    def ratio(drawn):
        return energy[drawn].sum() / area[drawn].sum()

    every = np.arange(len(names))
    low, high = stats.bootstrap(
        (every,), ratio, vectorized=False, n_resamples=1000, method="percentile", rng=0
    ).confidence_interval
    count = seen.sum()
    print(
        f"  {title:<16}{len(names):>7}{len(rows):>7}{np.sum(~seen):>7}"
        f"{energy.sum() / count:>9.1%}{area.sum() / count:>9.1%}{ratio(every):>8.2f}"
        f"   {low:.2f}-{high:.2f}"
    )
    return ratio(every)


def show(title, rows):
    """Prints the table of a model; returns the ratio over all."""
    print(f"\n{title}")
    print(
        f"  {'':<16}{'videos':>7}{'crops':>7}{'empty':>7}{'energy':>9}{'area':>9}"
        f"{'ratio':>8}   95 %"
    )
    groups = sorted({row[0] for row in rows})
    if len(groups) > 1:
        for group in groups:
            ratio_of([row for row in rows if row[0] == group], group)
    whole = ratio_of(rows, "all")
    order = np.random.default_rng(0).permutation(len(rows))
    maps = [rows[i][-1] for i in np.roll(order, 1)[np.argsort(order)]]
    ratio_of(rows, "other maps", maps)
    return whole


def main(folder):
    """Prints both tables; returns whether the claim holds."""
    [path] = (folder / "records").glob("demo-*")
    manifest = read_manifest(path)
    run = max((folder / "runs").iterdir())
    print(f"sfcl train {OPTIONS}")

    with tempfile.TemporaryDirectory() as place:
        place = Path(place)
        config = load_config(preset="tiny", overrides=PLANTED)
        found, places = planted(manifest, config.data, place)
        pipeline = InputPipeline(found, config)
        model = train(config, pipeline, place).model
        rows = explained(model, config, planted_faces(pipeline, places))
    labels, logits = [row[0] == "planted" for row in rows], [row[3] for row in rows]
    rows = [row for row in rows if row[0] == "planted"]
    auc = roc_auc_score(labels, logits)
    side = "x".join(map(str, rows[0][4].shape))
    told = f"Planted noise, AUC {auc:.3f}"
    ratio = show(f"{told}: heat map of {side}", without(rows, 5))
    holds = ratio >= LEAST
    print(f"  claim: at least {LEAST}, {'holds' if holds else 'DOES NOT HOLD'}")
    show(f"{told}: frequencies, what speaks for a fake", without(rows, 4))

    config = read_config(run / "config.toml")
    faces = forged_faces(manifest, config.data, folder / "demo_data")
    rows = explained(load_model(run), config, faces)
    told = "The demo's forgeries, against their masks"
    show(f"{told}: heat map", without(rows, 5))
    show(f"{told}: frequencies, what speaks for a fake", without(rows, 4))
    return holds


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(not main(Path(sys.argv[1])))
    with tempfile.TemporaryDirectory() as folder:
        train_demo(folder)
        sys.exit(not main(Path(folder)))
