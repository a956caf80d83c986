"""The form of a job: what its fields mean.

In: the fields of a form, or the settings of a job. Out: settings as `settings.job` has them with
what is wrong at which field, or the fields that say what a job's settings say.
"""

from gitdeploy.web.ui.jobform.filling import blank_fields, job_fields
from gitdeploy.web.ui.jobform.reading import Filled, How, merged, read_job
from gitdeploy.web.ui.jobform.sent import Sent, Uploaded, read_sent
from gitdeploy.web.ui.jobform.wrong import field_of, told

__all__ = [
    "Filled",
    "How",
    "Sent",
    "Uploaded",
    "blank_fields",
    "field_of",
    "job_fields",
    "merged",
    "read_job",
    "read_sent",
    "told",
]
