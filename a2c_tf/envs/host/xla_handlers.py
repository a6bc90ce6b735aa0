"""Functions of other libraries, called by TensorFlow's XLA from within a compiled program.

Libraries offer such handlers to JAX, by XLA's foreign function interface. TensorFlow has the same
runtime and ships its header (`xla/ffi/api/c_api.h`), whose structures are those below, but nothing
in Python that registers a handler.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Sequence
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_uint32, c_void_p
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.compiler.tf2xla.python import xla

GET_API = "_ZN3xla3ffi12GetXlaFfiApiEv"
"""`xla::ffi::GetXlaFfiApi()`, as C++ compilers write it."""
ALIKE_WITHOUT_STATE = ((0, 2), (0, 3))
"""versions of the interface: the later one adds a field to what handlers with a state call."""
MODULE_VERSION = 9
"""of `XlaCallModule`."""
ELEMENT_TYPES = {tf.bool: "i1", tf.uint8: "ui8", tf.int32: "i32", tf.float32: "f32"}


class UnavailableError(Exception):
    """This TensorFlow cannot call the handler; the message says why."""


def _structure(**fields: Any) -> type[ctypes.Structure]:
    """Of C, with what each structure of the interface begins with."""
    begin = {"struct_size": c_size_t, "extension": c_void_p}
    return type("Structure", (ctypes.Structure,), {"_fields_": [*(begin | fields).items()]})


class _Bytes(ctypes.Structure):
    _fields_ = [("address", c_char_p), ("size", c_size_t)]


class _Stages(ctypes.Structure):
    _fields_ = [(name, c_void_p) for name in ("instantiate", "prepare", "initialize", "execute")]


_Registration = _structure(name=_Bytes, platform=_Bytes, stages=_Stages, traits=c_uint32)
_ErrorText = _structure(error=c_void_p, message=c_char_p)
_Version = _structure(major=c_int, minor=c_int)


class _Metadata(ctypes.Structure):
    _fields_ = [("struct_size", c_size_t), ("version", _Version)]


class _Question(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("type", c_int),
        ("next", c_void_p),
        ("metadata", POINTER(_Metadata)),
    ]


_Frame = _structure(extension=POINTER(_Question))  # the rest is between XLA and the handler
_Handler = ctypes.CFUNCTYPE(c_void_p, POINTER(_Frame))
_Api = _structure(
    version=_Version,
    internal=c_void_p,
    create_error=c_void_p,
    read_error=ctypes.CFUNCTYPE(None, POINTER(_ErrorText)),
    destroy_error=ctypes.CFUNCTYPE(None, POINTER(_ErrorText)),
    register=ctypes.CFUNCTYPE(c_void_p, POINTER(_Registration)),
)


@functools.cache
def register(name: str, address: int) -> Callable[..., Any]:
    """Makes the handler at `address`, which keeps no state, known to XLA on the CPU as `name`.

    Returns what XLA calls, which lives as long as the process.

    Raises:
      UnavailableError: where TensorFlow has no such interface, or refuses the handler.
    """
    api = _api()
    handler = _Handler(address)
    if _refusal(api, name, handler):
        handler = _as_alike(handler, (api.version.major, api.version.minor))
        if reason := _refusal(api, name, handler):
            raise UnavailableError(reason)
    return handler


def address_of(capsule: object) -> int:
    """Returns the address of a handler that a library offers in a capsule without a name."""
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype, get_pointer.argtypes = c_void_p, [ctypes.py_object, c_char_p]
    return int(get_pointer(capsule, None))


def call(
    name: str, arguments: Sequence[tf.Tensor], results: Sequence[tf.TensorSpec]
) -> list[tf.Tensor]:
    """Calls a registered handler; to be traced into a `program`.

    Args:
      name: under which it was registered.
      arguments: as the handler expects them.
      results: shapes and dtypes of what it writes.

    Returns:
      The results.
    """
    given, taken = (", ".join(map(_type, tensors)) for tensors in (arguments, results))
    names = ", ".join(f"%{i}" for i in range(len(arguments)))
    parameters = ", ".join(f"%{i}: {_type(tensor)}" for i, tensor in enumerate(arguments))
    module = f"""
    func.func public @main({parameters}) -> ({taken}) {{
      %results:{len(results)} = stablehlo.custom_call @{name}({names})
        {{api_version = 4 : i32, has_side_effect = true}} : ({given}) -> ({taken})
      return {", ".join(f"%results#{i}" for i in range(len(results)))} : {taken}
    }}"""
    return xla.call_module(
        arguments,
        version=MODULE_VERSION,
        module=module,
        Tout=[result.dtype for result in results],
        Sout=[result.shape for result in results],
        platforms=["CPU"],
    )


def program(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles a function that calls handlers, so that Python's main thread never runs it.

    That thread would break off a handler that is in Python at a signal. A function around it that
    is not XLA's leaves what is in it to TensorFlow's threads.
    """
    compiled = tf.function(function, jit_compile=True, autograph=False)
    return tf.function(lambda *arguments: compiled(*arguments), autograph=False)


def _type(tensor: tf.Tensor | tf.TensorSpec) -> str:
    """As MLIR writes it."""
    return f"tensor<{'x'.join([*map(str, tensor.shape), ELEMENT_TYPES[tensor.dtype]])}>"


def _api() -> Any:
    """TensorFlow's table of the interface's functions; on Linux, where all this is tested."""
    for path in Path(tf.sysconfig.get_lib()).glob("libtensorflow_framework.so*"):
        get = getattr(ctypes.CDLL(str(path)), GET_API, None)
        if get:
            get.restype = POINTER(_Api)
            return get().contents
    raise UnavailableError(f"TensorFlow {tf.__version__} has no {GET_API}")


def _refusal(api: Any, name: str, handler: Any) -> str:
    """Why TensorFlow does not take the handler; empty where it is registered now."""
    registration = _Registration(
        name=_bytes(name),
        platform=_bytes("Host"),
        stages=_Stages(execute=ctypes.cast(handler, c_void_p)),
    )
    registration.struct_size = _Registration.traits.offset + ctypes.sizeof(c_uint32)
    error = api.register(registration)
    if not error:
        return ""
    text = _ErrorText(struct_size=ctypes.sizeof(_ErrorText), error=error)
    api.read_error(text)
    message = text.message.decode()
    text.struct_size = _ErrorText.message.offset
    api.destroy_error(text)
    return message


def _bytes(text: str) -> _Bytes:
    encoded = text.encode()
    return _Bytes(encoded, len(encoded))


def _as_alike(handler: Any, version: tuple[int, int]) -> Any:
    """The handler, that tells an alike version where TensorFlow asks for its own.

    TensorFlow takes the version that it was built with, or an earlier one. Each call goes through
    these lines, 35 to 80 us of CPU: nothing but Python is at hand to stand in between.
    """

    @_Handler
    def call(frame: Any) -> Any:
        error = handler(frame)
        if question := frame.contents.extension:  # on registration alone
            told = question.contents.metadata.contents.version
            if (version, (told.major, told.minor)) == ALIKE_WITHOUT_STATE:
                told.major, told.minor = version
        return error

    return call
