"""A process that has imported backproplab, and forks a child for each command line it is given.

Not a test: ``processes.Zygote`` runs it. Importing takes longer than the small runs that are to be
killed, so it is done once. A child is a process of its own, killed by real signals, that calls the
console script's ``main``. Lines of JSON on stdin are answered on stdout: the pid of the child, then
its exit code, as ``subprocess`` counts it.
"""

import json
import os
import signal
import sys

import backproplab.cli.resume
import backproplab.cli.sweep
import backproplab.cli.train
import backproplab.experiment.resume
import backproplab.journal.events
import backproplab.report
import backproplab.sweep.driver
import backproplab.sweep.library
from backproplab.__main__ import main
from backproplab.loop import pace


def become(job):
    """A new process that runs one command, or a program.

    pace: constants of ``loop.pace``.  slice: seconds of a sweep's slices.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    os.setsid()
    os.chdir(job["cwd"])
    os.environ.update(job["env"])
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    for descriptor, name in ((1, job["stdout"]), (2, job["stderr"])):
        os.dup2(os.open(name, flags, 0o644), descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False, buffering=1)  # noqa: SIM115
    for name, value in job["pace"].items():
        setattr(pace, name, value)
    if "slice" in job:
        backproplab.sweep.driver.SLICE = job["slice"]
    sys.argv = ["backproplab", *job["words"]]
    if "program" in job:
        exec(job["program"], {"__name__": "__main__"})
    else:
        main()


def leave(call):
    """Call it and end the process, as the interpreter would."""
    code = 0
    try:
        call()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            code = code or 120
    os._exit(code)


def serve():
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            job = json.loads(line)
            leave(lambda: become(job))  # noqa: B023
        print(pid, file=answers)
        status = os.waitpid(pid, 0)[1]
        print(os.waitstatus_to_exitcode(status), file=answers)


if __name__ == "__main__":
    serve()
