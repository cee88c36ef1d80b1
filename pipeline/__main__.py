"""``python3 -m pipeline STAGE ...``: a stage for ceci, started by hand.

ceci's launcher says ``python3 -m lsbg_classifier.stages``, which works also where a file
``pipeline.py`` lies in the working folder.
"""

import sys

from catalogs.errors import InputError


def start_stage() -> int:
    """Run the stage that the command line names."""
    try:
        from pipeline.stages.ceci import main
    except InputError as error:
        sys.exit(str(error))
    return main()


if __name__ == "__main__":
    sys.exit(start_stage())
