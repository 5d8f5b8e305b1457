# SPDX-License-Identifier: GPL-2.0-only
"""A disk that several machines share, with a log of who did what when."""

import datetime
import os
import re
import subprocess

from pmsmvm import wait_for

CONNECT = re.compile(r"connection=(\d+) Connect")
WRITE = re.compile(r"(\S+ \S+) connection=(\d+) (Write|Zero|Trim) id=")


class NbdDisk:
    """Served by nbdkit; name is for Vm(disks=) or Vm(root=)."""

    def __init__(self, lab, path, name="nbd", private=False):
        """With private, what is written does not stay."""
        self.path = path
        self.log = "%s.%s.log" % (path, name)
        socket = "%s.%s" % (path, name)
        self.name = "nbd:" + socket
        self.process = subprocess.Popen(
            ["nbdkit", "--foreground", "--unix", socket, "--filter=log",
             *(["--filter=cow"] if private else []),
             "file", path, "logfile=" + self.log],
            stdin=subprocess.DEVNULL)
        lab.hubs.append(self)
        wait_for("nbdkit", 10, lambda: os.path.exists(socket))

    def kill(self):
        self.process.kill()
        self.process.wait()

    def newest(self):
        """The connection that was opened last."""
        with open(self.log) as log:
            return int(CONNECT.findall(log.read())[-1])

    def size(self):
        """Of the log up to now, for writes()."""
        return os.path.getsize(self.log)

    def writes(self, since=0):
        """When and over which connection something was written, in order."""
        with open(self.log) as log:
            log.seek(since)
            for line in log:
                found = WRITE.match(line)
                if found:
                    when = datetime.datetime.fromisoformat(found.group(1))
                    yield int(when.timestamp() * 1e9), int(found.group(2))

    def check_turns(self, decided):
        """Fails unless connection n writes between decisions n-1 and n only.

        decided: when each move was decided, in ns.  Returns a summary.
        """
        edges = [0] + list(decided) + [1 << 63]
        writes = list(self.writes())
        writers = sorted({connection for _, connection in writes})
        # A connection's number says which machine it was, in order of boot
        for when, connection in writes:
            turn = writers.index(connection)
            if not edges[turn] < when < edges[turn + 1]:
                raise AssertionError(
                    "machine %d wrote %.3f ms %s its turn" % (
                        turn, min(abs(when - edges[turn]),
                                  abs(when - edges[turn + 1])) / 1e6,
                        "before" if when <= edges[turn] else "after"))
        if len(writers) != len(decided) + 1:
            raise AssertionError("%d of %d machines wrote"
                                 % (len(writers), len(decided) + 1))
        return "%d writes by %d machines, each in its turn" % (
            len(writes), len(writers))
