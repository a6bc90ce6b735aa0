"""The line that a started server prints: where it is, and a command that asks it something."""

from __future__ import annotations

import math
import shlex
from socket import AF_UNIX, socket

from serving.policy import Policy
from serving.tensors import TensorSpec

MOST_LITERALS = 16
"""values of an observation that the command spells out."""


def announcement(policy: Policy, listener: socket) -> str:
    """Name, address and an example command for the shell, on one line."""
    if listener.family == AF_UNIX:
        path = listener.getsockname()
        url, curl, place = "http://localhost", f"curl -s --unix-socket {shlex.quote(path)}", path
    else:
        url = place = _url(listener)
        curl = "curl -s"
    command = _example(f"{curl} {url}/act", policy.observation)
    return f"serving {policy.name} on {place}, try: {command}"


def _url(listener: socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _example(curl: str, spec: TensorSpec) -> str:
    """Asks for the action at an observation of zeros; Python writes it where it is long."""
    if math.prod(spec.row_shape) <= MOST_LITERALS:
        return f"{curl} -d '{{\"observation\": {_zeros(spec.row_shape)}}}'"
    product = "0"
    for size in reversed(spec.row_shape):
        product = f"[{product}]*{size}"
    return (
        f"python3 -c 'import json; print(json.dumps({{\"observation\": {product}}}))' "
        f"| {curl} -d @-"
    )


def _zeros(shape: tuple[int, ...]) -> str:
    return f"[{', '.join([_zeros(shape[1:])] * shape[0])}]" if shape else "0"
