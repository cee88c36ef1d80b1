"""A network as a list of steps, read from the description that Keras gives of it.

Nothing here needs Keras, so that the same list serves the engines that do without it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class NotPlainError(ValueError):
    """A network is no graph of layers that are each called once, on tensors alone."""


@dataclass(frozen=True)
class Step:
    """One layer of a network.

    Attributes
    ----------
    name : str
        The layer's, unique within the network.
    kind : str
        Its class, such as ``Conv2D``.
    config : mapping
        Its options, as Keras describes them.
    inputs : tuple of str
        Names of the steps whose outputs it takes; none for the input.
    """

    name: str
    kind: str
    config: Mapping[str, Any]
    inputs: tuple[str, ...]


def steps_of(config: Mapping) -> list[Step]:
    """Return the steps of a network, inputs before what takes them, the output last.

    Parameters
    ----------
    config : mapping
        What ``get_config`` gives of a `keras.Sequential` or a functional `keras.Model`.

    Raises
    ------
    NotPlainError
        If a layer holds a network, or is called several times, or on other things than tensors; or
        if there are several inputs or outputs.
    """
    layers = config["layers"]
    for layer in layers:
        if "layers" in layer["config"] or "layer" in layer["config"]:
            raise NotPlainError(f"{layer['config']['name']} holds other layers")
    if "input_layers" not in config:
        return _chain(layers)
    steps = [_step(layer) for layer in layers]
    if [step.kind for step in steps].count("InputLayer") != 1:
        raise NotPlainError("it has several inputs")
    output = _names(config["output_layers"])
    if len(output) != 1:
        raise NotPlainError("it has several outputs")
    return _with_last(steps, output[0])


def dependents(steps: Iterable[Step], starts: Iterable[str]) -> set[str]:
    """Find the steps that use the output of some steps, directly or through others.

    Parameters
    ----------
    steps : iterable of Step
        In order: each after the steps whose outputs it takes.
    starts : iterable of str
        Names of the steps to begin with.

    Returns
    -------
    set of str
        Names. A step of `starts` is among them only if it uses the output of another.
    """
    changed, after = set(starts), set()
    for step in steps:
        if changed & set(step.inputs):
            changed.add(step.name)
            after.add(step.name)
    return after


def pooled_normalisations(steps: Sequence[Step]) -> dict[str, str]:
    """Find max-poolings of a normalisation over channels that nothing else takes.

    Pooling may go before such a normalisation, which then has a quarter of the pixels: the largest
    of a x + b is a times the largest x, plus b, or where a < 0 the smallest.

    Returns
    -------
    dict of str to str
        Name of the normalisation by that of the pooling.
    """
    by_name = {step.name: step for step in steps}
    taken = Counter(name for step in steps for name in step.inputs)
    before = {step.name: by_name[step.inputs[0]] for step in steps if step.kind == "MaxPooling2D"}
    return {
        name: normalisation.name
        for name, normalisation in before.items()
        if normalisation.kind == "BatchNormalization"
        and normalisation.config["axis"] in (-1, 3)
        and taken[normalisation.name] == 1
    }


def crossing(steps: Iterable[Step], part: set[str]) -> list[str]:
    """Find the steps outside of a part of the network whose outputs the part takes.

    Parameters
    ----------
    steps : iterable of Step
        The whole network.
    part : set of str
        Names of the steps of the part.

    Returns
    -------
    list of str
        Names, each once, in the order in which the part takes them.
    """
    inputs = [name for step in steps if step.name in part for name in step.inputs]
    return [name for name in dict.fromkeys(inputs) if name not in part]


def _chain(layers) -> list[Step]:
    names = [layer["config"]["name"] for layer in layers]
    before = [(), *((name,) for name in names)]
    return [
        Step(name, layer["class_name"], layer["config"], inputs)
        for name, layer, inputs in zip(names, layers, before, strict=False)
    ]


def _step(layer: Mapping) -> Step:
    name, nodes = layer["config"]["name"], layer["inbound_nodes"]
    if layer["class_name"] == "InputLayer":
        return Step(name, "InputLayer", layer["config"], ())
    if len(nodes) != 1:
        raise NotPlainError(f"{name} is called {len(nodes)} times")
    kwargs = {key: value for key, value in nodes[0]["kwargs"].items() if value is not None}
    if set(kwargs) - {"training"}:
        raise NotPlainError(f"{name} is called with {', '.join(kwargs)}")
    (argument, *others) = nodes[0]["args"]
    if others:
        raise NotPlainError(f"{name} is called with several arguments; give it a list of tensors")
    tensors = argument if isinstance(argument, list | tuple) else [argument]
    return Step(name, layer["class_name"], layer["config"], tuple(_tensors(name, tensors)))


def _tensors(name: str, tensors) -> Iterable[str]:
    for tensor in tensors:
        if not isinstance(tensor, Mapping) or tensor.get("class_name") != "__keras_tensor__":
            raise NotPlainError(f"{name} is called on something else than tensors")
        yield tensor["config"]["keras_history"][0]


def _names(layers) -> list[str]:
    """Return the names in ``[name, 0, 0]`` or a list of such."""
    return [layers[0]] if isinstance(layers[0], str) else [layer[0] for layer in layers]


def _with_last(steps: list[Step], output: str) -> list[Step]:
    """Put the output last; nothing takes it, and the order of the others stays."""
    last = [step for step in steps if step.name == output]
    return [step for step in steps if step.name != output] + last
