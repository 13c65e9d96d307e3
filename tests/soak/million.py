# SPDX-License-Identifier: Apache-2.0
"""A long session that does the same all the time: what its supervisor holds must not grow. For soak.py and tools/bench."""
import time

from session import Session, check, wait_until

ACTIONS, MINUTES = 1_000_000, 30
SAMPLES = 60
SLACK_KB = 4096  # a receiver more, where the machine is slow; a leak is of 16 bytes an action or more
# So many opens, spread evenly over so many seconds; before them as many at once as fill the ring and every cache.
PACED = """
import os, sys, time
for i in range(5000):
    os.close(os.open(sys.argv[3], os.O_RDONLY))
print("warm", flush=True)
n, seconds, start = int(sys.argv[1]), float(sys.argv[2]), time.monotonic()
for i in range(n):
    if i % 100 == 0:
        time.sleep(max(0, start + seconds * i / n - time.monotonic()))
    os.close(os.open(sys.argv[3], os.O_RDONLY))
"""


def run(holdfast, minutes=MINUTES):
    """Returns what was seen: actions, minutes, and resident kilobytes and descriptors after a tenth and at the end."""
    actions, seconds = int(ACTIONS * minutes / MINUTES), max(int(60 * minutes), 1)
    with Session(holdfast, options=["--log-rotate", "64M", "--log-keep", "2"]) as s:
        s.start("/usr/bin/python3", "-c", PACED, actions, seconds, s.policy)
        wait_until(lambda: "warm" in s.output() or s.launcher.poll() is not None, "a warm session")
        samples, end = [], time.monotonic() + seconds
        while time.monotonic() < end and s.launcher.poll() is None:
            samples.append((s.status("VmRSS"), s.fds() or 0))
            time.sleep(seconds / SAMPLES)
        status = s.wait(seconds + 600)
        check(status == 0, f"exit status {status}: {s.output()}")
        samples = [x for x in samples if x[0]]
    check(len(samples) > 2, f"{len(samples)} samples")
    early, late = samples[len(samples) // 10], samples[-1]
    return {"actions": actions, "minutes": minutes, "kb_early": early[0], "kb_end": late[0], "kb_most": max(samples)[0],
            "fds_early": early[1], "fds_end": late[1],
            "good": late[0] <= early[0] + SLACK_KB and late[1] <= early[1] + 8}
