"""The two files: written from the inference function, and run again from disk."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import onnx
import onnxruntime
import tensorflow as tf
import tf2onnx

from a2c_tf.errors import CommandError
from export.inference import Inference, Inputs, Outputs
from export.naming import name_by_place

OPSET = 17
"""tf2onnx is tested with opsets 14 to 18."""

Runner = Callable[[Inputs], Outputs]


class ExportError(CommandError):
    """The network cannot be written in the format asked for."""


def write_saved_model(inference: Inference, path: Path) -> None:
    """Writes a SavedModel whose `serving_default` has the inputs and outputs of the ONNX file."""
    with _without_wildcards(path.parent) as folder:
        tf.saved_model.save(
            inference, str(folder / path.name), signatures={"serving_default": inference.act}
        )


def write_onnx(inference: Inference, path: Path) -> None:
    """Writes an ONNX file with a symbolic batch, and inputs and outputs by name.

    Raises:
      ExportError: where the network has an operation that ONNX lacks.
    """
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    model, _ = tf2onnx.convert.from_function(
        inference.act, input_signature=inference.signature, opset=OPSET
    )
    name_by_place(model)
    _name_batch(model.graph)
    try:
        onnx.checker.check_model(model, full_check=True)
    except onnx.checker.ValidationError as error:
        raise ExportError(
            f"export refused: ONNX cannot hold the network ({str(error).splitlines()[0]}); "
            "use another layer or activation, or export with --format saved_model"
        ) from None
    path.write_bytes(model.SerializeToString(deterministic=True))


def run_saved_model(path: Path) -> Runner:
    """Returns the SavedModel at `path` as a function."""
    with _without_wildcards(path.parent) as folder:
        loaded = tf.saved_model.load(str(folder / path.name))

    def run(inputs: Inputs) -> Outputs:
        tensors = {name: tf.constant(array) for name, array in inputs.items()}
        # through `loaded`, since a signature alone does not keep its weights alive
        outputs = loaded.signatures["serving_default"](**tensors)
        return {name: tensor.numpy() for name, tensor in outputs.items()}

    return run


def run_onnx(path: Path) -> Runner:
    """Returns the ONNX file at `path`, in onnxruntime, as a function."""
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])

    names = [output.name for output in session.get_outputs()]

    def run(inputs: Inputs) -> Outputs:
        return dict(zip(names, session.run(names, inputs), strict=True))

    return run


@contextlib.contextmanager
def _without_wildcards(folder: Path) -> Iterator[Path]:
    """Yields a symlink to the folder, since TensorFlow takes `[1]` or `*` in it as a pattern."""
    with tempfile.TemporaryDirectory(prefix="a2c_tf-") as temporary:
        link = Path(temporary) / "folder"
        link.symlink_to(folder.resolve(), target_is_directory=True)
        yield link


def _name_batch(graph: onnx.GraphProto) -> None:
    """Names the first dimension of every input and output `batch`."""
    for tensor in (*graph.input, *graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_param = "batch"
