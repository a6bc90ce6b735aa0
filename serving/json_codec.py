"""JSON text to typed values, with every way in which it can fail as one kind of error."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from serving.errors import InvalidInputError

T = TypeVar("T")


def decode(text: bytes, decoder: msgspec.json.Decoder[T], expected: str) -> T:
    """Decodes the value that `text` holds.

    Args:
      text: JSON in UTF-8.
      decoder: of the type.
      expected: a description of valid text, for the person who wrote it.

    Returns:
      A value of the decoder's type.

    Raises:
      InvalidInputError: for text that is not UTF-8, not JSON, or not of that type.
    """
    try:
        text.decode()  # msgspec looks at no bytes of the values that it skips
        return decoder.decode(text)
    except UnicodeDecodeError as error:
        problem = f"not UTF-8 at byte {error.start}"
    except RecursionError:
        problem = "nested too deeply"
    except msgspec.ValidationError as error:
        problem = str(error)
    except msgspec.DecodeError as error:
        problem = f"{error} (in JSON numbers are finite: no NaN, no Infinity)"
    raise InvalidInputError(f"{problem}; expected {expected}")
