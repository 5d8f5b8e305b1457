# SPDX-License-Identifier: GPL-2.0-only
"""A MariaDB server that moves, and a client on a third host that watches.

The server's root is one disk, shared by all machines that it runs on; the
client has a disk of its own and is on the same Ethernet.
"""

import os
import re
import subprocess
import time
import zlib

from pmsmvm import NIC, move, run_script

SERVER, CLIENT = "10.0.0.2", "10.0.0.3"
MAC = "52:54:00:00:01:77"
INIT = "init=/usr/lib/pmsm/init "
# MiB of tables: 240 MiB in use in a machine of 1 GiB
FILL = 120
BEACON = "10.0.0.255"


class Database:
    """Everything around the machine that moves, and how to start that."""

    def __init__(self, lab, memory=1024, disk=None, wire=None, cpus=1):
        """disk(path) makes the shared disk of a path: see nbd.NbdDisk."""
        self.lab, self.memory, self.cpus = lab, memory, cpus
        self.image = run_script(os.path.join(lab.tests, "db", "make-root"))
        self.path = os.path.join(lab.folder, "root")
        subprocess.run(["cp", "--sparse=always", "--reflink=auto", self.image,
                        self.path], check=True)
        self.disk = disk(self.path) if disk else None
        self.wire = wire
        self.box = lab.disk("box", 16, ext4=False)
        self.client = lab.vm("client", disks=[self.box], root=self.image, private=True,
                             memory=512, transfer=None,
                             address=CLIENT + "/24",
                             append=INIT + "pmsmtest.role=client")
        self.status = None

    def machine(self, name, append="", init=INIT, **settings):
        """A machine that can boot the server, or take it in."""
        settings = dict({"memory": self.memory, "cpus": self.cpus}, **settings)
        if self.wire:
            settings.setdefault("transfer", self.wire.path)
        return self.lab.vm(name, mac=MAC, address=SERVER + "/24",
                           root=self.disk.name if self.disk else self.path,
                           append=init + "pmsmtest.role=db " + append,
                           **settings)

    def target(self, name, **settings):
        """A machine that waits for the server to come."""
        settings.setdefault("append", "pmsm.listen=" + NIC)
        return self.machine(name, **settings).wait_listening()

    def serve(self, vm, timeout=120, fill=FILL):
        """Wait until the server answers, and fill its tables."""
        vm.wait_boot(timeout)
        self.client.wait_boot(timeout)
        vm.wait_console("database ready", timeout)
        self.client.must("/usr/lib/pmsm/dbclient %s --setup --fill %d"
                         % (SERVER, fill), timeout)

    def watch(self, load=True, seconds=30, period_ms=2):
        """Start the client that checks every answer, and sysbench beside it."""
        if load:
            self.client.must("/usr/lib/pmsm/sysbench prepare %s" % SERVER, 180)
            self.client.must("/usr/lib/pmsm/sysbench run %s 1 10 %d > "
                             "/tmp/sysbench.out 2>&1 &" % (SERVER, seconds))
        self.status = self.client.program(
            "/usr/lib/pmsm/dbclient %s --log /tmp/dbclient.csv --period-ms %d"
            % (SERVER, period_ms), 90)

    def tour(self, moves):
        """Move the server many times in a row; returns where it is in the end."""
        vm = self.machine("m0")
        self.serve(vm)
        self.watch(seconds=15 * moves)
        for number in range(1, moves + 1):
            target = self.target("m%d" % number)
            time.sleep(0.5)
            move(vm, target)
            vm = target
        time.sleep(1)
        return vm

    def verdict(self):
        """The client's last word: "ok ..." if nothing was lost or wrong."""
        return self.client.verdict(self.status, 180)

    def checked(self):
        """The same, and the client goes on."""
        return self.client.must(
            "s=%s; rm -f $s.now; kill -USR2 $(cat $s.pid); n=0; "
            "while [ ! -s $s.now ] && [ $n -lt 600 ]; do n=$((n+1)); "
            "sleep 0.1; done; cat $s.now" % self.status, 70)

    def abandon(self):
        """The client has nobody to talk to any more, if it has not found out."""
        self.client.run("kill -9 $(cat %s.pid)" % self.status)

    def beacon(self, vm):
        """Start what tells everybody that this machine runs."""
        vm.must("/usr/lib/pmsm/beacon %s /dev/ttyS2 > /dev/null 2>&1 "
                "< /dev/null &" % BEACON)

    def counts(self):
        """The same as numbers."""
        verdict = self.verdict()
        numbers = {name: int(n) for name, n in
                   re.findall(r"(\w+)=(-?\d+)", verdict)}
        numbers["ok"] = verdict.startswith("ok")
        numbers["verdict"] = verdict
        return numbers

    def fetch(self, path, to):
        """Copy a file out of the client, over a disk."""
        self.client.must("gzip -c %s > /dev/vdb && sync" % path, 120)
        with open(self.box, "rb") as disk, open(to, "wb") as out:
            out.write(zlib.decompressobj(wbits=31).decompress(disk.read()))

    def sysfs(self, vm, to):
        """What the moved machine knows of its move, for pmsm-report."""
        with open(to, "w") as out:
            out.write(vm.must("grep -r . /sys/power/pmsm 2>/dev/null; true"))

    def stop(self, vm):
        """End the server, check what it left, and give the disk back."""
        vm.must("mariadb-admin shutdown", 120)
        # Pages 64 to 191 of ibdata1 are the doublewrite buffer: copies of
        # other pages, written in part
        found = vm.must("cd /var/lib/mysql; for f in $(find -name '*.ibd') "
                        "'--end-page=63 ibdata1' '--start-page=192 ibdata1'; "
                        "do innochecksum $f || echo $f; done", 120)
        vm.run("sync; mount -o remount,ro /; sync")
        vm.kill()
        return found

    def fsck(self):
        """Check the file system; returns what is wrong, "" for nothing."""
        fsck = subprocess.run(["/sbin/e2fsck", "-fn", self.path], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return "" if fsck.returncode == 0 else fsck.stdout
