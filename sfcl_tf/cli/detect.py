"""Say whether the faces of videos and images are fake, where, when and how surely.

PATH is a video, an image, a folder, a pattern, or - for a list on the standard input.
Each file's score is P(fake): the mean over a face's pictures, the highest of its faces.
With --out, results are kept as they come, and the same command goes on where it was
interrupted. Exit code: 0; 5 if a file shows no face; 3 if one cannot be read; 10 if
--fail-on-fake was given and a score reaches it.

  sfcl detect clip.mp4
  sfcl detect archive/ --out found --report
  find . -name '*.mp4' | sfcl detect - --format jsonl --fail-on-fake 0.9
"""

import dataclasses
import errno
import hashlib
import os
import sys
from pathlib import Path

from sfcl_tf.cli import options

FAKE_FOUND, NO_FACE = 10, 5


def add_arguments(parser):
    """Adds the subcommand's arguments."""
    parser.add_argument("paths", metavar="PATH", nargs="+", help="what is looked at")
    group = parser.add_argument_group("model")
    options.add_model(group)
    group.add_argument("--server", metavar="HOST:PORT", help="have a server score")
    group.add_argument("--server-name", metavar="NAME", help="the model's name there")
    group.add_argument(
        "--server-ca", metavar="PEM", help="who signed its certificate: encrypts"
    )
    group = parser.add_argument_group("what is looked at")
    rate = group.add_mutually_exclusive_group()
    rate.add_argument(
        "--fps",
        type=float,
        metavar="N",
        help="pictures a second (default: 2, and 8 of a short clip)",
    )
    rate.add_argument(
        "--frames", type=int, metavar="N", help="pictures of a video, evenly spaced"
    )
    group.add_argument(
        "--faces",
        choices=("all", "largest"),
        default="all",
        help="of each picture (default: all)",
    )
    options.add_detector(group, "yunet")
    group.add_argument(
        "--thorough",
        action="store_true",
        help="look for small faces beside large ones too; takes much longer",
    )
    group.add_argument(
        "--timeout",
        type=float,
        default=120.0,
        metavar="S",
        help="give a file up that shows no picture for so long (default: %(default)g)",
    )
    group = parser.add_argument_group("results")
    group.add_argument(
        "--out", metavar="DIR", help="keep results there, and go on with what is there"
    )
    group.add_argument(
        "--format",
        choices=("table", "jsonl", "csv"),
        default="table",
        help="on the standard output (default: table)",
    )
    group.add_argument(
        "--report",
        action="store_true",
        help="write a page about each file (without --out to ./detections)",
    )
    group.add_argument(
        "--fail-on-fake",
        type=float,
        metavar="T",
        help="exit with 10 if a file's score is at least T",
    )


def run(args):
    """Runs the subcommand."""
    from sfcl_tf.faces.sampling import DETECTOR, SamplingOptions

    _check(args)
    sampling = SamplingOptions(
        args.fps,
        args.frames,
        args.faces,
        args.thorough,
        args.detector or DETECTOR,
        args.report,
    )
    files, others = _files(args)
    _folder(args)
    model = None if args.server else options.model(args)

    from sfcl_tf.cli.show_detect import Display, left_aside

    with Display(args.format, len(files)) as display:
        if others:
            display.note(left_aside(others))
        detector = _detector(args, model, display.note)
        with detector:
            results = _examine_all(args, files, sampling, detector, display)
        _print_summary(args, results, detector, display)
    return _exit_code(results, args.fail_on_fake)


def _check(args):
    from sfcl_tf.system.errors import UsageError

    limit = args.fail_on_fake
    if limit is not None and not 0 <= limit <= 1:
        raise UsageError(f"Expected --fail-on-fake in 0..1. Received: {limit:g}.")
    if not args.timeout > 0:
        raise UsageError(f"Expected --timeout above 0. Received: {args.timeout:g}.")
    if args.server and (args.engine != "auto" or args.precision != "float32"):
        raise UsageError(
            "Expected --engine and --precision without --server, which has its own. "
            "Received both."
        )
    if args.server and args.trust:
        raise UsageError(
            "Expected --trust with a SavedModel of this machine. Received: --server."
        )
    if not args.server and (args.server_name or args.server_ca):
        raise UsageError(
            "Expected --server with --server-name and --server-ca. Received: none."
        )


def _files(args):
    from sfcl_tf.detect.files import expand, split_list
    from sfcl_tf.system.errors import DataError, UsageError

    paths: list[str] = []
    for text in args.paths:
        if not text:
            raise UsageError(
                "Expected a file, a folder or a pattern. Received: an empty PATH. For "
                "all of this folder give a dot."
            )
        given = sys.stdin.read() if text == "-" and sys.stdin else ""
        paths += split_list(given) if text == "-" else [text]
    files, others = expand(paths)
    if not files:
        raise DataError(
            f"Expected videos or images. Received: none in {', '.join(args.paths)}, "
            f"where {len(others)} other files lie. Give a file itself to be told why "
            "it cannot be read."
        )
    return files, others


def _detector(args, model, say):
    from sfcl_tf.system.quiet import import_tensorflow

    import_tensorflow()
    from sfcl_tf.detect import Detector

    if not args.server:
        return Detector.load(
            model,
            args.engine,
            args.precision,
            isolated=True,
            timeout=args.timeout,
            say=say,
            trust=args.trust,
        )
    credentials = None
    if args.server_ca:
        from sfcl_tf.serving import tls_credentials

        credentials = tls_credentials(args.server_ca)
    return Detector.connect(
        args.server,
        name=args.server_name,
        run=args.model,
        credentials=credentials,
        isolated=True,
        timeout=args.timeout,
    )


def _examine_all(args, files, sampling, detector, display):
    """Looks at each file, or takes what is known of it; returns all results."""
    import contextlib

    from sfcl_tf.detect.store import Store

    folder = _folder(args)
    settings = {
        "model": detector.model.name,
        "digest": detector.model.digest,
        "calibration": _digest(detector.model.calibration),
        "engine": detector.model.engine,
        "fps": sampling.fps,
        "frames": sampling.frames,
        "faces": sampling.faces,
        "thorough": sampling.thorough,
        "detector": sampling.detector,
    }
    results, known = [], 0
    with contextlib.ExitStack() as stack:
        store = stack.enter_context(Store(folder, settings)) if folder else None
        for path in files:
            report = folder / _report_name(path) if args.report else None
            result = store.done(path) if store else None
            if result and report and result.pictures and not report.is_file():
                result = None
            if result is not None:
                known += 1
                result = dataclasses.replace(result, source=str(path))
            else:
                display.begin(path)
                result, highlights = _examine(path, sampling, detector, display)
                if store:
                    store.add(path, result)
                if report and result.pictures:
                    _write_report(report, result, highlights, detector.model)
            display.result(result)
            results.append(result)
        if args.report:
            _write_index(folder, store)
    if known:
        display.note(f"{known} of these were found before and are taken from {folder}.")
    return results


def _digest(calibration):
    """Tells calibrations apart: with another one, verdicts are others."""
    return hashlib.sha256(calibration.to_json().encode()).hexdigest()[:16]


def _folder(args):
    """Returns where results are kept, made and tried before anything slow.

    Raises:
        UsageError: If it cannot be written.
    """
    from sfcl_tf.system.errors import UsageError

    if not args.out and not args.report:
        return None
    folder = Path(args.out or "detections").expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise UsageError(
            f"Expected a folder that can be written. Received: {folder} "
            f"({error.strerror}). Give another --out."
        ) from error
    return folder


def _examine(path, sampling, detector, display):
    from sfcl_tf.detect.detector import failed
    from sfcl_tf.detect.highlights import Highlights
    from sfcl_tf.system.errors import ModelError, UsageError

    highlights = Highlights()
    try:
        result = detector.examine(
            path, sampling, on_sample=display.sample, on_face=highlights
        )
    except (ModelError, UsageError):
        raise
    except Exception as error:  # one file must not stop the others
        result = failed(path, error, detector.model.name)
    return result, highlights


def _write_report(path, result, highlights, model):
    from sfcl_tf.detect.report import write_report
    from sfcl_tf.system.errors import DataError

    try:
        write_report(path, result, highlights, model)
    except OSError as error:
        raise DataError(
            f"Expected to write {path}. Received: {error.strerror}. The "
            "results so far are kept: make room and run the same command again."
        ) from error


def _report_name(path):
    """Returns where a file's report lies in the folder of results."""
    digest = hashlib.sha256(str(path.absolute()).encode("utf-8", "surrogateescape"))
    name = "".join(c if c.isascii() and c.isalnum() else "_" for c in path.stem)
    return f"reports/{name[:60]}-{digest.hexdigest()[:8]}.html"


def _write_index(folder, store):
    from sfcl_tf.detect.index import write_index

    rows = []
    for result in store.results():
        name = _report_name(Path(result.source))
        rows.append((result, name if (folder / name).is_file() else ""))
    write_index(folder / "index.html", rows)


def _print_summary(args, results, detector, display):
    from sfcl_tf.cli.show_detect import counts
    from sfcl_tf.detect.report import limits

    display.note(
        f"{counts(results)} Model {detector.model.name}, {detector.model.engine}."
    )
    display.note(limits(detector.model))
    folder = args.out or "detections"
    if args.report:
        display.note(f"Reports {Path(folder) / 'index.html'}")
    elif args.out:
        display.note(f"Results {Path(folder) / 'results.jsonl'}")


def _exit_code(results, limit):
    statuses = {result.status for result in results}
    if limit is not None and any(
        result.score is not None and result.score >= limit for result in results
    ):
        return FAKE_FOUND
    if "failed" in statuses:
        return 1
    if statuses & {"unreadable", "stalled"}:
        return 3
    return NO_FACE if "no_face" in statuses else 0
