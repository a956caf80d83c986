"""What a job is: discovery, settings.job, script hosts, schedules, a run's states.

In: a release directory and the app's settings. Out: `Job`s, their command line and environment,
and the times when a schedule is due. Pure functions over data; nothing here starts a process.
"""
