"""Lists as people write them: what is unambiguous is read, the rest is refused."""

import json

import pytest

from sfcl_tf.catalog.cards import find_root, load_card
from sfcl_tf.catalog.layouts import list_videos
from sfcl_tf.system.errors import DataError

BOM = "\ufeff"


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def labels(listing):
    return {video.path.name: video.label for video in listing.videos}


def own(path):
    card = load_card(path)
    return list_videos(card, find_root(card, []))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.csv", "path,label\na.mp4,0\nb.mp4,1\n"),
        ("list.CSV", f"{BOM}Path , LABEL\na.mp4,Real\nb.mp4,FAKE\n"),
        ("list.txt", "path,label\r\na.mp4,0\r\n\r\nb.mp4,1\r\n"),
        ("list.tsv", "path\tlabel\na.mp4\t0\nb.mp4\t1\n"),
        ("list.csv", "path;label\n./a.mp4;0\nsub/../b.mp4;1\n"),
        ("list.csv", "path,label,note\na.mp4,0,\nb.mp4,1,seen,,\n"),
        ("list.csv", "path,label,split\na.mp4,0,Train\nb.mp4,1,valid\n"),
    ],
)
def test_what_is_unambiguous_is_read(tmp_path, name, text):
    touch(tmp_path, "a.mp4", "b.mp4")
    (tmp_path / name).write_text(text, "utf-8", newline="")
    assert labels(own(tmp_path / name)) == {"a.mp4": 0, "b.mp4": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "path,label\nc0.mp4,0\n./c0.mp4,1\n",
            r"again in line 3, after line 2",
        ),
        ("path,label,label\na.mp4,0,1\n", "each column once .* label twice"),
        ("path,label\na.mp4,0,1\n", "2 cells in line 2 .* Received: 3"),
        ("file,label\na.mp4,0\n", "Call the column file path"),
        ("path,class\na.mp4,0\n", "Call the column class label"),
        ("path,label\na.mp4,2\n", "label of 0, 1, real or fake"),
    ],
)
def test_what_is_ambiguous_is_refused(tmp_path, text, message):
    touch(tmp_path, "a.mp4", "c0.mp4")
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        own(tmp_path / "list.csv")


def test_a_file_of_another_kind_is_there_all_the_same(tmp_path):
    touch(tmp_path, "list.xlsx")
    with pytest.raises(DataError, match=r"list\.xlsx, a file of another kind"):
        load_card(tmp_path / "list.xlsx")
    with pytest.raises(DataError, match="which is not there"):
        load_card(tmp_path / "none.csv")


def test_dfdc_takes_its_labels_in_any_case_and_each_once(tmp_path):
    touch(tmp_path, "dfdc_train_part_0/a.mp4", "test/t.mp4", "test/u.mp4")
    metadata = json.dumps({"a.mp4": {"label": "real", "split": "train"}})
    (tmp_path / "dfdc_train_part_0/metadata.json").write_text(BOM + metadata, "utf-8")
    test = tmp_path / "test/labels.csv"
    test.write_text(f"{BOM}filename,label\nt.mp4,1\nu.mp4,0\n", "utf-8")
    listing = list_videos(load_card("dfdc"), tmp_path)
    assert labels(listing) == {"a.mp4": 0, "t.mp4": 1, "u.mp4": 0}
    test.write_text("filename,label\nt.mp4,1\nt.mp4,0\n")
    with pytest.raises(DataError, match=r"t\.mp4 again in line 3"):
        list_videos(load_card("dfdc"), tmp_path)


def test_celebdf_is_read_with_folders_in_another_case(tmp_path):
    touch(
        tmp_path,
        "celeb-real/id0_0000.mp4",
        "Youtube-real/00000.mp4",
        "Celeb-synthesis/id0_id1_0000.mp4",
    )
    text = "1 YouTube-real/00000.mp4\n0 ./Celeb-synthesis/id0_id1_0000.mp4\n"
    (tmp_path / "List_of_testing_videos.txt").write_text(BOM + text, "utf-8")
    listing = list_videos(load_card("celebdf_v2"), tmp_path)
    assert {video.video_id: video.split for video in listing.split("test")} == {
        "celebdf_v2/YouTube-real/00000": "test",
        "celebdf_v2/Celeb-synthesis/id0_id1_0000": "test",
    }
    assert labels(listing)["id0_0000.mp4"] == 0


def test_folders_are_read_in_any_case_and_with_other_words_for_val(tmp_path):
    touch(
        tmp_path,
        "train/Real/a.mp4",
        "train/FAKE/Swap/b.heic",
        "Valid/real/c.MTS",
        "test/Fake/d.avif",
    )
    listing = own(tmp_path)
    assert {v.path.name: (v.split, v.label, v.method) for v in listing.videos} == {
        "a.mp4": ("train", 0, "real"),
        "b.heic": ("train", 1, "Swap"),
        "c.MTS": ("val", 0, "real"),
        "d.avif": ("test", 1, "fake"),
    }
    assert not listing.unlisted
