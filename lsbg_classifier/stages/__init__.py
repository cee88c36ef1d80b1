"""The stages in the pipelines of others, by names that no file of the user's can take.

``lsbg_classifier.stages.ceci``, ``.rubin`` and ``.hats`` have what `pipeline.stages` has; a file
``pipeline.py`` in the working folder would take the place of that. The pipelines that ship lie
beside this module.
"""
