"""Finding and ending what other processes started."""

from __future__ import annotations

import os
import subprocess
import sys

from family_food.demo.processes import ProcessTree

# A parent with a child that ignores polite requests; says so when both are there.
PARENT = """
import signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", '''
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
signal.pause()
'''], stdout=subprocess.PIPE, start_new_session=True)
child.stdout.readline()
print(child.pid, flush=True)
signal.pause()
"""


def test_what_a_process_started_is_found_and_ended_after_it_is_gone() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        tree = ProcessTree.below(parent.pid)
        assert {pid for pid, _ in tree.members} == {child}
        parent.kill()
        parent.wait(30)
        assert tree.survivors() == {child}
        tree.kill_survivors()
        for _ in range(10_000):
            if not tree.survivors():
                break
            os.sched_yield()
        assert not tree.survivors()
    finally:
        parent.kill()
        parent.communicate(timeout=30)


def test_a_process_that_only_got_the_number_of_an_old_one_is_left_alone() -> None:
    tree = ProcessTree(frozenset({(os.getpid(), "1")}))
    assert tree.survivors() == frozenset()
    tree.kill_survivors()
