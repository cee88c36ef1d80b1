"""Make an ONNX graph from the steps of a network and its weights, without Keras.

Images are planar inside (batch, channel, row, column), as ONNX has them; what goes in and out, and
what is flattened, has channels last, as Keras has them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper

from lsbg_classifier.engines.windows import Window
from lsbg_classifier.networks.steps import Step, pooled_normalisations
from lsbg_classifier.networks.stored import DamagedWeightsError

_OPSET, _FORMAT = 17, 8
"""Versions of ONNX' operators and files that all of ONNX Runtime since 2022 reads."""

_TO_PLANAR, _TO_LAST = (0, 3, 1, 2), (0, 2, 3, 1)

Weights = Mapping[str, list[np.ndarray]]
"""Arrays of each step, in Keras' order."""


class UnknownLayerError(ValueError):
    """A network has a layer, or an option of one, that is not converted here."""


@dataclass(frozen=True)
class Value:
    """The output of a step.

    Attributes
    ----------
    name : str
        In the graph.
    shape : tuple of int
        Without the batch: (height, width, channels), or (features,).
    """

    name: str
    shape: tuple[int, ...]


class Graph:
    """An ONNX graph that grows by one step after the other.

    Parameters
    ----------
    weights : mapping of str to list of array, or None
        None: the graph has zeros in their place, and only tells whether it can be made.
    batch : int
        Fixed number of cutouts, so that each is computed in one way, whatever is beside it.
    """

    def __init__(self, weights: Weights | None, batch: int):
        self._weights, self._batch = weights, batch
        self._nodes: list[NodeProto] = []
        self._inputs: list[ValueInfoProto] = []
        self._arrays: dict[str, np.ndarray] = {}
        self.values: dict[str, Value] = {}

    def add_pixels(self, step: str, shape: tuple[int, ...]):
        """Add uint8 cutouts, channels last, as an input of the graph.

        The value of the step is the cutouts divided by 255, as float32.

        Parameters
        ----------
        step : str
            Name of the step, and of the input.
        shape : tuple of int
            Height, width and channels, without the batch.
        """
        self._add_input(step, TensorProto.UINT8, shape)
        planar = self.add("Transpose", [step], perm=_TO_PLANAR)
        floats = self.add("Cast", [planar], to=TensorProto.FLOAT)
        scaled = self.add("Mul", [floats, self.constant(np.array(1 / 255, np.float32))])
        self.values[step] = Value(scaled, shape)

    def add_features(self, step: str, shape: tuple[int, ...]):
        """Add the value of a step, in the form that `model` returns, as an input of the graph.

        Parameters
        ----------
        step : str
            Name of the step, and of the input.
        shape : tuple of int
            Without the batch: (features,), or (height, width, channels); the input of the latter
            has the channels first.
        """
        planar = (shape[2], *shape[:2]) if len(shape) == 3 else shape
        self._add_input(step, TensorProto.FLOAT, planar)
        self.values[step] = Value(step, shape)

    def add_step(self, step: Step):
        """Add a layer; raises `UnknownLayerError` where it is not known."""
        if step.kind not in _LAYERS:
            raise UnknownLayerError(f"layer {step.kind}")
        inputs = [self.values[name] for name in step.inputs]
        self.values[step.name] = _LAYERS[step.kind](self, step, *inputs)

    def add_masked(self, step: Step):
        """Add, in place of a layer that drops values, an input of factors, channels last."""
        value = self.values[step.inputs[0]]
        mask = f"{step.name}:mask"
        self._add_input(mask, TensorProto.FLOAT, value.shape)
        if len(value.shape) == 3:
            mask = self.add("Transpose", [mask], perm=_TO_PLANAR)
        self.values[step.name] = Value(self.add("Mul", [value.name, mask]), value.shape)

    def model(self, outputs: Iterable[str]) -> ModelProto:
        """Return the graph that gives the values of some steps."""
        model = ModelProto(ir_version=_FORMAT)
        model.opset_import.add(version=_OPSET)
        graph = model.graph
        graph.name = "network"
        graph.input.extend(self._inputs)
        graph.node.extend(self._nodes)
        for name, array in self._arrays.items():  # no helper: it would copy them all, twice
            graph.initializer.add(
                name=name, dims=array.shape, data_type=TensorProto.FLOAT, raw_data=array.tobytes()
            )
        for name in outputs:
            graph.output.add(
                name=self.values[name].name
            ).type.tensor_type.elem_type = TensorProto.FLOAT
        return model

    def add(self, operator: str, inputs: list[str], **attributes) -> str:
        """Add a node.

        Parameters
        ----------
        operator : str
            Of ONNX, such as ``Conv``.
        inputs : list of str
            Names of values or arrays of the graph.
        **attributes
            Of the operator.

        Returns
        -------
        str
            Name of the output.
        """
        name = f"{operator}:{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def constant(self, array: np.ndarray) -> str:
        """Add an array; returns its name."""
        name = f"array:{len(self._arrays)}"
        self._arrays[name] = array.astype("<f4", copy=False)
        return name

    def weights(self, step: Step, *shapes: tuple[int, ...]) -> list[np.ndarray]:
        """Return the arrays of a step.

        Parameters
        ----------
        step : Step
        *shapes : tuple of int
            Shapes that its arrays must have, in Keras' order.

        Returns
        -------
        list of array of float32
            Zeros where the graph was made without weights.

        Raises
        ------
        DamagedWeightsError
            If the arrays have other shapes, or another number.
        """
        if self._weights is None:
            return [np.broadcast_to(np.float32(0), shape) for shape in shapes]
        arrays = self._weights.get(step.name, [])
        if [array.shape for array in arrays] != list(shapes):
            raise DamagedWeightsError(f"those of a {step.kind} do not have the shapes {shapes}")
        return arrays

    def _add_input(self, name: str, kind: int, shape: tuple[int, ...]):
        self._inputs.append(helper.make_tensor_value_info(name, kind, (self._batch, *shape)))


def with_pooling_first(
    steps: Sequence[Step], weights: Weights
) -> tuple[list[Step], dict[str, list[np.ndarray]]]:
    """Exchange normalisations and max-poolings behind them where that changes no result.

    Parameters
    ----------
    steps : sequence of Step
    weights : mapping of str to list of array

    Returns
    -------
    steps, weights
        Where a normalisation keeps the order of values in all channels, its step is the pooling,
        and that of the pooling is the normalisation; the last still gives the result of both.
    """
    by_name = {step.name: step for step in steps}
    exchanged, changed = dict(by_name), dict(weights)
    for pooling, normalisation in pooled_normalisations(steps).items():
        one, other = by_name[normalisation], by_name[pooling]
        arrays = weights.get(normalisation, [])
        if one.config["scale"] and not (arrays and (arrays[0] >= 0).all()):
            continue
        exchanged[normalisation] = replace(other, name=normalisation, inputs=one.inputs)
        exchanged[pooling] = replace(one, name=pooling, inputs=(normalisation,))
        changed[pooling] = changed.pop(normalisation, [])
    return list(exchanged.values()), changed


def _conv2d(graph: Graph, step: Step, value: Value) -> Value:
    config = step.config
    filters, groups = config["filters"], config.get("groups", 1)
    window = Window.read(config["kernel_size"], config["strides"], config)
    kernel_shape = (*window.size, value.shape[2] // groups, filters)
    shapes = [kernel_shape, (filters,)] if config["use_bias"] else [kernel_shape]
    kernel, *bias = graph.weights(step, *shapes)
    arrays = [graph.constant(array) for array in (kernel.transpose(3, 2, 0, 1), *bias)]
    name = graph.add("Conv", [value.name, *arrays], group=groups, **window.options(value.shape))
    return _activated(graph, config, Value(name, (*window.result(value.shape), filters)))


def _dense(graph: Graph, step: Step, value: Value) -> Value:
    config = step.config
    if len(value.shape) != 1:
        raise UnknownLayerError("Dense of more than one dimension")
    units = config["units"]
    shapes = [(value.shape[0], units), *([(units,)] if config["use_bias"] else [])]
    arrays = [graph.constant(array) for array in graph.weights(step, *shapes)]
    return _activated(graph, config, Value(graph.add("Gemm", [value.name, *arrays]), (units,)))


def _normalisation(graph: Graph, step: Step, value: Value) -> Value:
    config, channels = step.config, value.shape[-1]
    if config["axis"] not in (-1, len(value.shape), [-1], [len(value.shape)]):
        raise UnknownLayerError(f"BatchNormalization over axis {config['axis']}")
    learned = config["scale"] + config["center"]
    arrays = graph.weights(step, *[(channels,)] * (learned + 2))
    gamma = arrays[0] if config["scale"] else np.ones(channels, np.float32)
    beta = arrays[learned - 1] if config["center"] else np.zeros(channels, np.float32)
    constants = [graph.constant(array) for array in (gamma, beta, *arrays[-2:])]
    name = graph.add("BatchNormalization", [value.name, *constants], epsilon=config["epsilon"])
    return Value(name, value.shape)


def _pooling(operator: str, **options) -> Callable:
    def convert(graph: Graph, step: Step, value: Value) -> Value:
        size = step.config["pool_size"]
        window = Window.read(size, step.config["strides"] or size, step.config)
        options_of_window = window.options(value.shape)
        del options_of_window["dilations"]
        name = graph.add(operator, [value.name], **options_of_window, **options)
        return Value(name, (*window.result(value.shape), value.shape[2]))

    return convert


def _global_pooling(operator: str) -> Callable:
    def convert(graph: Graph, step: Step, value: Value) -> Value:
        if step.config.get("keepdims") or step.config.get("data_format") == "channels_first":
            raise UnknownLayerError(f"{step.kind} with keepdims or channels first")
        name = graph.add(operator, [value.name])
        return Value(graph.add("Flatten", [name]), value.shape[2:])

    return convert


def _flatten(graph: Graph, step: Step, value: Value) -> Value:
    if step.config.get("data_format") == "channels_first":
        raise UnknownLayerError("Flatten with channels first")
    if len(value.shape) == 1:
        return value
    last = graph.add("Transpose", [value.name], perm=_TO_LAST)
    return Value(graph.add("Flatten", [last]), (int(np.prod(value.shape)),))


def _same(_: Graph, __: Step, value: Value) -> Value:
    return value


def _activation(graph: Graph, step: Step, value: Value) -> Value:
    return _activated(graph, step.config, value)


def _relu(graph: Graph, step: Step, value: Value) -> Value:
    options = (step.config.get(key) for key in ("max_value", "negative_slope", "threshold"))
    if any(options):
        raise UnknownLayerError("ReLU with options")
    return Value(graph.add("Relu", [value.name]), value.shape)


def _merge(operator: str) -> Callable:
    def convert(graph: Graph, _: Step, *values: Value) -> Value:
        if len({value.shape for value in values}) > 1:
            raise UnknownLayerError("a sum or product of different shapes")
        name = values[0].name
        for value in values[1:]:
            name = graph.add(operator, [name, value.name])
        return Value(name, values[0].shape)

    return convert


def _concatenate(graph: Graph, step: Step, *values: Value) -> Value:
    dimensions = len(values[0].shape)
    if step.config["axis"] not in (-1, dimensions):
        raise UnknownLayerError(f"Concatenate along axis {step.config['axis']}")
    channels = sum(value.shape[-1] for value in values)
    name = graph.add("Concat", [value.name for value in values], axis=1)
    return Value(name, (*values[0].shape[:-1], channels))


def _activated(graph: Graph, config: Mapping, value: Value) -> Value:
    activation = config.get("activation", "linear")
    if activation == "linear":
        return value
    if activation not in _ACTIVATIONS:
        raise UnknownLayerError(f"activation {activation}")
    return Value(graph.add(_ACTIVATIONS[activation], [value.name]), value.shape)


_ACTIVATIONS = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "softplus": "Softplus"}
"""Functions of each value by Keras' names."""

_LAYERS: dict[str, Callable[..., Value]] = {
    "Activation": _activation,
    "Add": _merge("Add"),
    "AveragePooling2D": _pooling("AveragePool", count_include_pad=0),
    "BatchNormalization": _normalisation,
    "Concatenate": _concatenate,
    "Conv2D": _conv2d,
    "Dense": _dense,
    "Dropout": _same,
    "Flatten": _flatten,
    "GlobalAveragePooling2D": _global_pooling("GlobalAveragePool"),
    "GlobalMaxPooling2D": _global_pooling("GlobalMaxPool"),
    "MaxPooling2D": _pooling("MaxPool"),
    "Multiply": _merge("Mul"),
    "ReLU": _relu,
    "SpatialDropout2D": _same,
}
"""How layers become nodes, by the name of their class."""
