"""The line that a started server prints: its address, and a command that requests an action."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Callable, Mapping
from socket import AF_UNIX, socket

import numpy as np

from serving.inputs import ACTION_MASK, KEY_PREFIX, OBSERVATION, Specs, is_observation
from serving.policy import Policy
from serving.tensors import TensorSpec

MOST_LITERALS = 16
"""values that the command spells out."""


def announcement(policy: Policy, listener: socket) -> str:
    """Returns name, address and an example command for the shell, on one line."""
    if listener.family == AF_UNIX:
        path = listener.getsockname()
        url, curl, place = "http://localhost", f"curl -s --unix-socket {shlex.quote(path)}", path
    else:
        url = place = _url(listener)
        curl = "curl -s"
    command = _example(f"{curl} {url}/act", policy.inputs)
    return f"serving {policy.name} on {place}, try: {command}"


def _url(listener: socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _example(curl: str, inputs: Specs) -> str:
    """Asks for the action at an observation of zeros; Python writes it where it is long."""
    if sum(math.prod(spec.row_shape) for spec in inputs.values()) <= MOST_LITERALS:
        return f"{curl} -d {shlex.quote(_request(inputs, _literals))}"
    script = f"import json; print(json.dumps({_request(inputs, _product)}))"
    return f"python3 -c {shlex.quote(script)} | {curl} -d @-"


def _request(inputs: Specs, write: Callable[[TensorSpec], str]) -> str:
    """An object with what a request must hold, each tensor as `write` writes it."""
    observations = {name: write(spec) for name, spec in inputs.items() if is_observation(name)}
    keys = {name.removeprefix(KEY_PREFIX): text for name, text in observations.items()}
    fields = observations if OBSERVATION in inputs else {OBSERVATION: _object(keys)}
    if ACTION_MASK in inputs:
        fields[ACTION_MASK] = write(inputs[ACTION_MASK])
    return _object(fields)


def _object(fields: Mapping[str, str]) -> str:
    return f"{{{', '.join(f'{json.dumps(key)}: {text}' for key, text in fields.items())}}}"


def _literals(spec: TensorSpec) -> str:
    return json.dumps(np.full(spec.row_shape, _value(spec)).tolist())


def _product(spec: TensorSpec) -> str:
    """As Python writes a list of equal values."""
    product = str(_value(spec))
    for size in reversed(spec.row_shape):
        product = f"[{product}]*{size}"
    return product


def _value(spec: TensorSpec) -> bool | int:
    return True if spec.name == ACTION_MASK else 0
