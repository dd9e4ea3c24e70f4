"""Splits of collections that have none."""

import collections
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfcl_tf.catalog.cards import find_root, load_card
from sfcl_tf.catalog.grouping import assign_splits, group_by_name, with_splits
from sfcl_tf.catalog.layouts import list_videos
from sfcl_tf.catalog.listing import SPLITS, Video


def video(name, label, split="", sources=()):
    kind = "fake" if label else "real"
    return Video(f"c/{kind}/{name}", Path(kind, name), split, label, kind, sources)


def groups(reals, fakes):
    videos = [video(n, 0) for n in reals] + [video(n, 1) for n in fakes]
    named = group_by_name(videos)
    found = collections.defaultdict(set)
    for each, group in zip(videos, named, strict=True):
        found[group].add(f"{each.method}/{each.path.stem}")
    return {frozenset(members) for members in found.values()}


def test_fakes_stand_with_what_they_were_made_of():
    reals = [f"{n}.mp4" for n in (519, 515, 100, 101)] + [f"x{n}" for n in range(30)]
    found = groups(reals, ["519_515.mp4", "515_519.mp4", "100_7__walk.mp4", "q.mp4"])
    assert frozenset({"real/519", "real/515", "fake/519_515", "fake/515_519"}) in found
    assert frozenset({"real/100", "fake/100_7__walk"}) in found
    assert frozenset({"fake/q"}) in found
    assert frozenset({"real/101"}) in found


def test_the_same_stem_and_longer_names_are_one_group():
    found = groups(["a b.mp4", "take.one.mov", "c"], ["a b.png", "take.one-swap.mp4"])
    assert found == {
        frozenset({"real/a b", "fake/a b"}),
        frozenset({"real/take.one", "fake/take.one-swap"}),
        frozenset({"real/c"}),
    }


def test_people_that_names_begin_with_stay_together():
    people = [f"id{n}_000{k}.mp4" for n in range(30) for k in range(2)]
    fakes = [f"id{n}_id{n + 1}_0000.mp4" for n in range(0, 30, 2)]
    found = groups(people, fakes)
    assert len(found) == 15
    assert all(len(members) == 5 for members in found)


def test_words_that_all_names_share_link_nothing():
    reals = [f"video_{n:03}_2023.mp4" for n in range(40)]
    fakes = [f"video_{n:03}_2023_swap.mp4" for n in range(40)]
    assert sorted(map(len, groups(reals, fakes))) == [2] * 40


def test_chains_of_pairs_do_not_link_everything():
    """Each fake's source is the next one's target."""
    reals = [f"{n:03}.mp4" for n in range(60)]
    fakes = [f"{n:03}_{(n + 1) % 60:03}.mp4" for n in range(60)]
    found = groups(reals, fakes)
    assert len(found) == 60
    assert frozenset({"real/007", "fake/007_008"}) in found


def shares(splits, labels):
    return {
        label: {s: np.mean(splits[labels == label] == s) for s in SPLITS}
        for label in (0, 1)
    }


@pytest.mark.parametrize(
    ("files", "tolerance"), [(30, 0.08), (100, 0.05), (1000, 0.02)]
)
@pytest.mark.parametrize("fakes_each", [1, 4])
def test_reals_and_fakes_are_dealt_alike(files, tolerance, fakes_each):
    videos = [video(f"{n}.mp4", 0) for n in range(files)]
    videos += [
        video(f"{n}_{k}x.mp4", 1) for n in range(files) for k in range(fakes_each)
    ]
    found = with_splits(videos)
    splits = np.array([v.split for v in found])
    labels = np.array([v.label for v in found])
    for share in shares(splits, labels).values():
        assert share["train"] == pytest.approx(0.8, abs=2 * tolerance)
        assert share["val"] == pytest.approx(0.1, abs=tolerance)
        assert share["test"] == pytest.approx(0.1, abs=tolerance)
    by_stem = collections.defaultdict(set)
    for each in found:
        by_stem[each.path.stem.split("_")[0]].add(each.split)
    assert {len(splits) for splits in by_stem.values()} == {1}


@pytest.mark.parametrize("count", [3, 4, 6, 12])
@pytest.mark.parametrize("names", ["{}", "{}_{}"])
def test_small_collections_have_both_classes_in_each_split(count, names):
    reals = [video(f"{n}r.mp4", 0) for n in range(count)]
    fakes = [video(names.format(f"{n}r", n) + "f.mp4", 1) for n in range(count)]
    found = with_splits([*reals, *fakes])
    kinds = collections.Counter((v.split, v.label) for v in found)
    assert set(kinds) == {(split, label) for split in SPLITS for label in (0, 1)}


@settings(deadline=None, max_examples=80)
@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 1)), min_size=1, max_size=60),
    st.randoms(use_true_random=False),
)
def test_order_decides_nothing_and_groups_are_whole(files, random):
    names = [f"g{group}" for group, _ in files]
    labels = [label for _, label in files]
    splits = assign_splits(names, labels)
    of_group = {}
    for name, split in zip(names, splits, strict=True):
        assert of_group.setdefault(name, split) == split
    order = list(range(len(files)))
    random.shuffle(order)
    shuffled = assign_splits([names[n] for n in order], [labels[n] for n in order])
    assert shuffled == [splits[n] for n in order]
    for label in (0, 1):
        mine, others = (
            {n for n, x in zip(names, labels, strict=True) if (x == label) == same}
            for same in (True, False)
        )
        if len(mine - others) >= 3:
            there = {s for s, x in zip(splits, labels, strict=True) if x == label}
            assert there == set(SPLITS)


def test_what_is_linked_with_a_given_split_follows_it():
    videos = [
        video("a.mp4", 0, "test", ("anna",)),
        video("b.mp4", 1, "", ("anna", "bert")),
        video("c.mp4", 1, "", ("bert",)),
    ]
    assert {v.split for v in with_splits(videos)} == {"test"}


def test_groups_of_a_list_go_before_names():
    videos = [video(f"{n}_1.mp4", n % 2, "", (f"p{n // 2}",)) for n in range(40)]
    found = with_splits(videos)
    people = collections.defaultdict(set)
    for each in found:
        people[each.sources].add(each.split)
    assert all(len(splits) == 1 for splits in people.values())
    assert {v.split for v in found} == set(SPLITS)


def test_a_folder_without_splits_is_grouped_by_names(tmp_path):
    for n in range(30):
        for path in (f"real/{n:03}.mp4", f"fake/{n:03}_{n + 500}.mp4"):
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).touch()
    listing = list_videos(load_card(tmp_path), find_root(load_card(tmp_path), []))
    splits = collections.defaultdict(set)
    for each in listing.videos:
        splits[each.path.stem[:3]].add(each.split)
    assert all(len(found) == 1 for found in splits.values())
    for split in SPLITS:
        assert {v.label for v in listing.split(split)} == {0, 1}
