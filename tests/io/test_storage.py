"""Records, runs and exports on `s3://`, through the command line."""

import json

import pytest

from sfcl_tf.catalog.cards import load_card
from sfcl_tf.catalog.layouts import list_videos
from sfcl_tf.records.manifest import Settings
from sfcl_tf.records.prepare import prepare

WHOLE = ("--faces", "full", "--frames", 4, "--workers", 2)
RECORDS = ("--records", "s3://bucket/records")

SCORE = """
import sys
import tensorflow as tf
from sfcl_tf.system.storage import end_process, load
load()
serve = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
crop = tf.io.encode_png(tf.fill((64, 64, 3), tf.constant(127, tf.uint8)))
print(serve(image_bytes=crop[None])["score"].numpy()[0])
end_process(0)
"""


def test_records_are_those_of_a_local_folder(store, sfcl, collection, tmp_path):
    argv = ("prepare", "demo", "--data-root", collection, *WHOLE)
    printed = sfcl(*argv, "--records", "s3://bucket/same")
    assert "records in s3://bucket/same/" in printed
    card = load_card("demo")
    listing = list_videos(card, collection)
    settings = Settings(4, "full")
    local = prepare(card, listing, settings, records=tmp_path / "local").folder
    prefix = f"same/{local.name}/"
    files = {
        str(path.relative_to(local)): path.read_bytes()
        for path in local.glob("*/*")
        if not path.name.startswith(".")
    }
    assert sum(name.endswith(".tfrecord") for name in files) == 6
    assert {*store.objects(prefix)} == {*files, "prepare_report.json"}
    assert {name: store.read(prefix + name) for name in files} == files


def test_preparation_goes_on_where_it_stopped(store, sfcl, collection):
    argv = ("prepare", "demo", "--data-root", collection, *WHOLE)
    argv += ("--records", "s3://bucket/again")
    sfcl(*argv)
    shards = [key for key in store.objects("again/") if key.endswith(".tfrecord")]
    store.client.delete_object(Bucket="bucket", Key=f"again/{shards[0]}")
    assert "5 of 6 videos were prepared before" in sfcl(*argv)
    assert shards[0] in store.objects("again/")


def test_check_looks_at_remote_records(store, python, sfcl, collection):
    argv = ("demo", "--data-root", collection, *WHOLE)
    argv += ("--records", "s3://bucket/checked")
    sfcl("prepare", *argv)
    check = ("-m", "sfcl_tf.cli", "check", *argv, "--quick", "--deep", "--json", "-")
    done = python(*check)
    found = {finding["code"] for finding in json.loads(done.stdout)["findings"]}
    assert not found & {"damaged_shards", "unreadable_records", "no_records"}
    shard = next(k for k in store.objects("checked/") if k.endswith(".tfrecord"))
    store.client.put_object(Bucket="bucket", Key=f"checked/{shard}", Body=b"half")
    done = python(*check)
    found = {finding["code"] for finding in json.loads(done.stdout)["findings"]}
    assert found >= {"damaged_shards", "unreadable_records"}
    assert done.returncode == 3


@pytest.mark.slow
def test_a_run_and_an_export_live_on_s3(store, python, sfcl, collection):
    data = ("--data-root", collection, *RECORDS)
    train = ("train", "--dataset", "demo", *data, *WHOLE)
    train += ("--preset", "tiny", "--epochs", 1, "--runs", "s3://bucket/runs")
    small = ("--set", "train.batch_size=8", "--set", "model.image_size=96")
    printed = sfcl(*train, *small, "--name", "first")
    assert "Run         s3://bucket/runs/first" in printed
    run = store.objects("runs/first/")
    wanted = {
        "config.toml",
        "env.json",
        "metrics.jsonl",
        "model.keras",
        "checkpoints/best.weights.h5",
        "plots/roc.png",
        "predictions_test.csv",
        "report.html",
        "results.json",
        "savedmodel/1/saved_model.pb",
        "savedmodel/1/variables/variables.index",
    }
    assert wanted <= {*run}
    assert any(name.startswith("tb/") for name in run)
    assert not [name for name in run if "/." in f"/{name}"]
    results = json.loads(store.read("runs/first/results.json"))
    assert results["export"]["path"] == "s3://bucket/runs/first/savedmodel/1"

    exists = python("-m", "sfcl_tf.cli", *train, *small, "--name", "first")
    assert exists.returncode == 2
    assert "s3://bucket/runs/first, which exists" in exists.stderr

    sfcl("evaluate", "s3://bucket/runs/first", "--split", "val", *data)
    now = store.objects("runs/first/")
    assert {"predictions_val.csv", "results_val.json"} <= {*now} & {*run}
    assert {*now} == {*run}

    to = ("--to", "s3://bucket/models")
    printed = sfcl("export", "s3://bucket/runs/first", *to, *RECORDS)
    assert "SavedModel s3://bucket/models/1, which differs from Keras by" in printed
    assert {"1/saved_model.pb", "1/variables/variables.index"} <= {
        *store.objects("models/")
    }
    scored = python("-c", SCORE, "s3://bucket/models/1")
    assert scored.returncode == 0, scored.stderr
    assert 0 <= float(scored.stdout) <= 1


@pytest.mark.parametrize(
    "argv",
    [
        ("prepare", "demo", *WHOLE, "--records", "s3://absent/records"),
        ("train", "--dataset", "demo", *WHOLE, "--runs", "s3://absent/runs"),
    ],
)
def test_missing_bucket_is_told(python, collection, argv):
    done = python("-m", "sfcl_tf.cli", *argv, "--data-root", collection)
    assert done.returncode == 3
    assert done.stderr.startswith("sfcl: Expected to read and write s3://absent/r")
    assert done.stderr.count("\n") == 1
    assert "S3_ENDPOINT" in done.stderr
