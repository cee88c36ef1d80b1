"""``python3 -m lsbg_classifier.stages STAGE ...``: how ceci's launcher starts a stage of ours."""

import sys

from lsbg_classifier.floors import import_own

if __name__ == "__main__":
    sys.exit(import_own("pipeline.__main__").start_stage())
