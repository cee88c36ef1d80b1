"""How long a step of a training takes here, measured; and on which device."""

import os
import time

import keras
import numpy as np

from lsbg_classifier.surveys import CUTOUT_SIZE
from lsbg_classifier.training.batches import Batches, TrainingSample
from lsbg_classifier.training.recipes import Recipe

_STEPS = 3


def device_name() -> str:
    """Return what the backend computes on: the name of a GPU, or the CPU with its cores."""
    return _gpu_name(keras.backend.backend()) or f"CPU with {os.cpu_count()} cores"


def _gpu_name(backend: str) -> str:
    """Return the first GPU, empty where there is none."""
    if backend == "tensorflow":
        import tensorflow as tf

        devices = tf.config.list_physical_devices("GPU")
        details = tf.config.experimental.get_device_details(devices[0]) if devices else {}
        return details.get("device_name", "GPU") if devices else ""
    if backend == "jax":
        import jax

        device = jax.devices()[0]
        return "" if device.platform == "cpu" else device.device_kind
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else ""


def seconds_per_step(network: keras.Model, recipe: Recipe) -> float:
    """Measure how long one step takes, with cutouts of noise; the network is changed by it.

    Parameters
    ----------
    network : keras.Model
    recipe : Recipe
        Its batch and augmentation count.

    Returns
    -------
    float
        Seconds, the median of three steps after one that was not counted.
    """
    rng = np.random.default_rng(0)
    count = recipe.batch * (_STEPS + 1)
    images = rng.integers(0, 256, (count, CUTOUT_SIZE, CUTOUT_SIZE, 3), np.uint8)
    sample = TrainingSample(images, np.arange(count) % 2)
    batches = Batches(sample, batch=recipe.batch, seed=0, augmentation=recipe.augmentation)
    recipe.compile(network, len(batches))
    seconds = []
    for step in range(_STEPS + 1):
        start = time.perf_counter()
        network.train_on_batch(*batches[step])
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds[1:]))
