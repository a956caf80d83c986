"""Counts the words of its arguments."""

import os
import sys

words = sys.argv[1:]
print(f"{len(words)} words, as they came: {os.environ.get('WEBJOBS_COMMAND_ARGUMENTS', '')}")
for word in words:
    print(f"{len(word):3}  {word}")
