"""How the network is trained: the published recipes, and ours for simulated sky."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import keras
import numpy as np

from catalogs.errors import InputError, one_line
from catalogs.output import write_whole
from lsbg_classifier.training.batches import Augmentation, Batches, TrainingSample
from lsbg_classifier.training.forward_loss import ForwardCrossentropy

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training but the network, the sample and the seed.

    Attributes
    ----------
    optimizer : str
        ``adadelta`` or ``adam``.
    learning_rate : float
        Constant; or, with `cosine`, reached after one epoch and then lowered to nothing.
    epochs, batch : int
    cosine : bool
    label_smoothing : float
        Of the binary cross-entropy; not applied with more than two classes.
    balance : bool
        As many of each class in every epoch.
    augmentation : Augmentation, optional
    normalisation : bool
        Whether batch normalisation is trained too. If not, it keeps its statistics, as for a few
        cutouts it should.
    """

    optimizer: str
    learning_rate: float
    epochs: int
    batch: int
    cosine: bool = False
    label_smoothing: float = 0.0
    balance: bool = False
    augmentation: Augmentation | None = None
    normalisation: bool = True

    def compile(self, network: keras.Model, steps: int, labelled: float = 1.0):
        """Give the network its optimiser and its loss, in place.

        Parameters
        ----------
        network : keras.Model
            With one output, or one a class. Its batch normalisations are frozen where the recipe
            does not train them.
        steps : int
            Of an epoch.
        labelled : float
            Part of the true LSBGs that carry the label; see `forward_loss.ForwardCrossentropy`.
        """
        if not self.normalisation:
            for layer in network.layers:
                if isinstance(layer, keras.layers.BatchNormalization):
                    layer.trainable = False
        rate = self.learning_rate
        if self.cosine:
            rate = keras.optimizers.schedules.CosineDecay(
                0.0, self.epochs * steps, warmup_target=rate, warmup_steps=steps
            )
        loss = keras.losses.BinaryCrossentropy(label_smoothing=self.label_smoothing)
        if labelled < 1:
            loss = ForwardCrossentropy(labelled, self.label_smoothing)
        if network.output_shape[-1] > 1:
            loss = keras.losses.SparseCategoricalCrossentropy()
        optimizers = {"adadelta": keras.optimizers.Adadelta, "adam": keras.optimizers.Adam}
        network.compile(optimizers[self.optimizer](rate), loss, metrics=["accuracy"])

    def describe(self) -> str:
        """Say in one line what is done."""
        extras = {
            "cosine decay": self.cosine,
            "augmented": self.augmentation is not None,
            "classes balanced": self.balance,
            "normalisation as it was": not self.normalisation,
        }
        named = [name for name, used in extras.items() if used]
        return ", ".join(
            [
                f"{self.optimizer} at {self.learning_rate:g}",
                f"epochs: {self.epochs}",
                f"batches of {self.batch}",
                *named,
            ]
        )


DES = Recipe("adadelta", 0.1, epochs=100, batch=64)
"""Training on DES (Tanoglidis et al. 2021, section 3.3)."""

HSC = Recipe("adadelta", 0.005, epochs=30, batch=32)
"""Fine-tuning on HSC (Tanoglidis et al. 2021, section 4.2, with the reproduction's batch)."""

ROBUST = Recipe(
    "adam",
    1e-3,
    epochs=40,
    batch=64,
    cosine=True,
    label_smoothing=0.02,
    balance=True,
    augmentation=Augmentation(),
)
"""Training for images that differ from those it sees, as real sky does from simulated."""

REHEARSED = Recipe(
    "adam",
    1e-4,
    epochs=50,
    batch=64,
    cosine=True,
    label_smoothing=0.02,
    balance=True,
    augmentation=Augmentation(lost=0.2, blank=0.15, star=0.04),
    normalisation=False,
)
"""Fine-tuning on a few hundred cutouts beside many of another sample, which is not forgotten."""


def recipe_named(name: str, fine_tuning: bool) -> Recipe:
    """Return a recipe by its name.

    Parameters
    ----------
    name : str
        ``published`` (`DES`, or `HSC` for fine-tuning), ``robust`` or ``rehearsed``.
    fine_tuning : bool
        Whether the training starts from other weights.

    Returns
    -------
    Recipe

    Raises
    ------
    InputError
        If the name is another one.
    """
    recipes = {
        "published": HSC if fine_tuning else DES,
        "robust": ROBUST,
        "rehearsed": REHEARSED,
    }
    if name not in recipes:
        raise InputError(f"no recipe {name!r}: choose {', '.join(recipes)}")
    return recipes[name]


@dataclass
class History:
    """Loss and accuracy of each epoch, training and validation: one dictionary an epoch."""

    epochs: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Checkpointing:
    """Where a training keeps a checkpoint after each epoch, and whether it goes on from one.

    Attributes
    ----------
    folder : Path
    identity : mapping
        What decides the result beside recipe, seed and labels, as JSON values; a checkpoint with
        another identity is refused.
    resume : bool
        Go on from the checkpoint in `folder`, if there is one.
    """

    folder: Path
    identity: Mapping[str, object] = field(default_factory=dict)
    resume: bool = False


def train(
    network: keras.Model,
    sample: TrainingSample,
    recipe: Recipe,
    *,
    seed: int,
    validation: tuple[np.ndarray, np.ndarray] | None = None,
    checkpointing: Checkpointing | None = None,
    progress: Progress | None = None,
) -> History:
    """Train a network in place.

    Parameters
    ----------
    network : keras.Model
        As `build_network` makes it, or with weights to go on from.
    sample : TrainingSample
        Its strata count where the recipe balances classes.
    recipe : Recipe
    seed : int
        Decides the order of the cutouts and their augmentation; call
        `keras.utils.set_random_seed` before the network is built for the rest.
    validation : (images, labels), optional
        Judged after each epoch.
    checkpointing : Checkpointing, optional
        Where checkpoints are kept; none: nowhere.
    progress : callable, optional
        Called with (steps done, steps in all).

    Returns
    -------
    History
        Of all epochs, those before the checkpoint too.

    Raises
    ------
    InputError
        If the checkpoint belongs to another training.
    """
    checkpoint, history = None, History()
    if checkpointing is not None:
        checkpoint = _Checkpoint(checkpointing, recipe, seed, sample.labels)
        history = checkpoint.history() if checkpointing.resume else history
    first = len(history.epochs)
    batches = Batches(
        sample,
        batch=recipe.batch,
        seed=seed,
        balance=recipe.balance,
        augmentation=recipe.augmentation,
    )
    recipe.compile(network, len(batches), sample.labelled_part(balanced=recipe.balance))
    if checkpoint is not None and first:
        checkpoint.restore(network, first)
    network.fit(
        batches,
        epochs=recipe.epochs,
        initial_epoch=first,
        verbose=0,
        shuffle=False,
        validation_data=None if validation is None else _validation_batches(*validation),
        callbacks=[_Follow(batches, history, checkpoint, progress, recipe.epochs)],
    )
    return history


def _validation_batches(images: np.ndarray, labels: np.ndarray) -> Batches:
    return Batches(TrainingSample(images, labels), batch=256, seed=0)


class _Checkpoint:
    """Weights and optimiser after the last finished epoch, and the history up to it."""

    def __init__(self, checkpointing: Checkpointing, recipe: Recipe, seed: int, labels: np.ndarray):
        self._folder = checkpointing.folder
        self._state = self._folder / "checkpoint.json"
        digest = hashlib.sha256(np.asarray(labels, np.int8).tobytes()).hexdigest()
        values = {
            "recipe": asdict(recipe),
            "seed": seed,
            "labels": digest,
            **checkpointing.identity,
        }
        self._identity = json.loads(json.dumps(values))

    def history(self) -> History:
        if not self._state.exists():
            return History()
        try:
            stored = json.loads(self._state.read_text())
            differences = self._differences(dict(stored["identity"]))
            history = History(list(stored["epochs"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{self._state}: a damaged checkpoint ({error}); start again with --overwrite"
            ) from error
        if differences - {"epochs"}:
            raise InputError(
                f"{self._state}: belongs to a training with another recipe, seed, sample or start; "
                "use the same options, or start again with --overwrite"
            )
        self._check_length(differences, len(history.epochs))
        return history

    def _differences(self, stored: dict) -> set[str]:
        """Return the names of what is not as in this training; those of the recipe one by one."""
        ours = self._identity | self._identity["recipe"]
        theirs = stored | dict(stored["recipe"])
        names = (ours.keys() | theirs.keys()) - {"recipe"}
        return {name for name in names if ours.get(name) != theirs.get(name)}

    def _check_length(self, differences: set[str], done: int):
        """Refuse another number of epochs where it changes those that are done."""
        recipe = self._identity["recipe"]
        if "epochs" in differences and recipe["cosine"]:
            raise InputError(
                f"{self._state}: the learning rate of this recipe falls to nothing at its last "
                "epoch, so that another number of epochs is another training; start again "
                "with --overwrite instead of --resume"
            )
        if done > recipe["epochs"]:
            raise InputError(
                f"{self._state}: has {done} epochs already; ask for more with --epochs, or start "
                "again with --overwrite"
            )

    def restore(self, network: keras.Model, epoch: int):
        network.optimizer.build(network.trainable_variables)
        path = self._weights(epoch)
        try:
            network.load_weights(path)
        except (OSError, KeyError, TypeError, ValueError) as error:
            reason = one_line(error)
            raise InputError(
                f"{path}: a damaged checkpoint ({reason}); start again with --overwrite"
            ) from error

    def save(self, network: keras.Model, history: History):
        """Write the weights under the epoch's own name, then point the state to them."""
        epoch = len(history.epochs)
        network.save_weights(self._weights(epoch))
        text = json.dumps({"identity": self._identity, "epochs": history.epochs})
        write_whole(self._state, text, alone=True)
        for old in self._folder.glob("checkpoint-*.weights.h5"):
            if old != self._weights(epoch):
                old.unlink()

    def _weights(self, epoch: int) -> Path:
        return self._folder / f"checkpoint-{epoch:04d}.weights.h5"


class _Follow(keras.callbacks.Callback):
    """Shuffle before each epoch; keep history, checkpoint and progress up to date."""

    def __init__(self, batches, history, checkpoint, progress, epochs):
        super().__init__()
        self._batches = batches
        self._history = history
        self._checkpoint = checkpoint
        self._progress = progress
        self._epochs = epochs

    def on_epoch_begin(self, epoch, logs=None):
        self._batches.start(epoch)
        _set_dropout(self.model, epoch * len(self._batches))

    def on_train_batch_end(self, batch, logs=None):
        if self._progress is not None:
            steps = len(self._batches)
            done = len(self._history.epochs) * steps + batch + 1
            self._progress(done, self._epochs * steps)

    def on_epoch_end(self, epoch, logs=None):
        values = {name: float(value) for name, value in (logs or {}).items()}
        self._history.epochs.append({"epoch": epoch + 1, **values})
        if self._checkpoint is not None:
            self._checkpoint.save(self.model, self._history)


def _set_dropout(network: keras.Model, steps: int):
    """Make dropout's random numbers those after so many steps: checkpoints do not hold them."""
    for layer in network.layers:
        if isinstance(layer, keras.layers.Dropout):
            state = np.array(keras.ops.convert_to_numpy(layer.seed_generator.state))
            state[1] = steps
            layer.seed_generator.state.assign(state)
