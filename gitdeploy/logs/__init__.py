"""Logs: the output of jobs and builds, and what people see of it.

What goes in: files that the kernel appends to (`stdout`, `stderr` of an execution) and the
records of the one stream of events. What comes out: lines with times, live or from any cursor,
in the forms that git clients, Kudu's clients and streams want. Everything is read from disk: no
reader makes a job, the server or another reader wait.
"""

from gitdeploy.logs.block import OutputBlock
from gitdeploy.logs.job_reader import read_job, read_job_blocks
from gitdeploy.logs.kudu import SystemLine, end_lines, kudu_line, shown_block, start_lines
from gitdeploy.logs.kudu_file import KuduFile, Part, open_file
from gitdeploy.logs.kudu_select import select_lines, select_system
from gitdeploy.logs.lines import OutputLine, Splitter, Stream
from gitdeploy.logs.match import Match
from gitdeploy.logs.measure import Measures
from gitdeploy.logs.newest import JobTail
from gitdeploy.logs.numbered import AllNumbers, LineNumbers, Numbered
from gitdeploy.logs.reader import read_execution, read_execution_blocks, read_raw
from gitdeploy.logs.remote import remote_lines
from gitdeploy.logs.selected import ALL, Selection, select_execution, select_job
from gitdeploy.logs.source import End, read_end
from gitdeploy.logs.text import event_text, output_record, safe_text
from gitdeploy.logs.trim import Trimmed, read_trimmed
from gitdeploy.logs.watcher import Watcher

__all__ = [
    "ALL",
    "AllNumbers",
    "End",
    "JobTail",
    "KuduFile",
    "LineNumbers",
    "Match",
    "Measures",
    "Numbered",
    "OutputBlock",
    "OutputLine",
    "Part",
    "Selection",
    "Splitter",
    "Stream",
    "SystemLine",
    "Trimmed",
    "Watcher",
    "end_lines",
    "event_text",
    "kudu_line",
    "open_file",
    "output_record",
    "read_end",
    "read_execution",
    "read_execution_blocks",
    "read_job",
    "read_job_blocks",
    "read_raw",
    "read_trimmed",
    "remote_lines",
    "safe_text",
    "select_execution",
    "select_job",
    "select_lines",
    "select_system",
    "shown_block",
    "start_lines",
]
