"""Stages for ceci that train weights, by calling ``lsbg-train-des``."""

from collections.abc import Callable
from dataclasses import replace

from pipeline.console import call_command
from pipeline.stages._ceci_base import CsvTable, FitsCatalog, Folder, LsbgStage, parameters_of
from pipeline.stages._options import command_arguments, options_of
from pipeline.train import DES, training_app
from pipeline.train_injected import InjectedOptions

_APP = training_app(DES)

_RENAMED = {"name": "weights_name"}
"""Options whose names ceci uses for something else."""

_OF_CECI = ("folder", "sample", "resume", "dry_run", "quiet")
"""Options that ceci decides itself."""

_OF_PUBLISHED = ("lists", "positives", "type_1")
"""Options of published samples, which the command fetches by itself."""

_OF_INJECTED = tuple(InjectedOptions.__dataclass_fields__)
"""Options of mocks in one's own tiles, of which no stage makes a sample."""

_OF_IMAGES = ("cutouts", "bands", "survey", "tiles", "url", "connections")


def _command() -> Callable:
    callback = _APP.registered_commands[0].callback
    if callback is None:
        raise TypeError("the training command has no function")
    return callback


def _options(*without: str):
    """Read off the command the options that all these stages have."""
    return tuple(
        replace(option, name=_RENAMED.get(option.name, option.name))
        for option in options_of(
            _command(),
            without=(*_OF_CECI, *_OF_PUBLISHED, *_OF_INJECTED, "labels", *without),
        )
    )


class _TrainStage(LsbgStage):
    """What trainings share: the command, and where it leaves the weights.

    One that was stopped goes on after the last finished epoch.
    """

    def train(self, sample: str):
        """Call the command, so that the card of the weights says how to repeat it.

        `sample` is the option that says what to train on.
        """
        values = self.values()
        commands = {new: old for old, new in _RENAMED.items()}
        options = [
            replace(option, name=commands.get(option.name, option.name)) for option in self.options
        ]
        values = {commands.get(name, name): value for name, value in values.items()}
        folder = self.get_output("trained_weights")
        arguments = [folder, sample, "--resume", "--quiet"]
        arguments += command_arguments(options, values)
        call_command(_APP, DES.command, arguments)


class TrainLsbgStage(_TrainStage):
    """Train weights on the labelled candidates of a catalog.

    The option ``weights_name`` is the command's ``--name``.
    """

    name = "TrainLsbgStage"
    inputs = (("labelled_candidates", FitsCatalog),)
    outputs = (("trained_weights", Folder),)
    options = _options("surveys")
    config_options = parameters_of(options)

    def work(self):
        """Train on the catalog."""
        self.train(f"--sample={self.get_input('labelled_candidates')}")


class TrainOnLabelsLsbgStage(_TrainStage):
    """Fine-tune weights on labels that were given by eye in the page of a report.

    The option ``weights_name`` is the command's ``--name``.
    """

    name = "TrainOnLabelsLsbgStage"
    inputs = (("labels", CsvTable),)
    outputs = (("trained_weights", Folder),)
    options = _options("label", "surveys")
    config_options = parameters_of(options)

    def work(self):
        """Train on the labels."""
        self.train(f"--labels={self.get_input('labels')}")


class TrainSimulatedLsbgStage(_TrainStage):
    """Train weights on simulated sky, without any input.

    The option ``weights_name`` is the command's ``--name``.
    """

    name = "TrainSimulatedLsbgStage"
    inputs = ()
    outputs = (("trained_weights", Folder),)
    options = _options("label", "whole", *_OF_IMAGES)
    config_options = parameters_of(options)

    def work(self):
        """Simulate, and train."""
        self.train("--sample=simulated")
