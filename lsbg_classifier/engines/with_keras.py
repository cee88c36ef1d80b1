"""Run a network with Keras, on the CPU or a GPU."""

from contextlib import nullcontext
from functools import cached_property
from threading import Lock

import keras
import numpy as np

from lsbg_classifier.network import (
    apply_steps,
    inference_network,
    load_network,
    network_steps,
    part_of_network,
)
from lsbg_classifier.networks.dropout import RandomPart, random_part
from lsbg_classifier.weights.registry import WeightSet


class KerasEngine:
    """A weight set's network, run by Keras; one instance serves all threads of a process.

    Attributes
    ----------
    name, version : str
    batch : int
        Cutouts that are run together; always as many.
    one_thread : bool
        False.
    network : keras.Model
    """

    name = "keras"
    batch = 64
    one_thread = False

    def __init__(self, weights: WeightSet):
        self.version = f"{keras.__version__} with {keras.backend.backend()}"
        self.network = load_network(weights)
        self._inference = _Model(inference_network(self.network))
        self._building = Lock()

    def infer(self, images: np.ndarray) -> np.ndarray:
        """Return probabilities of a batch of uint8 cutouts, (batch, 64, 64, 3) -> (batch,)."""
        return self._inference(images)[:, 0]

    def last_hidden(self, images: np.ndarray) -> np.ndarray:
        """Return what the last layer takes, for a batch of uint8 cutouts; see `Engine`."""
        with self._building:
            model = self._hidden
        return model(images)

    @cached_property
    def _hidden(self) -> "_Model":
        last = network_steps(self.network)[-1]
        return _Model(part_of_network(self.network, list(last.inputs)))

    @cached_property
    def random_part(self) -> RandomPart:
        """What dropout changes in the network."""
        return random_part(network_steps(self.network), self._shape)

    def _shape(self, name: str) -> tuple[int, ...]:
        return self.network.get_layer(name).output.shape[1:]

    def features(self, images: np.ndarray) -> list[np.ndarray]:
        """Return what `random_part` takes, for a batch of uint8 cutouts."""
        output = self._halves[0](images)
        return output if isinstance(output, list) else [output]

    def infer_with_masks(self, features: list[np.ndarray], masks: list[np.ndarray]) -> np.ndarray:
        """Return the probabilities of several passes; see `Engine.infer_with_masks`."""
        return self._halves[1]([*features, *masks])[:, 0]

    @property
    def _halves(self) -> tuple["_Model", "_Model"]:
        with self._building:
            return self._built_halves

    @cached_property
    def _built_halves(self) -> tuple["_Model", "_Model"]:
        network, part = self.network, self.random_part
        steps = network_steps(network)
        values = {name: keras.Input(self._shape(name)) for name in part.inputs}
        features = list(values.values())
        masks = {step.name: keras.Input(self._shape(step.name)) for step in part.dropouts}

        def replace(step, _, inputs):
            return inputs * masks[step.name] if step.name in masks else None

        random_steps = [step for step in steps if step.name in part.names]
        apply_steps(network, random_steps, values, replace)
        head = keras.Model([*features, *masks.values()], values[steps[-1].name])
        return _Model(part_of_network(network, list(part.inputs))), _Model(head)


class _Model:
    """A model that threads may call; one of them builds what all may use."""

    def __init__(self, model: keras.Model):
        self._model = model
        self._lock = Lock()

    def __call__(self, inputs):
        first = self._model.predict_function is None
        with self._lock if first else nullcontext():
            return self._model.predict_on_batch(inputs)
