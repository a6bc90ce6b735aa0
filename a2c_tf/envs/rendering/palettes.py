"""What the planes of each board game look like, from the lowest to the highest."""

from __future__ import annotations

from a2c_tf.envs.rendering.boards import Layer

SMALL = 12  # pixels left free around what is smaller than a cell of 40

WHITE = (240, 242, 247)
CYAN = (86, 204, 242)
BLUE = (45, 108, 223)
GREEN = (111, 207, 121)
YELLOW = (250, 209, 84)
ORANGE = (242, 142, 60)
RED = (228, 72, 80)
MAGENTA = (206, 102, 196)
TRAIL = (74, 80, 98)

CATCH = (Layer(0, YELLOW), Layer(1, CYAN))

ASTERIX = (
    Layer(2, TRAIL),
    Layer(1, RED),
    Layer(3, YELLOW),
    Layer(0, CYAN),
)
BREAKOUT = (
    Layer(2, TRAIL),
    Layer(3, ORANGE),
    Layer(1, WHITE),
    Layer(0, CYAN),
)
FREEWAY = (  # trails from the fastest car's to the slowest one's
    Layer(2, (150, 62, 62)),
    Layer(3, (138, 84, 52)),
    Layer(4, (116, 104, 56)),
    Layer(5, (66, 104, 80)),
    Layer(6, (62, 84, 124)),
    Layer(1, YELLOW),
    Layer(0, WHITE),
)
SEAQUEST = (
    Layer(3, TRAIL),
    Layer(5, GREEN),
    Layer(6, RED),
    Layer(9, YELLOW),
    Layer(1, (52, 128, 158)),
    Layer(0, CYAN),
    Layer(4, ORANGE, SMALL),
    Layer(2, WHITE, SMALL),
    Layer(7, BLUE),
    Layer(8, YELLOW, SMALL),  # the divers on board, before the oxygen's gauge
)
SPACE_INVADERS = (
    Layer(1, MAGENTA),
    Layer(2, (150, 60, 142), SMALL),  # on aliens that go left
    Layer(3, (240, 176, 232), SMALL),  # on aliens that go right
    Layer(5, ORANGE, SMALL),
    Layer(4, WHITE, SMALL),
    Layer(0, CYAN),
)
