"""Stages for ceci that train weights, by calling ``lsbg-train-des``."""

import sys
from dataclasses import replace

from pipeline.stages._ceci_base import CsvTable, FitsCatalog, Folder, LsbgStage, parameters_of
from pipeline.stages._options import command_arguments, options_of
from pipeline.train import DES, des, training_app

_COMMAND = training_app(DES).registered_commands[0].callback

_RENAMED = {"name": "weights_name"}
"""Words of the command that ceci has for itself."""

_OF_CECI = ("folder", "sample", "resume", "dry_run", "quiet")
"""Options for which ceci has its own way."""

_OF_PUBLISHED = ("lists", "positives", "type_1")
"""Options of published samples, which the command fetches by itself."""

_OF_IMAGES = ("cutouts", "bands", "survey", "url", "connections")


def _options(*without: str):
    """Read off the command the options that all these stages have."""
    return tuple(
        replace(option, name=_RENAMED.get(option.name, option.name))
        for option in options_of(_COMMAND, without=(*_OF_CECI, *_OF_PUBLISHED, "labels", *without))
    )


class _TrainStage(LsbgStage):
    """What trainings share: the command, and where it leaves the weights.

    One that was stopped goes on after the last finished epoch.
    """

    def train(self, sample: str):
        """Run the command as if typed, so that the card of the weights says how to repeat it.

        `sample` is the option that says what to train on.
        """
        values = self.values()
        commands = {new: old for old, new in _RENAMED.items()}
        options = [
            replace(option, name=commands.get(option.name, option.name)) for option in self.options
        ]
        given = {commands.get(name, name): value for name, value in values.items()}
        folder = self.get_output("trained_weights")
        arguments = [folder, sample, "--resume", "--quiet"]
        _run_as_typed("lsbg-train-des", des, arguments + command_arguments(options, given))


class TrainLsbgStage(_TrainStage):
    """Train weights on the labelled candidates of a catalog.

    The option ``weights_name`` is the command's ``--name``.
    """

    name = "TrainLsbgStage"
    inputs = (("labelled_candidates", FitsCatalog),)
    outputs = (("trained_weights", Folder),)
    options = _options("surveys")
    config_options = parameters_of(options)

    def run(self):
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

    def run(self):
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

    def run(self):
        """Simulate, and train."""
        self.train("--sample=simulated")


def _run_as_typed(program: str, entry, arguments: list[str]):
    """Call the entry point of a command; its failure ends this process as it would end its own."""
    typed, sys.argv = sys.argv, [program, *arguments]
    try:
        entry()
    except SystemExit as ending:
        if ending.code:
            raise
    finally:
        sys.argv = typed
