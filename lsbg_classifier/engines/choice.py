"""Choose what runs a weight set's network: ONNX Runtime on CPUs, Keras on GPUs."""

import logging
import os
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from catalogs.errors import InputError
from lsbg_classifier.backend import start_backend
from lsbg_classifier.weights.registry import WeightSet

if TYPE_CHECKING:
    import numpy as np

    from lsbg_classifier.networks.dropout import RandomPart

ENGINES = ("auto", "onnx", "keras")
"""Names that `load_classifier` and ``--engine`` take."""

_ASKED = "asked for"

_DEVICES = Path("/dev")
_GPU_DEVICES = ("nvidia[0-9]*", "kfd", "dxg")
"""Files that Linux shows where there is a GPU: NVIDIA's, AMD's, and of Windows' Linux."""

_log = logging.getLogger(__name__)


class Engine(Protocol):
    """What runs a network. Arrays have a fixed size, and one result does not depend on another."""

    name: str
    """``onnx`` or ``keras``."""

    version: str
    """Of the software that runs the network."""

    batch: int
    """Cutouts that are run together; always as many."""

    one_thread: bool
    """Whether the calling thread alone runs a batch, so that several can be run side by side."""

    @property
    def random_part(self) -> "RandomPart":
        """What dropout changes; raises `InputError` if the network drops nothing."""

    def infer(self, images: "np.ndarray") -> "np.ndarray":
        """Return probabilities of a batch of uint8 cutouts: (batch, 64, 64, 3) -> (batch,)."""

    def last_hidden(self, images: "np.ndarray") -> "np.ndarray":
        """Return what the last layer takes, for a batch of uint8 cutouts: (batch, values)."""

    def features(self, images: "np.ndarray") -> "list[np.ndarray]":
        """Return what the random part takes, for a batch of uint8 cutouts."""

    def infer_with_masks(self, features: list, masks: list) -> "np.ndarray":
        """Return the probabilities of several passes of one cutout, each with other values dropped.

        The engine for ONNX takes `networks.dropout.PASSES` (32) passes at a time.

        Parameters
        ----------
        features : list of array of float32, shape (passes, ...)
            What `features` returns for the cutout, one for each of `random_part.inputs`, repeated.
        masks : list of array of float32, shape (passes, ...)
            Factors of the values, one for each of `random_part.dropouts`: 0 for what a pass drops;
            see `networks.dropout.random_masks`.

        Returns
        -------
        array of float32, shape (passes,)
        """


@dataclass(frozen=True)
class Choice:
    """An engine, and why it was chosen.

    Attributes
    ----------
    engine : Engine
    reason : str
        Plain text for people, such as ``no GPU``.
    """

    engine: Engine
    reason: str


@dataclass(frozen=True)
class PlannedEngine:
    """The engine that a weight set would be run by; nothing is loaded.

    Attributes
    ----------
    name : str
        ``onnx`` or ``keras``.
    software : str
        Name and version.
    reason : str
        Why it is this engine.
    """

    name: str
    software: str
    reason: str


def plan_engine(weights: WeightSet, name: str = "auto") -> PlannedEngine:
    """Say which engine `choose_engine` would choose on this machine.

    Parameters
    ----------
    weights : WeightSet
    name : str
        As for `choose_engine`.

    Returns
    -------
    PlannedEngine

    Raises
    ------
    InputError
        If the name is unknown, or ONNX Runtime is asked for and cannot run the network.
    """
    if name not in ENGINES:
        raise InputError(f"unknown engine {name!r}: choose one of {', '.join(ENGINES)}")
    if name == "keras":
        return PlannedEngine("keras", _keras_software(), _ASKED)
    if name == "auto" and _has_gpu():
        return PlannedEngine("keras", _keras_software(), "there is a GPU")
    from lsbg_classifier.engines.with_onnx import conversion_problem

    problem = conversion_problem(weights)
    if problem is None:
        reason = _ASKED if name == "onnx" else "there is no GPU"
        return PlannedEngine("onnx", f"onnxruntime {version('onnxruntime')}", reason)
    if name == "onnx":
        raise _refused(weights, problem)
    return _fallback(weights, problem)


def choose_engine(weights: WeightSet, name: str = "auto") -> Choice:
    """Load the network of a weight set into the engine that is asked for.

    Parameters
    ----------
    weights : WeightSet
    name : str
        ``onnx``, ``keras``, or ``auto``: Keras where its backend has a GPU, else ONNX Runtime; and
        Keras for a network that cannot be converted, with a line in the log.

    Returns
    -------
    Choice

    Raises
    ------
    InputError
        If the name is another one, the weights are damaged, or ONNX Runtime is asked for and
        cannot run the network.
    """
    planned = plan_engine(weights, name)
    if planned.name == "onnx":
        from lsbg_classifier.engines.with_onnx import CannotConvertError, OnnxEngine

        try:
            return Choice(OnnxEngine(weights), planned.reason)
        except CannotConvertError as error:
            if name == "onnx":
                raise _refused(weights, error) from error
            planned = _fallback(weights, error)
    return _with_keras(weights, planned.reason)


def prepare_engine(name: str = "auto"):
    """Import what will run the network, as far as that can be told without weights.

    It takes a second, or several for Keras, in which a caller may do something else.

    Parameters
    ----------
    name : str
        As for `choose_engine`.
    """
    if name == "keras" or (name == "auto" and _has_gpu()):
        start_backend()
    else:
        import_module("lsbg_classifier.engines.with_onnx")


def _fallback(weights: WeightSet, problem: object) -> PlannedEngine:
    """Plan Keras in place of ONNX Runtime, and say so."""
    reason = f"ONNX Runtime cannot run this network: {problem}"
    _log.warning("%s: scored by Keras; %s", weights.path, reason)
    return PlannedEngine("keras", _keras_software(), reason)


def _refused(weights: WeightSet, problem: object) -> InputError:
    return InputError(
        f"{weights.path}: ONNX Runtime cannot run this network ({problem}); choose the engine "
        "keras or auto"
    )


def _keras_software() -> str:
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    try:
        backend = f"{backend} {version(backend)}"
    except PackageNotFoundError:  # torch-cpu and others go by another name
        pass
    return f"keras {version('keras')} with {backend}"


def _with_keras(weights: WeightSet, reason: str) -> Choice:
    start_backend()
    from lsbg_classifier.engines.with_keras import KerasEngine

    return Choice(KerasEngine(weights), reason)


def _has_gpu() -> bool:
    """Whether Keras' backend would use a GPU; it is asked only where the machine shows one."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return False
    if not any(any(_DEVICES.glob(pattern)) for pattern in _GPU_DEVICES):
        return False
    start_backend()
    import keras

    return bool(keras.distribution.list_devices("gpu"))
