#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A live database moves, and its clients see only a pause."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "lib"))

import frames
from database import Database
from ktap import Skip, check, check_in, main, say
from nbd import NbdDisk

MOVES = 20

def sleep_conf(lab):
    """The drop-in that the admin guide tells of."""
    name = "Documentation/admin-guide/pm/pmsm-sleep.conf"
    # From our tests, or from those of a kernel tree
    for top in ("..", "../../../.."):
        path = os.path.join(lab.tests, top, name)
        if os.path.exists(path):
            with open(path) as conf:
                return conf.read()
    raise Skip("no " + name)


def test_twenty_moves(lab):
    """Nothing is lost, and each machine writes in its turn only."""
    wire = lab.bad_wire(log=True)
    db = Database(lab, disk=lambda path: NbdDisk(lab, path), wire=wire)
    vm = db.tour(MOVES)
    check(vm.must("cat /sys/power/pmsm/moves") == str(MOVES), "moves")
    counts = db.counts()
    say(counts["verdict"])
    check(counts["ok"], counts["verdict"])
    check(counts["transactions"] > 20 * MOVES, "hardly any transactions")
    sysbench = db.client.must("cat /tmp/sysbench.out")
    check("FATAL" not in sysbench, sysbench)
    broken = db.stop(vm)
    check(not broken, "innochecksum: " + broken)
    decided = frames.decisions(wire)
    check(len(decided) == MOVES, "%d decisions" % len(decided))
    say(db.disk.check_turns(decided))
    check(not db.fsck(), db.fsck())


def test_systemd(lab):
    """"systemctl suspend" moves a machine that systemd runs."""
    db = Database(lab, cpus=2)
    a = db.machine("a", init="")
    db.serve(a, 240)
    a.must("mkdir -p /etc/systemd/sleep.conf.d; printf '%s' > "
           "/etc/systemd/sleep.conf.d/pmsm.conf"
           % sleep_conf(lab).replace("\n", "\\n"))
    a.must("printf '#!/bin/sh\\necho $1 $2 >> /run/hook\\n' > "
           "/usr/lib/systemd/system-sleep/pmsm-test; "
           "chmod +x /usr/lib/systemd/system-sleep/pmsm-test")
    # Without a target, it fails and says why
    a.must("echo 2 > /sys/power/pmsm/timeout")
    status, _ = a.run("systemctl start systemd-suspend.service", 60)
    check(status != 0, "suspending without a target worked")
    check_in("no target answers", a.must("journalctl -k -b | grep pmsm"))
    db.watch(load=False)
    b = db.target("b", init="")
    a.send("systemctl suspend")
    b.wait_console(r"moved in \d+ ms", 120)
    b.adopt()
    a.wait_exit()
    check_in("post suspend", b.must("cat /run/hook"), "the hook")
    b.must("systemctl is-active mariadb")
    n = b.must("cat /sys/power/pmsm/moves")
    check(n == "1", "%s moves" % n)
    counts = db.counts()
    say(counts["verdict"])
    check(counts["ok"], counts["verdict"])


main(sys.modules[__name__])
