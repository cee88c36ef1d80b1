"""How the trainings of a study are done, and where they are kept."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import keras
import numpy as np

from catalogs.errors import InputError
from lsbg_classifier.network import build_network
from lsbg_classifier.networks.registry import DEFAULT_NETWORK
from lsbg_classifier.training.batches import TrainingSample
from lsbg_classifier.training.dataset import CutoutDataset
from lsbg_classifier.training.recipes import Checkpointing, Progress, Recipe, train
from lsbg_classifier.training.samples import balanced_rows
from lsbg_classifier.training.workflow import (
    architecture_identity,
    rehearsed,
    write_history,
)


@dataclass(frozen=True)
class Trainer:
    """How the trainings of a study are done, and where they are kept.

    Attributes
    ----------
    dataset : CutoutDataset
    recipe : Recipe
    folder : Path
        Every training has a folder of its own in it, with its checkpoint and history.
    seed : int
        Decides the weights that each training starts from and the order of its cutouts.
    size : int, optional
        Cutouts to train on, as many of each class; none: all there are.
    resume : bool
        Go on from the checkpoints; trainings that are finished are not repeated.
    progress : callable, optional
        Called with (steps done, steps in all) of the whole study.
    beside : CutoutDataset, optional
        Half of every batch comes from its training split.
    architecture : str
        Name of the network that is trained from scratch.
    """

    dataset: CutoutDataset
    recipe: Recipe
    folder: Path
    seed: int = 1
    size: int | None = None
    resume: bool = False
    progress: Progress | None = None
    beside: CutoutDataset | None = None
    architecture: str = DEFAULT_NETWORK

    def train(
        self,
        name: str,
        part: tuple[int, int],
        sample: tuple[np.ndarray, np.ndarray],
        *,
        validation: tuple[np.ndarray, np.ndarray] | None = None,
        network: Callable[[], keras.Model] | None = None,
        start: str | None = None,
    ) -> keras.Model:
        """Train a network, and write its history into a folder of its own.

        Parameters
        ----------
        name : str
            Of the training and of its folder, which is made if missing.
        part : tuple of int
            Number of this training, from 0, and of all trainings of the study: for `progress`.
        sample : (images, labels)
            Arrays of uint8, shape (N, 64, 64, 3), and of int, shape (N,).
        validation : (images, labels), optional
            Judged after each epoch; none if it is empty.
        network : callable, optional
            Makes the network to train; none: an untrained one of two classes.
        start : str, optional
            sha256 of the weights that come with the network, for the identity of the checkpoint.

        Returns
        -------
        keras.Model
            Trained.

        Raises
        ------
        InputError
            If there are fewer cutouts than `size` asks for, or the checkpoint belongs to another
            training.
        """
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        images, labels = self._limited(*sample)
        keras.utils.set_random_seed(self.seed)
        trained = self.build() if network is None else network()
        history = train(
            trained,
            TrainingSample(images, labels, beside=self._beside),
            self.recipe,
            seed=self.seed,
            validation=validation if validation is not None and len(validation[1]) else None,
            checkpointing=Checkpointing(folder, self._identity(name, start), self.resume),
            progress=self._progress_of(part),
        )
        write_history(history, folder)
        return trained

    def build(self, classes: int = 2) -> keras.Model:
        """Build the untrained network."""
        return build_network(classes, self.architecture)

    def describe(self) -> str:
        """Say in one line what is done."""
        limit = "" if self.size is None else f" on {self.size} cutouts"
        beside = "" if self.beside is None else f", beside {self.beside.manifest.sample}"
        network = "" if self.architecture == DEFAULT_NETWORK else f", network {self.architecture}"
        return f"{self.recipe.describe()}{limit}{beside}{network}"

    @cached_property
    def _beside(self) -> tuple[np.ndarray, np.ndarray] | None:
        """The other sample, if there is one, loaded once."""
        return None if self.beside is None else rehearsed(self.beside, self.dataset)

    def _identity(self, name: str, start: str | None) -> dict[str, str | None]:
        """Return what decides a training, besides recipe, seed and labels."""
        beside = None if self.beside is None else self.beside.manifest.sample_sha256
        sample = self.dataset.manifest.sample_sha256
        identity = {"sample": sample, "start": start, "run": name, "beside": beside}
        return identity | architecture_identity(self.architecture)

    def _limited(self, images, labels):
        """Draw as many of each class as `size` asks for, in their order."""
        if self.size is None:
            return images, labels
        classes, counts = np.unique(labels, return_counts=True)
        each = self.size // len(classes)
        if counts.min() < each:
            raise InputError(
                f"--size {self.size}: the rarest class has {counts.min()} cutouts to train on; "
                f"ask for {counts.min() * len(classes)} at most"
            )
        rng = np.random.default_rng(self.seed)
        chosen = np.sort(balanced_rows(labels, rng, values=classes, most=each))
        return images[chosen], labels[chosen]

    def _progress_of(self, part):
        if self.progress is None:
            return None
        number, count = part
        return lambda done, steps: self.progress(number * steps + done, count * steps)
