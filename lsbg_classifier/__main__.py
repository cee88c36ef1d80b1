"""``python -m lsbg_classifier``: the command ``lsbg``, where its script is not on the PATH."""

import sys

from lsbg_classifier.start import lsbg

if __name__ == "__main__":
    sys.exit(lsbg())
