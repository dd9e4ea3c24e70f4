"""Opening a container: what may be opened, and which of its streams is the video."""

from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from sfcl_tf.system.errors import DataError

MAX_PIXELS = 8192 * 8192
MAX_SCANS = 100
"""Most scans of a JPEG that is decoded; usual ones have 1 to 12, and each takes its
time over the whole picture, however few its bytes."""

# Containers of video alone, from files alone: FFmpeg also shows text as "ANSI art", and
# follows playlists to other files and hosts.
_ALLOWED = {
    "protocol_whitelist": "file",
    "format_whitelist": "3g2,3gp,asf,avi,dv,flv,gif,h264,hevc,image2,ivf,jpeg_pipe,"
    "m4v,matroska,mj2,mov,mp4,mpeg,mpegts,mpegvideo,mxf,nut,ogg,png_pipe,webm,"
    "webp_pipe,wtv,yuv4mpegpipe",
}


def open_video(path: Path) -> tuple[InputContainer, VideoStream]:
    """Opens a file and chooses its video.

    Of several streams, those marked as the default come first, then the largest.

    Returns:
        The container, to be closed; and the stream.

    Raises:
        DataError: If the file is no readable video.
    """
    try:
        container = av.open(str(path), metadata_errors="ignore", options=dict(_ALLOWED))
    except (av.FFmpegError, OSError, ValueError) as error:
        raise DataError(
            f"Expected a readable video. Received: {path} ({error})."
        ) from error
    try:
        return container, _video_of(container, path)
    except DataError:
        container.close()
        raise


def choice_note(container: InputContainer, chosen: VideoStream) -> str:
    """Says which of several videos is looked at; nothing of the only one."""
    videos = _videos(container)
    if len(videos) < 2:
        return ""
    context = chosen.codec_context
    return (
        f"of {len(videos)} video streams number {videos.index(chosen) + 1}, of "
        f"{context.width}x{context.height}, is looked at"
    )


def _videos(container) -> list[VideoStream]:
    return [
        stream
        for stream in container.streams.video
        if not stream.disposition & Disposition.attached_pic
    ]


def _video_of(container, path) -> VideoStream:
    if not container.streams.video:
        raise DataError(f"Expected a video stream in {path}. Received: none.")
    videos = _videos(container)
    if not videos:
        raise DataError(
            f"Expected a video stream in {path}. Received: no video, only a cover "
            "picture."
        )
    known = [stream for stream in videos if stream.codec_context is not None]
    fitting = [stream for stream in known if 0 < _area(stream) <= MAX_PIXELS]
    if known and not fitting and not any(_area(stream) == 0 for stream in known):
        context = known[0].codec_context
        raise DataError(
            f"Expected frames of at most {MAX_PIXELS} pixels in {path}. Received: "
            f"{context.width}x{context.height}."
        )
    if not known:
        raise DataError(f"Expected a video of a known codec in {path}. Received: none.")
    return max(fitting or known, key=_rank)


def _area(stream):
    return stream.codec_context.width * stream.codec_context.height


def _rank(stream):
    return bool(stream.disposition & Disposition.default), _area(stream)
