"""Readers of each collection, on trees of empty files laid out as published."""

import json
import os

import pytest

from sfcl_tf.catalog.cards import find_root, load_card
from sfcl_tf.catalog.layouts import list_videos
from sfcl_tf.system.errors import DataError, UsageError


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def told(videos):
    return {video.video_id: (video.split, video.label) for video in videos}


@pytest.fixture
def celebdf(tmp_path):
    """A function that lays Celeb-DF v2 out with the given test list."""

    def make(*lines):
        root = tmp_path / "Celeb-DF-v2"
        touch(
            root,
            "Celeb-real/id0_0000.mp4",
            "Celeb-real/id1_0000.mp4",
            "YouTube-real/00000.mp4",
            "Celeb-synthesis/id0_id1_0000.mp4",
            "Celeb-synthesis/id1_id0_0000.mp4",
        )
        (root / "List_of_testing_videos.txt").write_text("\n".join(lines) + "\n")
        return list_videos(load_card("celebdf_v2"), root)

    return make


def test_celebdf_takes_the_label_from_the_folder(celebdf):
    listing = celebdf(
        "1 Celeb-real/id0_0000.mp4",
        "0 Celeb-synthesis/id0_id1_0000.mp4",
        "1 YouTube-real/00009.mp4",
    )
    found = told(listing.videos)
    assert found["celebdf_v2/Celeb-real/id0_0000"] == ("test", 0)
    assert found["celebdf_v2/Celeb-synthesis/id0_id1_0000"] == ("test", 1)
    assert found["celebdf_v2/Celeb-real/id1_0000"][1] == 0
    assert told(listing.missing) == {"celebdf_v2/YouTube-real/00009": ("test", 0)}
    fake = next(v for v in listing.videos if v.label)
    assert (fake.method, fake.sources) == ("Celeb-synthesis", ("id0", "id1"))


def test_celebdf_list_that_contradicts_the_folder_is_an_error(celebdf):
    with pytest.raises(DataError, match=r"line 2.*'1 Celeb-synthesis/id0_id1_0000"):
        celebdf("1 Celeb-real/id0_0000.mp4", "1 Celeb-synthesis/id0_id1_0000.mp4")
    with pytest.raises(DataError, match=r"line 1.*nonsense"):
        celebdf("nonsense")


def test_celebdf_validation_shares_nobody_with_training(tmp_path):
    root = tmp_path / "Celeb-DF-v2"
    people = [f"id{n}" for n in range(30)]
    touch(root, *(f"Celeb-real/{p}_0000.mp4" for p in people))
    touch(
        root,
        *(
            f"Celeb-synthesis/{a}_{b}_0000.mp4"
            for a in people
            for b in people
            if a != b
        ),
        "List_of_testing_videos.txt",
    )
    listing = list_videos(load_card("celebdf_v2"), root)
    val = {p for video in listing.split("val") for p in video.sources}
    train = {p for video in listing.split("train") for p in video.sources}
    assert val
    assert not val & train
    assert val | train == set(people)
    for video in listing.left_out:
        assert len(set(video.sources) & val) == 1
    assert len(listing.videos) + len(listing.left_out) == 30 + 30 * 29


def test_celebdf_needs_its_test_list(tmp_path):
    touch(tmp_path, "Celeb-real/id0_0000.mp4")
    with pytest.raises(DataError, match=r"List_of_testing_videos\.txt beside"):
        list_videos(load_card("celebdf_v2"), tmp_path)


def dfdc(root):
    touch(
        root,
        "dfdc_train_part_0/real.mp4",
        "dfdc_train_part_0/fake.mp4",
        "dfdc_train_part_0/stray.mp4",
        "dfdc_train_part_47/other.mp4",
        "test/t.mp4",
    )
    metadata = {
        "real.mp4": {"label": "REAL", "split": "train"},
        "fake.mp4": {"label": "FAKE", "split": "train", "original": "real.mp4"},
        "gone.mp4": {"label": "FAKE", "split": "train", "original": "real.mp4"},
    }
    (root / "dfdc_train_part_0/metadata.json").write_text(json.dumps(metadata))
    (root / "dfdc_train_part_47/metadata.json").write_text(
        json.dumps({"other.mp4": {"label": "REAL", "split": "train", "original": None}})
    )
    (root / "test/labels.csv").write_text("filename,label\nt.mp4,1\n")
    return root


def test_dfdc_reads_parts_and_the_test_set(tmp_path):
    listing = list_videos(load_card("dfdc"), dfdc(tmp_path))
    assert told(listing.videos) == {
        "dfdc/dfdc_train_part_0/real": ("train", 0),
        "dfdc/dfdc_train_part_0/fake": ("train", 1),
        "dfdc/dfdc_train_part_47/other": ("val", 0),
        "dfdc/test/t": ("test", 1),
    }
    assert [v.video_id for v in listing.missing] == ["dfdc/dfdc_train_part_0/gone"]
    assert [path.name for path in listing.unlisted] == ["stray.mp4"]
    sources = {v.video_id: v.sources for v in listing.videos}
    assert sources["dfdc/dfdc_train_part_0/fake"] == ("real",)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("dfdc_train_part_0/metadata.json", "{"),
        ("dfdc_train_part_0/metadata.json", '{"a.mp4": {"label": "MAYBE"}}'),
        ("dfdc_train_part_0/metadata.json", "[1]"),
        ("dfdc_train_part_0/metadata.json", None),
        ("test/labels.csv", "filename,label\nt.mp4,2\n"),
        ("test/labels.csv", "name\nt.mp4\n"),
    ],
)
def test_dfdc_labels_that_are_not_as_published_are_an_error(tmp_path, file, content):
    root = dfdc(tmp_path)
    (root / file).unlink() if content is None else (root / file).write_text(content)
    with pytest.raises(DataError, match=r"metadata\.json|labels\.csv"):
        list_videos(load_card("dfdc"), root)


def test_real_part_of_dfdc_lacks_a_video(media):
    listing = list_videos(load_card("dfdc"), media / "dfdc")
    assert [v.path.name for v in listing.videos] == ["yhffcuhhjy.mp4"]
    assert len(listing.missing) == 1


def test_dfdcp_reads_its_list(tmp_path):
    entries = {
        "original_videos/1/a.mp4": {"label": "real", "set": "train", "target_id": "1"},
        "method_A/1_2/b.mp4": {
            "label": "fake",
            "set": "test",
            "target_id": "1",
            "swapped_id": "2",
        },
    }
    (tmp_path / "dataset.json").write_text(json.dumps(entries))
    touch(tmp_path, *entries)
    found = {v.video_id: v for v in list_videos(load_card("dfdcp"), tmp_path).videos}
    fake = found["dfdcp/method_A/1_2/b"]
    assert (fake.split, fake.label, fake.method) == ("test", 1, "method_A")
    assert fake.sources == ("1", "2")
    assert found["dfdcp/original_videos/1/a"].label == 0
    (tmp_path / "dataset.json").write_text('{"a.mp4": {"label": "?", "set": "train"}}')
    with pytest.raises(DataError, match=r"dataset\.json"):
        list_videos(load_card("dfdcp"), tmp_path)


def test_raw_is_read_under_either_name_and_actors_where_asked_for(tmp_path):
    names = (
        "original_sequences/youtube/c0/videos/071.mp4",
        "manipulated_sequences/FaceShifter/c0/videos/071_054.mp4",
        "original_sequences/actors/c0/videos/01__walking.mp4",
        "manipulated_sequences/DeepFakeDetection/c0/videos/01_02__walking__ABC.mp4",
    )
    touch(tmp_path, *names)
    card = load_card("ff_raw")
    assert [v.video_id for v in list_videos(card, tmp_path).videos] == [
        "ff_raw/real/071"
    ]
    listing = list_videos(card, tmp_path, ("FaceShifter", "DeepFakeDetection"))
    assert told(listing.videos) == {
        "ff_raw/real/071": ("train", 0),
        "ff_raw/FaceShifter/071_054": ("train", 1),
        "ff_raw/real/01__walking": ("test", 0),
        "ff_raw/DeepFakeDetection/01_02__walking__ABC": ("test", 1),
    }
    with pytest.raises(UsageError, match=r"NeuralTextures.*Received: Deepfake\."):
        list_videos(card, tmp_path, ("Deepfake",))


def test_folder_of_real_and_fake_videos_and_images(tmp_path):
    names = [f"real/{n}.png" for n in range(40)]
    names += [f"fake/{n}.mp4" for n in range(40)]
    names += ["fake/SwapNet/é a.JPG", "fake/notes.txt", "real/.hidden.png"]
    touch(tmp_path, *names)
    (tmp_path / "fake" / "loop").symlink_to(tmp_path / "fake", True)
    (tmp_path / "fake" / "broken.mp4").symlink_to(tmp_path / "nowhere.mp4")
    card = load_card(tmp_path)
    assert find_root(card, []) == tmp_path
    listing = list_videos(card, tmp_path)
    found = {v.video_id.removeprefix(f"{card.name}/"): v for v in listing.videos}
    assert set(found) == {*names[:81], "fake/broken.mp4"}
    assert [path.name for path in listing.unlisted] == ["notes.txt"]
    assert found["fake/SwapNet/é a.JPG"].method == "SwapNet"
    assert found["fake/SwapNet/é a.JPG"].is_image
    assert {v.split for v in listing.videos} == {"train", "val", "test"}
    for n in range(40):  # a clip and its forgery of the same name stay together
        assert found[f"real/{n}.png"].split == found[f"fake/{n}.mp4"].split
        assert (found[f"real/{n}.png"].label, found[f"fake/{n}.mp4"].label) == (0, 1)


def test_folder_with_splits_keeps_them(tmp_path):
    touch(tmp_path, "train/real/a.mp4", "train/fake/b.mp4", "test/fake/X/c.mp4")
    listing = list_videos(load_card(tmp_path), tmp_path)
    assert {v.path.name: (v.split, v.method) for v in listing.videos} == {
        "a.mp4": ("train", "real"),
        "b.mp4": ("train", "fake"),
        "c.mp4": ("test", "X"),
    }


def csv(tmp_path, text):
    path = tmp_path / "list.csv"
    path.write_text(text, "utf-8")
    card = load_card(path)
    return list_videos(card, find_root(card, []))


def test_csv_gives_labels_splits_groups_and_methods(tmp_path):
    touch(tmp_path, "a.mp4", "b c.png")
    listing = csv(
        tmp_path,
        "\ufeffpath,label,split,group,method\n"
        "a.mp4,real,train,anna,\n"
        '"b c.png",1,test,bert;carl,Sora\n'
        "gone.mp4,FAKE,,dora,\n",
    )
    a, b = listing.videos
    assert (a.label, a.split, a.method, a.sources) == (0, "train", "real", ("anna",))
    assert (b.label, b.split, b.method, b.sources) == (
        1,
        "test",
        "Sora",
        ("bert", "carl"),
    )
    assert [v.path.name for v in listing.missing] == ["gone.mp4"]


def test_csv_without_splits_keeps_linked_groups_together(tmp_path):
    names = [f"{n}.mp4" for n in range(60)]
    touch(tmp_path, *names)
    rows = [f"{n}.mp4,{n % 2},p{n // 3};p{n // 3 + n % 2}" for n in range(60)]
    splits = {
        v.split for v in csv(tmp_path, "path,label,group\n" + "\n".join(rows)).videos
    }
    assert len(splits) == 1  # all linked in one chain
    rows = [f"{n}.mp4,{n % 2},p{n // 2}" for n in range(60)]
    listing = csv(tmp_path, "path,label,group\n" + "\n".join(rows))
    assert {v.split for v in listing.videos} == {"train", "val", "test"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\na.mp4,1\n", "columns path,label"),
        ("", "Received: nothing"),
        ("path,label\na.mp4,maybe\n", "line 2"),
        ("path,label\n,1\n", "line 2"),
        ("path,label,split\na.mp4,1,dev\n", "line 2"),
        ("path,label\na.mp4,1\na.mp4,0\n", r"a\.mp4 again in line 3"),
        ("path,label,split,group\na.mp4,1,train,x\nb.mp4,0,test,x\n", "x in train and"),
    ],
)
def test_csv_that_is_wrong_is_an_error_that_names_the_line(tmp_path, text, message):
    touch(tmp_path, "a.mp4", "b.mp4")
    with pytest.raises(DataError, match=message):
        csv(tmp_path, text)


def test_card_of_ones_own_is_read_and_typos_refused(tmp_path):
    text = (
        'title = "Mine"\nlayout = "folder"\nfolder = "mine"\nsource = "me"\n'
        'licence = "none"\n'
    )
    path = tmp_path / "mine.toml"
    path.write_text(text)
    card = load_card(path)
    assert (card.name, card.title, card.real_repeat) == ("mine", "Mine", "auto")
    touch(tmp_path, "mine/real/a.mp4")
    assert find_root(card, [tmp_path]) == tmp_path / "mine"
    for wrong in ("licens = 1\n", "[options]\ncompression = 1\n"):
        path.write_text(text + wrong)
        with pytest.raises(DataError, match=r"unknown keys (licens|compression)"):
            load_card(path)
    path.write_text(text.replace("licence", "#"))
    with pytest.raises(DataError, match="licence"):
        load_card(path)


def test_bare_word_is_never_taken_for_a_folder(tmp_path, monkeypatch):
    touch(tmp_path, "ff_c22/real/a.mp4")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"a path|path \(with"):
        load_card("ff_c22")
    assert load_card(os.path.join(".", "ff_c22")).layout == "folder"  # noqa: PTH118
