"""Count up until asked to stop: by the shutdown file (as on Azure) or by SIGTERM."""

import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(os.environ["WEBROOT_PATH"]) / "shared"))
from counting import Counter  # noqa: E402

GREETING = "tick"
stopping = False


def stop(number, frame):
    global stopping
    stopping = True


signal.signal(signal.SIGTERM, stop)
shutdown = Path(os.environ["WEBJOBS_SHUTDOWN_FILE"])
counter = Counter(Path(os.environ["WEBJOBS_DATA_PATH"]) / "count")
print(f"{os.environ['WEBJOBS_NAME']} starts, pid {os.getpid()}", flush=True)
while not stopping and not shutdown.exists():
    print(f"{GREETING} {counter.add()}", flush=True)
    time.sleep(float(os.environ.get("TICK_SECONDS", "0.5")))
print("asked to stop, good bye", flush=True)
