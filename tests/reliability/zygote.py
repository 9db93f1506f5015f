"""Runs panoedge commands in processes of their own that need not import everything again.

Of a line on standard input, ``{"argv": [...], "log": PATH, "file_limit": BYTES or null}``, a child is forked and its
process id written. After the next line, any, its exit status is (negative: the signal that killed it); until then the
process id is nobody else's.
"""

import importlib
import json
import os
import resource
import sys

HEAVY = (
    "compress.distill",
    "compress.prune",
    "perception.synthetic",
    "runtime.bench",
    "tensorboard.compat.proto.event_pb2",
)


def serve() -> None:
    from panoedge.cli import main

    for module in HEAVY:
        importlib.import_module(module)
    while line := sys.stdin.readline():
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            log = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(log, 1)
            os.dup2(log, 2)
            if job["file_limit"] is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (job["file_limit"],) * 2)
            sys.exit(main(job["argv"]))
        print(child, flush=True)
        sys.stdin.readline()
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    serve()
