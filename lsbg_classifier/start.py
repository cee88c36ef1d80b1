"""Where the commands start: no file of the user's takes the place of our packages in them."""

from lsbg_classifier.floors import import_own


def lsbg():
    """Run ``lsbg``."""
    return import_own("pipeline.cli").main()


def train_des():
    """Run ``lsbg-train-des``."""
    return import_own("pipeline.train").des()


def train_hsc():
    """Run ``lsbg-train-hsc``."""
    return import_own("pipeline.train").hsc()
