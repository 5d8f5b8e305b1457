# SPDX-License-Identifier: GPL-2.0-only
"""(c) The server's processes alone, moved by CRIU from machine to machine.

Both machines boot the same root, each for itself.  The data is on a disk that
they share, mounted on one of them at a time.  tests/db/criu does the rest.
"""

import re

from database import Database
from pmsmvm import wait_for

# The ordinary driver has the transfer NIC, and init starts no server
APPEND = "pmsm_virtio_net.nic= pmsmtest.role= "
# From here on, the target has no process of the same ID
FIRST_PID = 5000
PHASES = (("a", "dumps", "has dumped", "dump_ms"),
          ("a", "has dumped", "has sent", "send_ms"),
          ("b", "has all", "restores", "mount_ms"),
          ("b", "restores", "has restored", "restore_ms"))


def said_at(vm, what):
    """When the script said something there, in ms since that booted."""
    return float(re.search(r"\[ *([\d.]+)\] criu: %s" % what,
                           vm.console()).group(1)) * 1000


def criu(lab):
    """By CRIU: memory first while the server runs, then what is left."""
    import peers  # which has this function among its own

    db = Database(lab)
    disks = [lab.disk("data", 768)]
    # The target is the older one, so that the monotonic clock goes forward
    b = db.machine("b", private=True, disks=disks,
                   append=APPEND + "pmsmtest.ip=")
    a = db.machine("a", private=True, disks=disks, append=APPEND)
    a.wait_boot()
    b.wait_boot()
    a.must("mount -o noinit_itable /dev/vdb /mnt && "
           "cp -a /var/lib/mysql/. /mnt && umount /mnt && "
           "mount /dev/vdb /var/lib/mysql", 60)
    a.must("echo %d > /proc/sys/kernel/ns_last_pid" % FIRST_PID)
    a.must("/usr/lib/pmsm/init database &")
    b.send("/usr/lib/pmsm/criu wait")
    b.wait_console("criu: waits", 60)
    peers.start(db, a)
    a.send("/usr/lib/pmsm/criu move")
    wait_for("CRIU", 120, lambda: "criu: has restored" in b.console() or
             "criu: failed" in a.console() + b.console())
    for vm in (a, b):
        if "criu: failed" in vm.console():
            raise RuntimeError("%s: CRIU: %s" % (vm.name,
                                                 vm.console()[-1500:]))
    a.wait_console("criu: has sent")
    vms = {"a": a, "b": b}
    phases = {name: said_at(vms[at], end) - said_at(vms[at], begin)
              for at, begin, end, name in PHASES}
    return peers.outcome(db, **phases)
