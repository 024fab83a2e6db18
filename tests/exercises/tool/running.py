"""Runs a program under limits of time, memory and output, with an empty environment."""

import os
import resource
import signal
import subprocess
import tempfile
import threading
import time

import sandbox

OUTPUT_BYTES = 64 << 10  # of stdout and stderr, which are shown to the student
WAITING = 3  # how much longer a program may take than its processor time
VALUE_BYTES = 256 << 20  # of the file of values


stopping = threading.Event()  # set by Ctrl-C: every program ends, and its outcome means nothing


class Outcome:
    def __init__(self, status, output, values, timed_out, seconds, cpu_seconds):
        self.status, self.output, self.values = status, output, values
        self.timed_out, self.seconds, self.cpu_seconds = timed_out, seconds, cpu_seconds


def run_trusted(command, **options):
    """Runs a command that is not the student's: outside of the sandbox."""
    return run(command, box=None, **options)


def run(command, *, limits, environment=None, values=False, stdin=b"", folder=None, box="current"):
    """Runs the command; with values, it is handed a file descriptor for them (--values FD)."""
    box = sandbox.current() if box == "current" else box
    file = tempfile.TemporaryFile
    with file() as value_file, file() as out, file() as into:
        into.write(stdin)
        into.seek(0)
        words = [str(word) for word in command] + (["--values", str(value_file.fileno())] if values else [])
        start = time.monotonic()
        process = subprocess.Popen(
            words,
            stdin=into,
            stdout=out,
            stderr=out,
            env=environment or {},
            cwd=folder,
            start_new_session=True,
            pass_fds=[value_file.fileno()] if values else [],
            preexec_fn=lambda: _limit(limits, box),
        )
        timed_out, cpu_seconds = _wait(process, limits["seconds"])
        if box:
            box.end_processes()
        seconds = time.monotonic() - start
        out.seek(0)
        value_file.seek(0)
        return Outcome(
            process.returncode,
            out.read(OUTPUT_BYTES).decode(errors="replace"),
            value_file.read(),
            timed_out,
            seconds,
            cpu_seconds,
        )


def _limit(limits, box):
    if limits["megabytes"] is not None:  # AddressSanitizer reserves terabytes; it limits itself
        memory = limits["megabytes"] << 20
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    seconds = int(limits["seconds"]) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (VALUE_BYTES, VALUE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if box:
        box.enter()


def _wait(process, limit):
    """Waits, and ends the process and all that it has started. Returns whether its time ran out, and its
    processor time.

    The kernel limits the processor time (_limit), so a busy machine costs nobody points; a program that only
    waits ends here."""
    deadline, pause, ended = time.monotonic() + WAITING * limit, 0.0005, 0
    while not ended and time.monotonic() < deadline and not stopping.is_set():
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        if not ended:
            time.sleep(pause)
            pause = min(2 * pause, 0.05)
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    if not ended:
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    used = usage.ru_utime + usage.ru_stime
    return not ended or (process.returncode < 0 and used >= limit), used
