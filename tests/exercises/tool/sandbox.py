"""Keeps students' programs apart from the grader and from one another.

Within `with entered():` every program that running.py starts gets a user id of its own (if the grader is
root), few processes, and no network. Without root, the user stays the same; grade says so."""

import ctypes
import os
import resource
import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from errors import CourseError

FIRST_USER, USERS = 61000, 1000  # ids that Debian gives to nobody
PROCESSES = 32
CLONE_NEWUSER, CLONE_NEWNET, PR_SET_NO_NEW_PRIVS, PR_SET_CHILD_SUBREAPER = 0x10000000, 0x40000000, 38, 36
_libc = ctypes.CDLL(None, use_errno=True)
_local = threading.local()


class Sandbox:
    def __init__(self):
        self.user, self._lock = _claim_user() if os.geteuid() == 0 else (None, None)
        self.without_network = network_can_be_cut()
        # What a program leaves behind becomes a child of this process, which then need not wait for init to
        # bury it.
        _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def enter(self):
        """Confines this process; called between fork and exec."""
        resource.setrlimit(resource.RLIMIT_NPROC, (PROCESSES, PROCESSES) if self.user else _own_processes())
        if self.without_network:
            _cut_network()
        if self.user:
            os.setgroups([])
            os.setresgid(self.user, self.user, self.user)
            os.setresuid(self.user, self.user, self.user)
        _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)

    def give(self, path):
        """Makes the file or folder the student's."""
        if self.user:
            os.chown(path, self.user, self.user)

    def end_processes(self):
        """Ends what a program has left behind, also what has left its session.

        Returns when none is left: even the dead count towards the next program's limit."""
        deadline = time.monotonic() + 5
        while self.user and time.monotonic() < deadline:
            self._kill()  # before looking: a child may be born while /proc is read
            left = _processes_of(self.user)
            if not left:
                return
            for process in left:
                _bury(process)

    def _kill(self):
        subprocess.run(
            ["/bin/sh", "-c", "kill -9 -1"],
            user=self.user,
            group=self.user,
            extra_groups=[],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )

    def close(self):
        if self._lock:
            self._lock.close()


def _processes_of(user):
    """By what the kernel says: who owns /proc/ID is a thing that a process can change."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            if f"\nUid:\t{user}\t" in status.read_text():
                found.append(int(status.parent.name))
        except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            pass
    return found


def _bury(process):
    try:
        os.waitpid(process, os.WNOHANG)
    except ChildProcessError:  # a child of another, which buries it
        pass


def _own_processes():
    """Without a user of its own, the limit counts all that the grader's user runs, so it must be higher."""
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    return (4096, hard) if hard == resource.RLIM_INFINITY or hard > 4096 else (hard, hard)


def _claim_user():
    """A user id that no other grader on this machine uses. A name in the abstract namespace is freed at
    exit."""
    for user in range(FIRST_USER, FIRST_USER + USERS):
        lock = socket.socket(socket.AF_UNIX)
        try:
            lock.bind(f"\0course-grade-{user}")
            return user, lock
        except OSError:
            lock.close()
    raise CourseError(
        f"all user ids from {FIRST_USER} to {FIRST_USER + USERS - 1} are in use by other graders"
    )


def _cut_network():
    return _libc.unshare(CLONE_NEWNET) == 0 or _libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0


@lru_cache(None)
def network_can_be_cut():
    """Containers often forbid it (they need --cap-add SYS_ADMIN, or --network none)."""
    child = os.fork()
    if child == 0:
        os._exit(0 if _cut_network() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def missing():
    """What cannot be enforced on this machine, one sentence each."""
    found = []
    if os.geteuid() != 0:
        found.append("programs run as your user, since you are not root: they can read your files")
    if not network_can_be_cut():
        found.append(
            "programs can reach the network: run the grader as root, or in a container without network"
        )
    return found


def current():
    return getattr(_local, "sandbox", None)


@contextmanager
def entered():
    """Programs that this thread starts run in a sandbox."""
    _local.sandbox = box = Sandbox()
    try:
        yield box
    finally:
        _local.sandbox = None
        box.end_processes()
        box.close()


@contextmanager
def left():
    """Programs that this thread starts here are the grader's own."""
    box, _local.sandbox = current(), None
    try:
        yield
    finally:
        _local.sandbox = box
