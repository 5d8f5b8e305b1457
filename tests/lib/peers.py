# SPDX-License-Identifier: GPL-2.0-only
"""Ways to move a database from one machine to another, for comparison.

Each starts the same root with the same client, moves the server once, and
returns what the client saw: its longest gap in ms, and what was lost.
"""

import json
import os
import subprocess
import time

from criu import criu  # (c), by CRIU within the machines
from database import Database
from pmsmvm import move, wait_for

# Seconds of work before and after the move; the gap of a slow peer comes on top
BEFORE, AFTER = 4, 5


def outcome(db, **more):
    """The client's last word."""
    time.sleep(AFTER)
    counts = db.counts()
    return dict(more, gap_ms=counts.get("longest_gap_us", 0) / 1000,
                ok=counts["ok"], verdict=counts["verdict"])


def start(db, vm):
    """Boot the server, and have the client at work."""
    db.serve(vm)
    db.watch()
    time.sleep(BEFORE)


def pmsm(lab):
    """(a) by physical machine state migration, stop and copy."""
    db = Database(lab)
    a = db.machine("a")
    b = db.target("b")
    start(db, a)
    move(a, b)
    time.sleep(AFTER)
    files = {name: os.path.join(lab.folder, name)
             for name in ("sysfs", "log", "report")}
    db.sysfs(b, files["sysfs"])
    db.fetch("/tmp/dbclient.csv", files["log"])
    report = os.path.join(lab.tests, "..", "scripts", "pmsm-report")
    subprocess.run([report, "--sysfs-dump", files["sysfs"], "--latency",
                    files["log"], "--json", files["report"]], check=True,
                   stdout=subprocess.DEVNULL)
    with open(files["report"]) as out:
        return outcome(db, report=json.load(out))


def swsusp(lab):
    """(b) by stock hibernation; the target boots when the source is off."""
    swap = lab.disk("swap", 2048, ext4=False)
    db = Database(lab, wire=lab.bad_wire())
    a = db.machine("a", disks=[swap])
    start(db, a)
    a.must("mkswap /dev/vdb && swapon /dev/vdb")
    a.must("echo shutdown > /sys/power/disk")
    a.send("echo disk > /sys/power/state")
    a.wait_exit(120)
    b = db.machine("b", disks=[swap], append="resume=/dev/vdb")
    b.wait_console("hibernation exit", 120)
    b.adopt()
    return outcome(db)


def qemu(lab):
    """(d) by QEMU from outside, live."""
    db = Database(lab)
    path = os.path.join(lab.folder, "migration")
    channel = "unix:" + path
    a = db.machine("a")
    start(db, a)
    b = db.machine("b", extra=["-incoming", channel])
    wait_for("QEMU to listen", 20, lambda: os.path.exists(path))
    a.qmp("migrate", uri=channel)

    def status():
        info = a.qmp("query-migrate")
        if info["status"] in ("failed", "cancelled"):
            raise RuntimeError("QEMU's migration: %s" % info)
        return info["status"] == "completed" and info

    info = wait_for("QEMU's migration", 120, status)
    a.kill()
    b.adopt()
    return outcome(db, downtime_ms=info["downtime"],
                   total_ms=info["total-time"])


ALL = (pmsm, swsusp, criu, qemu)
