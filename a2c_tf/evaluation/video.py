"""Video files: GIF by Pillow, MP4 by ffmpeg."""

from __future__ import annotations

import contextlib
import importlib.util
import subprocess
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
from PIL import Image

from a2c_tf.dependencies import install_extra
from a2c_tf.errors import ConfigError
from a2c_tf.runs.atomic_files import replacing

ENDINGS = (".gif", ".mp4")
QUICKEST = 2
"""hundredths of a second that a GIF's frame lasts at least; browsers slow down quicker ones."""
CONSTANT_QUALITY = 18
"""of H.264, from 0, without loss, to 51."""


def check(path: Path) -> None:
    """Makes sure that a video can be written to `path`, before one is made.

    Raises:
      ConfigError: for another ending, a folder that is not there, or a package that is missing.
    """
    if path.suffix not in ENDINGS:
        raise ConfigError(f"--video {path}: expected a file that ends in {' or '.join(ENDINGS)}")
    if not path.parent.is_dir():
        raise ConfigError(f"--video {path}: there is no folder {path.parent}; make it first")
    if path.is_dir():
        raise ConfigError(f"--video {path}: is a folder; expected a file")
    if path.suffix == ".mp4" and importlib.util.find_spec("imageio_ffmpeg") is None:
        raise ConfigError(
            f"--video {path}: needs imageio-ffmpeg; {install_extra('video')}, or name a .gif"
        )


def write(path: Path, frames: Iterable[np.ndarray], frames_per_second: int) -> None:
    """Writes frames as they come; the file is there whole or not at all.

    Args:
      path: ends in one of ENDINGS.
      frames: RGB, `[H, W, 3]` uint8 each.
      frames_per_second: of the video.

    Raises:
      ConfigError: where it cannot be written.
    """
    write_file = _write_gif if path.suffix == ".gif" else _write_mp4
    try:
        with replacing(path) as temporary:
            write_file(temporary, iter(frames), frames_per_second)
    except OSError as error:
        raise ConfigError(f"--video {path}: {error}") from None


def _write_gif(path: Path, frames: Iterator[np.ndarray], frames_per_second: int) -> None:
    """An endless loop; equal frames in a row become one that lasts longer."""
    hundredths = max(QUICKEST, round(100 / frames_per_second))
    images = map(Image.fromarray, frames)
    picture = next(images)
    picture.save(path, save_all=True, append_images=images, duration=10 * hundredths, loop=0)


def _write_mp4(path: Path, frames: Iterator[np.ndarray], frames_per_second: int) -> None:
    import imageio_ffmpeg

    first = _even(next(frames))
    height, width, _ = first.shape
    raw = f"-f rawvideo -pix_fmt rgb24 -s {width}x{height} -r {frames_per_second} -i -".split()
    coded = f"-an -c:v libx264 -crf {CONSTANT_QUALITY} -pix_fmt yuv420p".split()
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", *raw, *coded, path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as ffmpeg:
        assert ffmpeg.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # ffmpeg says why it ended
            for frame in chain([first], map(_even, frames)):
                ffmpeg.stdin.write(frame.tobytes())
        _, complaint = ffmpeg.communicate()
    if ffmpeg.returncode:
        raise OSError(complaint.decode(errors="replace").strip())


def _even(frame: np.ndarray) -> np.ndarray:
    """With an even number of rows and columns, as H.264 needs; the last ones are doubled."""
    height, width, _ = frame.shape
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
