"""Uses a package that the build installed."""

import sys

from wordcount import count

print(f"{count('one two three')} words, counted by {sys.prefix}")
