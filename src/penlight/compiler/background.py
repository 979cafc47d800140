"""Work that nobody waits for: one thread, there while there is work."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections import deque
from collections.abc import Callable

NICE = 5  # yields to computing threads; much more, and it would starve while holding the GIL

Job = Callable[[], None]


class Background:
    """Jobs are done one after the other, in the order in which they came."""

    def __init__(self) -> None:
        self.jobs: deque[Job] = deque()  # the first one is being done
        self.ending = False
        self.begin()
        atexit.register(self.end)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.begin)

    def begin(self) -> None:
        """No thread yet; the jobs that a forked process inherits are done with its first own."""
        self.lock = threading.Lock()
        self.thread: threading.Thread | None = None

    def add(self, job: Job) -> None:
        """Does a job some time from now, unless the process is ending.

        What it raises is shown as any thread's error is.
        """
        if self.ending:
            return
        with self.lock:
            self.jobs.append(job)
            if self.thread is None:
                self.thread = threading.Thread(target=self._work, name="penlight", daemon=True)
                self.thread.start()

    def end(self) -> None:
        """Waits for the job that is being done: LLVM does not survive being left in the middle."""
        self.ending = True
        thread = self.thread
        if thread is not None:
            thread.join()

    def _work(self) -> None:
        if sys.platform == "linux":  # elsewhere it would be the whole process's
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        while not self.ending:
            try:
                self.jobs[0]()
            except Exception:
                threading.excepthook(
                    threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread()))
                )
            with self.lock:
                self.jobs.popleft()
                if not self.jobs:
                    self.thread = None
                    return


background = Background()
