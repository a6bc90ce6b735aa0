"""A canvas in an environment's own units, with smooth edges."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from a2c_tf.envs.rendering.frames import Color

FINENESS = 4
"""pixels that are drawn for each of the frame, along either side."""
BACKGROUND = (250, 250, 250)

Point = Sequence[float]


class Canvas:
    """Draws the world between two corners, y upwards.

    Args:
      width: pixels of the frame; its height follows.
      low: left and lower end in the world's units.
      high: right and upper end.
    """

    def __init__(self, width: int, low: Point, high: Point) -> None:
        self._left, self._top = low[0], high[1]
        self._pixels = FINENESS * width / (high[0] - low[0])  # of a unit
        self._size = (width, 2 * round((high[1] - low[1]) * self._pixels / FINENESS / 2))
        whole = (FINENESS * self._size[0], FINENESS * self._size[1])
        self._image = Image.new("RGB", whole, BACKGROUND)
        self._draw = ImageDraw.Draw(self._image)

    def polygon(self, points: Sequence[Point], color: Color) -> None:
        """Draws a filled area."""
        self._draw.polygon(self._place(points), fill=color)

    def line(self, points: Sequence[Point], color: Color, width: float) -> None:
        """Draws a line through points, round where it bends and at its ends.

        Args:
          points: from one end to the other.
          color: red, green and blue, 0 to 255.
          width: in the world's units.
        """
        placed = self._place(points)
        self._draw.line(placed, fill=color, width=round(width * self._pixels), joint="curve")
        for end in (points[0], points[-1]):
            self.disc(end, width / 2, color)

    def disc(self, center: Point, radius: float, color: Color) -> None:
        """Draws a filled circle.

        Args:
          center: of the circle.
          radius: in the world's units.
          color: red, green and blue, 0 to 255.
        """
        self._draw.circle(self._place([center])[0], radius * self._pixels, fill=color)

    def frame(self) -> np.ndarray:
        """Returns what was drawn, `[H, W, 3]` uint8."""
        return np.asarray(self._image.resize(self._size, Image.Resampling.BOX))

    def _place(self, points: Sequence[Point]) -> list[tuple[float, float]]:
        return [
            ((x - self._left) * self._pixels, (self._top - y) * self._pixels) for x, y in points
        ]
