"""Stages in the pipelines of others. Each translates its configuration and calls `annotate`.

`pipeline.stages.ceci` holds those of DESC's ceci, `pipeline.stages.rubin` the tasks of Rubin's
science pipelines, `pipeline.stages.hats` what lsdb maps over a HATS catalog; each needs its
framework: ``pip install 'lsbg-classifier[ceci]'``, ``[rubin]`` or ``[hats]``. Configurations name
them as ``lsbg_classifier.stages.ceci`` and so on, which no file ``pipeline.py`` can hide.
"""
