"""A client of `POST /act` that needs the standard library and NumPy only."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import ArrayLike, NDArray


class PolicyServerError(RuntimeError):
    """The server refused a request, or did not answer.

    Its text is the server's own where there is one.

    Attributes:
      status: of the answer, or None if there was no answer.
    """

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


class PolicyClient:
    """Asks a policy server for actions, over one connection that is kept open.

    The state of a recurrent policy is kept from one question to the next: `reset` starts a new
    episode. Not for several threads or several streams of episodes at once: give each its own.

    Args:
      url: of the server, as `http://127.0.0.1:8000`.
      timeout: seconds to wait for an answer.

    Raises:
      ValueError: for a URL that is not http or https.
    """

    def __init__(self, url: str, timeout: float = 10.0) -> None:
        parts = urlsplit(url)
        connections = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
        if parts.scheme not in connections or not parts.hostname:
            raise ValueError(f"url: received {url!r}, expected one like http://127.0.0.1:8000")
        self._url = url
        self._path = f"{parts.path.rstrip('/')}/act"
        self._connection = connections[parts.scheme](parts.hostname, parts.port, timeout=timeout)
        self._state: list[Any] | None = None

    def act(
        self,
        observation: ArrayLike | Mapping[str, ArrayLike],
        deterministic: bool = True,
        seed: int | None = None,
        action_mask: ArrayLike | None = None,
    ) -> NDArray[Any] | np.generic:
        """Requests the action for one observation `[*obs]`, or actions `[N, ...]` for a batch.

        Args:
          observation: in the environment's own dtype; for a Dict space, an array for each key.
          deterministic: the most likely action; False samples one.
          seed: of the sample; the same seed samples the same action.
          action_mask: bool `[M]` or `[N, M]`, true where allowed, if the environment has one.

        Returns:
          Scalar or array; integers where the action is discrete, float64 where it is continuous.

        Raises:
          PolicyServerError: with the server's text where it refuses, or if it does not answer.
        """
        request = {
            "observation": _plain(observation),
            "action_mask": None if action_mask is None else np.asarray(action_mask, bool).tolist(),
            "state": self._state,
            "deterministic": bool(deterministic),
            "seed": None if seed is None else int(seed),
        }
        answer: dict[str, Any] = json.loads(self._post(json.dumps(request).encode()))
        self._state = answer.get("state")
        action: NDArray[Any] = np.asarray(answer["action"])
        return action[()]

    def reset(self) -> None:
        """Starts a new episode, in every row of a batch; a batch of another size needs it, too."""
        self._state = None

    def close(self) -> None:
        """Closes the connection; the next question opens another."""
        self._connection.close()

    def _post(self, body: bytes) -> bytes:
        is_reused = self._connection.sock is not None
        try:
            try:
                status, content = self._exchange(body)
            except ConnectionError:
                if not is_reused:
                    raise
                status, content = self._exchange(body)  # the server closes idle connections
        except (OSError, http.client.HTTPException) as error:
            raise PolicyServerError(f"no answer from {self._url}: {error}") from error
        if status != 200:
            raise PolicyServerError(_error_text(content), status)
        return content

    def _exchange(self, body: bytes) -> tuple[int, bytes]:
        try:
            self._connection.request("POST", self._path, body)
            response = self._connection.getresponse()
            return response.status, response.read()
        except BaseException:
            self._connection.close()  # else the next request would read this one's answer
            raise


def _plain(observation: ArrayLike | Mapping[str, ArrayLike]) -> Any:
    if isinstance(observation, Mapping):
        return {key: np.asarray(value).tolist() for key, value in observation.items()}
    return np.asarray(observation).tolist()


def _error_text(content: bytes) -> str:
    try:
        return str(json.loads(content)["error"])
    except (ValueError, KeyError, TypeError):  # from a proxy, for instance
        return content.decode(errors="replace")
