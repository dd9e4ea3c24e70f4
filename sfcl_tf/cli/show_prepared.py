"""What preparation found, as a person sees it."""

import collections

from sfcl_tf.catalog.listing import SPLITS
from sfcl_tf.cli.console import console, say, table
from sfcl_tf.records.prepare import REPORT
from sfcl_tf.records.prepare_video import STATUSES

_FAILURES_SHOWN = 20


def show_coverage(manifest) -> None:
    """Prints what preparation found by split, and what failed by reason."""
    shown = table(
        f"Face coverage, records in {manifest.folder}",
        "split",
        "videos",
        "real",
        "fake",
        "frames",
        "with face",
        "in %",
        "records",
    )
    for split in SPLITS:
        videos = [v for v in manifest.videos if v["split"] == split]
        if not videos:
            continue
        wanted = sum(v["frames_wanted"] for v in videos)
        detected = sum(v["frames_with_face"] for v in videos)
        fakes = sum(v["label"] for v in videos)
        shown.add_row(
            split,
            *map(str, (len(videos), len(videos) - fakes, fakes, wanted, detected)),
            f"{100 * detected / wanted:.1f}" if wanted else "n/a",
            str(sum(v["records"] for v in videos)),
        )
    console.print(shown)
    _show_reasons(manifest)
    if len(manifest.videos) <= _FAILURES_SHOWN:
        _show_videos(manifest)


def _show_reasons(manifest) -> None:
    counts = collections.Counter(v["status"] for v in manifest.videos)
    if set(counts) - {"ok"} or manifest.missing:
        by_reason = table("What became of the videos", "reason", "videos")
        for status, meaning in STATUSES.items():
            if counts[status]:
                by_reason.add_row(meaning, str(counts[status]))
        if manifest.missing:
            by_reason.add_row(
                "named by its lists, not there", str(len(manifest.missing))
            )
        console.print(by_reason)
    partly = [
        v
        for v in manifest.videos
        if v["frames_with_face"] < v["frames_wanted"] or v["reason"]
    ]
    for video in partly[:_FAILURES_SHOWN]:
        say(
            f"  {video['video_id']}: {video['frames_with_face']} of "
            f"{video['frames_wanted']} frames"
            + (f"; {video['reason']}" if video["reason"] else "")
        )
    if len(partly) > _FAILURES_SHOWN:
        more = len(partly) - _FAILURES_SHOWN
        say(f"  and {more} more: see {manifest.folder / REPORT}")


def _show_videos(manifest) -> None:
    per_video = table("Coverage per video", "video", "split", "with a face", "crf")
    for video in manifest.videos:
        crf = video.get("crf")
        per_video.add_row(
            video["video_id"],
            video["split"],
            f"{video['frames_with_face']}/{video['frames_wanted']}",
            "n/a" if crf is None else f"{crf:g}",
        )
    console.print(per_video)
