"""``python3 -m pipeline STAGE ...``: how ceci's launcher starts a stage of this package."""

import sys

from catalogs.errors import InputError


def _main() -> int:
    try:
        from pipeline.stages.ceci import main
    except InputError as error:
        sys.exit(str(error))
    return main()


if __name__ == "__main__":
    sys.exit(_main())
