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


def frames_of(root, *folders, count=3):
    for folder in folders:
        touch(root, *(f"{folder}/{number}.png" for number in range(count)))


@pytest.mark.parametrize("kind", ["images", "frames"])
def test_frames_stand_for_faceforensics_videos(tmp_path, kind):
    frames_of(
        tmp_path,
        f"original_sequences/youtube/c23/{kind}/071",
        f"manipulated_sequences/Deepfakes/c23/{kind}/071_054",
    )
    listing = list_videos(load_card("ff_c23"), tmp_path)
    assert {v.video_id: (v.split, v.label) for v in listing.videos} == {
        "ff_c23/real/071": ("train", 0),
        "ff_c23/Deepfakes/071_054": ("train", 1),
    }


def test_faceforensics_videos_go_before_their_frames(tmp_path):
    touch(tmp_path, "original_sequences/youtube/c23/videos/071.mp4")
    frames_of(tmp_path, "original_sequences/youtube/c23/frames/054")
    (tmp_path / "manipulated_sequences/Deepfakes/c23/videos").mkdir(parents=True)
    frames_of(tmp_path, "manipulated_sequences/Deepfakes/c23/frames/071_054")
    listing = list_videos(load_card("ff_c23"), tmp_path)
    assert [v.video_id for v in listing.videos] == [
        "ff_c23/real/071",
        "ff_c23/real/054",
        "ff_c23/Deepfakes/071_054",
    ]
    assert listing.videos[0].path.suffix == ".mp4"
    assert not listing.unlisted
    frames_of(tmp_path, "original_sequences/youtube/c23/frames/071")
    again = list_videos(load_card("ff_c23"), tmp_path)
    assert again.videos == listing.videos
    assert [p.as_posix()[-10:] for p in again.unlisted] == ["frames/071"]
    (tmp_path / "original_sequences/youtube/c23/videos/054.mp4").touch()
    again = list_videos(load_card("ff_c23"), tmp_path)
    assert [p.as_posix()[-10:] for p in again.unlisted] == ["c23/frames"]


def test_flat_faceforensics_is_read(tmp_path):
    touch(tmp_path, "original/071.mp4", "FaceSwap/071_054.mp4", "csv/FaceSwap.csv")
    listing = list_videos(
        load_card("ff_c23"), find_root(load_card("ff_c23"), [tmp_path])
    )
    assert {v.video_id: (v.split, v.label) for v in listing.videos} == {
        "ff_c23/real/071": ("train", 0),
        "ff_c23/FaceSwap/071_054": ("train", 1),
    }


def test_stray_files_of_faceforensics_are_told(tmp_path):
    touch(
        tmp_path,
        "original_sequences/youtube/c23/videos/071.mp4",
        "original_sequences/youtube/c23/videos/071 (1).mp4",
        "original_sequences/youtube/c23/videos/notes.txt",
        "original_sequences/youtube/c23/videos/.DS_Store",
    )
    listing = list_videos(load_card("ff_c23"), tmp_path)
    assert [v.video_id for v in listing.videos] == ["ff_c23/real/071"]
    assert {path.name for path in listing.unlisted} == {"071 (1).mp4", "notes.txt"}


def dfdc_part(folder, **originals):
    touch(folder, *(f"{name}.mp4" for name in originals))
    values = {
        f"{name}.mp4": {"label": "FAKE", "original": f"{original}.mp4"}
        if original
        else {"label": "REAL"}
        for name, original in originals.items()
    }
    (folder / "metadata.json").write_text(json.dumps(values))


def test_sample_of_dfdc_is_read_and_its_unlabelled_test_set_left_aside(tmp_path):
    fakes = {f"f{number}": f"r{number}" for number in range(40)}
    reals = dict.fromkeys(fakes.values())
    dfdc_part(tmp_path / "train_sample_videos", **fakes, **reals)
    touch(tmp_path, "test_videos/t.mp4")
    listing = list_videos(load_card("dfdc"), find_root(load_card("dfdc"), [tmp_path]))
    splits = {v.path.stem: v.split for v in listing.videos}
    assert len(splits) == 80
    assert all(splits[fake] == splits[real] for fake, real in fakes.items())
    assert 4 <= list(splits.values()).count("val") <= 28
    assert [path.name for path in listing.unlisted] == ["test_videos"]


def test_parts_of_dfdc_go_before_the_sample_and_may_be_nested(tmp_path):
    dfdc_part(tmp_path / "dfdc_train_part_00/dfdc_train_part_00", a=None)
    dfdc_part(tmp_path / "dfdc_train_part_46", b=None)
    dfdc_part(tmp_path / "train_sample_videos", a=None)
    touch(tmp_path, "test_videos/t.mp4")
    (tmp_path / "test_videos/labels.csv").write_text("filename,label\nt.mp4,1\n")
    listing = list_videos(load_card("dfdc"), tmp_path)
    assert {v.video_id: v.split for v in listing.videos} == {
        "dfdc/dfdc_train_part_00/a": "train",
        "dfdc/dfdc_train_part_46/b": "val",
        "dfdc/test/t": "test",
    }
    assert [path.name for path in listing.unlisted] == ["train_sample_videos"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a.mp4": {"label": "REAL"}, "a.mp4": {"label": "FAKE"}}', "a.mp4' twice"),
        ('{"../a.mp4": {"label": "REAL"}}', "below .* Received: '../a.mp4'"),
        ('{"/a.mp4": {"label": "REAL"}}', "below .* Received: '/a.mp4'"),
        ('{"a.mp4": "REAL"}', "something else for 'a.mp4'"),
        ('{"a.mp4": {"split": "train"}}', "a.mp4' without a label"),
        ('{"a.mp4": {"label": "MAYBE"}}', "the label 'MAYBE' of a.mp4"),
        ("[]", "Received: none"),
        ("[[1, 2]]", "no object by file"),
        ("{" * 5000, "Received"),
    ],
)
@pytest.mark.parametrize("card", ["dfdc", "dfdcp"])
def test_published_lists_in_json_are_held_to_their_form(tmp_path, card, text, message):
    lists = {"dfdc": "dfdc_train_part_0/metadata.json", "dfdcp": "dataset.json"}
    touch(tmp_path, lists[card], "a.mp4", "dfdc_train_part_0/a.mp4")
    (tmp_path / lists[card]).write_text(text)
    with pytest.raises(DataError, match=message):
        list_videos(load_card(card), tmp_path)


def test_odd_facts_of_dfdc_are_no_obstacle(tmp_path):
    touch(tmp_path, "dfdc_train_part_0/a.mp4", "dfdc_train_part_0/x.txt")
    text = '{"a.mp4": {"label": "FAKE", "original": [1], "augmentations": []}}'
    (tmp_path / "dfdc_train_part_0/metadata.json").write_text(text)
    listing = list_videos(load_card("dfdc"), tmp_path)
    assert listing.videos[0].sources == ("a",)
    assert [path.name for path in listing.unlisted] == ["x.txt"]


def test_a_sample_without_its_labels_is_named(tmp_path):
    touch(tmp_path, "train_sample_videos/a.mp4")
    with pytest.raises(DataError, match=r"metadata\.json in .*train_sample_videos"):
        list_videos(load_card("dfdc"), tmp_path)
