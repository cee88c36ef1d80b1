"""Run a network with ONNX Runtime, on the CPU, without importing Keras or TensorFlow."""

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock

import numpy as np

# ONNX Runtime reads this when it is imported. Otherwise, from 1.29 on, each process that runs a
# network reports to Microsoft, and keeps an identifier and a database in the user's cache.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime

from catalogs.errors import InputError, one_line
from lsbg_classifier.engines.graphs import Graph, UnknownLayerError, Weights, with_pooling_first
from lsbg_classifier.networks.dropout import PASSES, RandomPart, random_part
from lsbg_classifier.networks.steps import Step
from lsbg_classifier.networks.stored import (
    DamagedWeightsError,
    read_description,
    read_weights,
    steps_described,
)
from lsbg_classifier.surveys import CUTOUT_SIZE
from lsbg_classifier.weights.registry import WeightSet

_SHAPE = (CUTOUT_SIZE, CUTOUT_SIZE, 3)
_ERRORS = 3

_CONVERSION_ERRORS = (OSError, ArithmeticError, LookupError, TypeError, ValueError, RuntimeError)
"""What a description can cause that is damaged, or of layers unlike those known here."""


class CannotConvertError(ValueError):
    """The network of a weight set cannot be run by ONNX Runtime; the message says why."""


class OnnxEngine:
    """A weight set's network, run by ONNX Runtime; one instance serves all threads of a process.

    Attributes
    ----------
    name, version : str
    batch : int
        Cutouts that are run together; always as many.
    one_thread : bool
        True. Batches that are run side by side need a quarter less time than one after the other,
        each divided among threads, which wait for each other at every layer.

    Raises
    ------
    CannotConvertError
        If the network cannot be converted.
    InputError
        If the weights are not those that the card describes.
    """

    name = "onnx"
    version = onnxruntime.__version__
    batch = 32
    one_thread = True

    def __init__(self, weights: WeightSet):
        weights.check_intact()
        self._set, self._lock = weights, Lock()
        try:
            self._described = _steps(weights.path, weights.card.architecture)
            self._steps, arrays = self._read()
            graph = self._front(arrays)
            self._shapes = {name: value.shape for name, value in graph.values.items()}
            if self._shapes[self._steps[-1].name] != (1,):
                raise ValueError("it does not give one probability")
            self._session = _session(graph, [self._steps[-1].name])
        except DamagedWeightsError as error:
            raise InputError(
                f"{weights.path}: not weights of this network, {weights.card.architecture} "
                f"({error})"
            ) from error
        except _CONVERSION_ERRORS as error:
            raise CannotConvertError(one_line(error)) from error

    def infer(self, images: np.ndarray) -> np.ndarray:
        """Return probabilities of a batch of uint8 cutouts: (batch, 64, 64, 3) -> (batch,)."""
        return _run(self._session, [images])[0][:, 0]

    def last_hidden(self, images: np.ndarray) -> np.ndarray:
        """Return what the last layer takes, for a batch of uint8 cutouts; see `Engine`."""
        with self._lock:
            session = self._hidden
        return _run(session, [images])[0]

    @cached_property
    def random_part(self) -> RandomPart:
        """What dropout changes in the network."""
        return random_part(self._steps, self._shapes.__getitem__)

    def features(self, images: np.ndarray) -> list[np.ndarray]:
        """Return what `random_part` takes, for a batch of uint8 cutouts."""
        return _run(self._halves[0], [images])

    def infer_with_masks(
        self, features: Sequence[np.ndarray], masks: Sequence[np.ndarray]
    ) -> np.ndarray:
        """Return the probabilities of several passes; see `Engine.infer_with_masks`."""
        return _run(self._halves[1], [*features, *masks])[0][:, 0]

    def _read(self) -> tuple[list[Step], Weights]:
        return with_pooling_first(self._described, read_weights(self._set.path, self._described))

    def _front(self, weights: Weights) -> Graph:
        graph = Graph(weights, self.batch)
        graph.add_pixels(self._steps[0].name, _SHAPE)
        for step in self._steps[1:]:
            graph.add_step(step)
        return graph

    @cached_property
    def _hidden(self) -> onnxruntime.InferenceSession:
        self._set.check_intact()
        _, weights = self._read()
        return _session(self._front(weights), list(self._steps[-1].inputs))

    @property
    def _halves(self) -> tuple[onnxruntime.InferenceSession, onnxruntime.InferenceSession]:
        with self._lock:
            return self._built_halves

    @cached_property
    def _built_halves(self) -> tuple[onnxruntime.InferenceSession, onnxruntime.InferenceSession]:
        part = self.random_part
        self._set.check_intact()
        _, weights = self._read()
        head = Graph(weights, PASSES)
        for name in part.inputs:
            head.add_features(name, self._shapes[name])
        dropouts = {step.name for step in part.dropouts}
        for step in self._steps:
            if step.name in part.names:
                (head.add_masked if step.name in dropouts else head.add_step)(step)
        front = self._front(weights)
        return _session(front, list(part.inputs)), _session(head, [self._steps[-1].name])


def conversion_problem(weights: WeightSet) -> str | None:
    """Say why the network of a weight set cannot be converted; None if it can.

    Only its description is looked at, not the weights.
    """
    try:
        steps = _steps(weights.path, weights.card.architecture)
        graph = Graph(None, OnnxEngine.batch)
        graph.add_pixels(steps[0].name, _SHAPE)
        for step in steps[1:]:
            graph.add_step(step)
    except _CONVERSION_ERRORS as error:
        return one_line(error)
    return None


def _steps(path: Path, architecture: str) -> list[Step]:
    description = read_description(path, architecture)
    if description is None:
        raise UnknownLayerError(
            "the weights were saved without a description of their network, by an older version"
        )
    return steps_described(description)


def _session(graph: Graph, outputs: list[str]) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS
    return onnxruntime.InferenceSession(
        graph.model(outputs).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _run(session: onnxruntime.InferenceSession, arrays: list[np.ndarray]) -> list[np.ndarray]:
    names = [item.name for item in session.get_inputs()]
    return session.run(None, dict(zip(names, arrays, strict=True)))
