"""Clips to measure on, made here."""

import av
import cv2
import numpy as np


def photograph_clip(path, width, height):
    """Encodes 10 s, 25 frames a second, of a face in the public domain."""
    from skimage import data

    side = round(height * 5 / 6)
    face = cv2.resize(data.astronaut()[:300, 60:360], (side, side))
    across, down = (width - side) // 2, (height - side) // 2
    image = cv2.copyMakeBorder(
        face,
        down,
        height - side - down,
        across,
        width - side - across,
        cv2.BORDER_REFLECT,
    )
    with av.open(str(path), "w") as container:
        options = {"crf": "30", "preset": "ultrafast", "g": "25"}
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for n in range(250):
            moved = image.copy()
            moved[:, n : n + 8] = 0  # something to encode in each frame
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(moved), "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def repeated(source_path, path, seconds):
    """Repeats a video's packets until so many seconds are full."""
    with av.open(str(path), "w") as container, av.open(str(source_path)) as source:
        read = source.streams.video[0]
        stream = container.add_stream_from_template(read)
        length = read.duration
        for loop in range(-(-round(seconds / read.time_base) // length)):
            source.seek(0)
            for packet in source.demux(video=0):
                if packet.dts is None:
                    continue
                packet.dts += loop * length
                packet.pts += loop * length
                packet.stream = stream
                container.mux(packet)
    return path
