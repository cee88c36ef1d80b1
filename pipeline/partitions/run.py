"""A run by partitions, from hashing the files to the name of the output."""

from catalogs.partitions import partitions_of
from pipeline.job import Job
from pipeline.journal import refuse_unfinished
from pipeline.observers import Observers
from pipeline.partitions.dispatcher import Dispatcher, opened_dispatcher
from pipeline.partitions.recorder import PartsRecorder, opened_parts_recorder
from pipeline.partitions.survey import survey_partitions
from pipeline.remarks import remarks_on
from pipeline.work import finish, score_missing


def run_partitions(job: Job, observers: Observers):
    """Run a job whose catalog is in the files of a folder.

    Parameters
    ----------
    job : Job
    observers : Observers

    Raises
    ------
    InputError
        As of `pipeline.annotate`.
    """
    refuse_unfinished(job.journal_folder, resume=job.options.resume)
    partitions = partitions_of(job.catalog)
    with opened_dispatcher(job) as dispatcher:
        first = partitions[0]
        remarks = [dispatcher.work_alone_unless_seen(first.path, first.path.stat().st_size)]
        survey = survey_partitions(job, partitions, dispatcher)
        with opened_parts_recorder(job, survey, dispatcher) as recorder:
            remarks.append(
                dispatcher.work_alone_unless_seen(recorder.written.folder.absolute(), None)
            )
            warnings = [f"warning: {remark}" for remark in remarks if remark is not None]
            observers.remarks(warnings + remarks_on(job, survey.extent))
            _score_and_write(recorder, dispatcher, observers)
            recorder.count(observers.summary)
            with recorder.keeper.published():
                recorder.publish()
            finish(job, observers.summary)


def _score_and_write(recorder: PartsRecorder, dispatcher: Dispatcher, observers: Observers):
    """Score the rows of each portion that have no result yet, and write its files."""
    observers.begin(recorder.done_count(), recorder.survey.selected)
    for portion in recorder.portions():
        if portion.recorder.is_missing():
            score_missing(dispatcher.client(), dispatcher.settings, portion.recorder, observers)
        recorder.write(portion)
        del portion  # so that its memory is free before the next one is opened
