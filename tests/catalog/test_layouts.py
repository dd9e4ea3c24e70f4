import hashlib
import json
import re

import pytest

from sfcl_tf.catalog.cards import card_names, find_root, load_card
from sfcl_tf.catalog.layouts import faceforensics, list_videos, require_splits
from sfcl_tf.catalog.listing import SPLITS
from sfcl_tf.config import load_config
from sfcl_tf.system import resources
from sfcl_tf.system.errors import DataError, UsageError

IDS = {"train": 720, "val": 140, "test": 140}
FIRST = {"train": "071", "val": "720", "test": "953"}


@pytest.fixture(scope="module")
def ff_c23():
    return load_card("ff_c23")


@pytest.fixture
def partial(tmp_path):
    """A collection of one empty file a split."""
    root = tmp_path / "FaceForensics++"
    folder = root / "original_sequences/youtube/c23/videos"
    folder.mkdir(parents=True)
    for name in FIRST.values():
        (folder / f"{name}.mp4").touch()
    return root


def split_path(split):
    return resources.path("datasets") / "splits/faceforensics" / f"{split}.json"


@pytest.mark.parametrize("split", SPLITS)
def test_split_list_is_the_official_one(split):
    pairs = json.loads(split_path(split).read_text("utf-8"))
    ids = [identity for pair in pairs for identity in pair]
    assert len(ids) == len(set(ids)) == IDS[split]
    readme = (resources.path("datasets") / "README.md").read_text("utf-8")
    published = re.search(rf"`{split}\.json` \| `(\w{{64}})`", readme)[1]
    assert hashlib.sha256(split_path(split).read_bytes()).hexdigest() == published


def test_split_lists_are_those_of_the_media(media):
    for split in SPLITS:
        theirs = media / "ff/splits" / f"{split}.json"
        assert theirs.read_bytes() == split_path(split).read_bytes()


def test_listing_names_the_whole_protocol(ff_c23, partial):
    listing = list_videos(ff_c23, partial)
    videos = [*listing.videos, *listing.missing]
    assert len(videos) == 1000 * 5
    assert len({video.video_id for video in videos}) == len(videos)
    assert len({video.path for video in videos}) == len(videos)
    assert sum(video.label for video in videos) == 4000
    split_of = {}
    for video in videos:
        assert video.label == (video.method != "real")
        assert video.video_id == f"ff_c23/{video.method}/{'_'.join(video.sources)}"
        for identity in video.sources:
            assert split_of.setdefault(identity, video.split) == video.split
    assert {s: list(split_of.values()).count(s) for s in SPLITS} == IDS


def test_partial_collection_is_used_and_what_is_missing_counted(ff_c23, partial):
    listing = list_videos(ff_c23, partial)
    assert {v.split: v.video_id for v in listing.videos} == {
        split: f"ff_c23/real/{name}" for split, name in FIRST.items()
    }
    assert len(listing.missing) == 4997
    assert [v.video_id for v in listing.split("val")] == ["ff_c23/real/720"]


def test_real_media_have_the_layout_that_is_read(ff_c23, media):
    found = {v.video_id: v.split for v in list_videos(ff_c23, media / "ff").videos}
    assert found == {
        "ff_c23/real/519": "train",
        "ff_c23/Deepfakes/519_515": "train",
        "ff_c23/Face2Face/750_743": "train",
        "ff_c23/real/004": "val",
        "ff_c23/NeuralTextures/004_982": "val",
        "ff_c23/real/634": "test",
        "ff_c23/FaceSwap/634_660": "test",
    }


@pytest.mark.parametrize("split", SPLITS)
def test_empty_split_is_an_error_that_names_split_and_file(ff_c23, partial, split):
    (partial / f"original_sequences/youtube/c23/videos/{FIRST[split]}.mp4").unlink()
    listing = list_videos(ff_c23, partial)
    require_splits(ff_c23, listing, [name for name in SPLITS if name != split])
    with pytest.raises(DataError, match=rf"`{split}`.*{FIRST[split]}\.mp4"):
        require_splits(ff_c23, listing, SPLITS)


def test_identity_in_two_splits_is_an_error(ff_c23, partial, tmp_path, monkeypatch):
    folder = tmp_path / "splits" / "faceforensics"
    folder.mkdir(parents=True)
    for split, pair in zip(SPLITS, (["1", "2"], ["3", "4"], ["5", "2"]), strict=True):
        (folder / f"{split}.json").write_text(json.dumps([pair]))
    monkeypatch.setattr(faceforensics.resources, "path", lambda kind: tmp_path)
    with pytest.raises(DataError, match="2 in train and test"):
        list_videos(ff_c23, partial)


def test_root_is_the_collection_or_what_holds_it_or_named_by_card(ff_c23, partial):
    elsewhere = partial.parent / "elsewhere"
    elsewhere.mkdir()
    for root in (partial, partial.parent, f"ff_c23={partial}"):
        assert find_root(ff_c23, [elsewhere, root]) == partial
    # A root of its own goes before those for all.
    other = partial.rename(partial.parent / "other")
    (elsewhere / "FaceForensics++/original_sequences").mkdir(parents=True)
    assert find_root(ff_c23, [elsewhere, f"ff_c23={other}"]) == other


def test_missing_root_tells_source_layout_and_option(ff_c23, tmp_path):
    for roots in ([], [tmp_path], [f"ff_c40={tmp_path}"]):
        with pytest.raises(DataError) as caught:
            find_root(ff_c23, roots)
        message = str(caught.value)
        for told in (
            "https://github.com/ondyari/FaceForensics",
            "FaceForensics++/original_sequences/youtube/c23/videos/*.mp4",
            "--data-root",
            "SFCL_DATA",
            "--dataset demo",
        ):
            assert told in message


def test_every_card_loads_and_an_unknown_one_is_refused():
    assert {"demo", "ff_c23", "ff_c40"} <= set(card_names())
    for name in card_names():
        card = load_card(name)
        assert load_config(card=card.config).data.real_repeat in (1, 4, "auto")
    with pytest.raises(UsageError, match=r"ff_c23.*Received: 'ff_c22'"):
        load_card("ff_c22")
