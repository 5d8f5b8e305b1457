#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""scripts/pmsm-report: tables and pictures of migrations."""

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "lib"))

from ktap import Skip, check, check_in, main

REPORT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..",
                      "scripts", "pmsm-report")

MOVE = """\
[    5.000001] PM: pmsm: 0000:00:04.0: target 52:54:00:00:02:01 accepts
[    6.000001] PM: pmsm: moved: 6639 pages, 1136 of them zero, 321 frames \
elsewhere, 22540288 bytes, 66 MiB/s
[    6.000002] PM: pmsm: sent again: 7 frames; extra memory on the source: \
46 pages
[    6.000003] PM: pmsm: phase negotiate: 12.345 ms
[    6.000004] PM: pmsm: phase sync: 7.655 ms
[    6.000005] PM: pmsm: phase freeze: 18.000 ms
[    6.000006] PM: pmsm: phase devices: 40.000 ms
[    6.000007] PM: pmsm: phase scan: 12.000 ms
[    6.000008] PM: pmsm: phase stream: 320.000 ms
[    6.000009] PM: pmsm: phase verify: 10.000 ms
[    6.000010] PM: pmsm: phase restore: 50.000 ms
[    6.000011] PM: pmsm: phase resume: 30.000 ms
[    6.000012] PM: pmsm: phase commit: 5.000 ms
[    6.000013] PM: pmsm: phase thaw: 15.000 ms
[    6.000014] PM: pmsm: moved in 500 ms
"""

FAILURE = """\
[    9.000001] PM: pmsm: 0000:00:04.0: target 52:54:00:00:02:01 has fallen \
silent: is it alive, and is the cable plugged in?
[    9.000002] PM: pmsm: not moved, this machine goes on running (error -110)
"""

# On the server's clock, which is 50 ms ahead of the client's
BEGAN = 1790000002050000000
SYSFS = {
    "phase": "idle", "progress": 100, "moves": 1, "last_result": 0,
    "last_reason": "", "nic": "0000:00:04.0", "stats/began_ns": BEGAN,
    "stats/total_time_us": 520000, "stats/setup_us": 20000,
    "stats/downtime_us": 500000, "stats/normal_pages": 5503,
    "stats/duplicate_pages": 1136, "stats/transferred_bytes": 22540288,
    "stats/remaining_bytes": 0, "stats/throughput": 70438400,
    "stats/retransmits": 7, "stats/elsewhere_pages": 321,
    "stats/extra_pages": 46, "phases/negotiate_us": 12345,
    "phases/sync_us": 7655, "phases/freeze_us": 18000,
    "phases/devices_us": 40000, "phases/scan_us": 12000,
    "phases/stream_us": 320000, "phases/verify_us": 10000,
    "phases/restore_us": 50000, "phases/resume_us": 30000,
    "phases/commit_us": 5000, "phases/thaw_us": 15000,
}


def put(lab, name, text):
    path = os.path.join(lab.folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
    return path


def sysfs(lab, name="sysfs", **changes):
    for file, value in (SYSFS | changes).items():
        put(lab, name + "/" + file, "%s\n" % value)
    return os.path.join(lab.folder, name)


def dump(lab, values=None):
    return put(lab, "dump", "".join(
        "/sys/power/pmsm/%s:%s\n" % pair for pair in (values or
                                                      SYSFS).items()))


def latency(lab):
    """A transaction of 4 ms every 10 ms; one waits for the move.

    The client's CLOCK_MONOTONIC is 1000 s where its CLOCK_REALTIME is
    1790000000 s.  The move takes from 2.000 s to 2.520 s, the processes
    stand still from 2.020 s on; the client's gap is from 2.014 s to 2.530 s.
    The server's clock is 50 ms ahead before and 80 ms after; samples that
    took long or are too long ago say something else.
    """
    lines = ["seq,start_ns,end_ns,server_us,clock_ns,rtt_ns"]
    starts = list(range(-300, 2030, 10)) + list(range(2540, 4000, 10))
    for seq, start in enumerate(starts):
        took = 510 if start == 2020 else 4
        middle = (start + took) * 10**6 - 1000000
        ahead = 50 if start < 2020 else 80
        rtt = 200000
        if start < 0:
            ahead, rtt = 777, 100000
        elif start % 30:
            ahead, rtt = 999, 1900000
        clock = 1790000000 * 10**9 + middle
        lines.append("%d,%d,%d,%d,%d,%d" % (
            seq, 1000 * 10**9 + start * 10**6,
            1000 * 10**9 + (start + took) * 10**6,
            (clock + ahead * 10**6) // 1000, clock, rtt))
    return put(lab, "latency.csv", "\n".join(lines) + "\n")


def report(*words, status=0, stdin=None, env=None):
    """Run the report and return what it prints, errors included."""
    if not os.path.exists(REPORT):
        raise Skip("scripts/pmsm-report is not in a kernel tree")
    done = subprocess.run([REPORT, *words], input=stdin, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=os.environ | (env or {}))
    check(done.returncode == status, "exit status %d, not %d: %s"
          % (done.returncode, status, done.stdout))
    check("Traceback" not in done.stdout, done.stdout)
    return done.stdout


def check_row(name, value, table):
    check(re.search(r"^ *%s:? +%s$" % (re.escape(name), re.escape(value)),
                    table, re.M),
          "no \"%s\" with \"%s\" in:\n%s" % (name, value, table))


def check_figures(table):
    for name, value in (("total time", "520.0 ms"), ("downtime", "500.0 ms"),
                        ("setup", "20.0 ms"), ("duplicate", "1136 pages"),
                        ("normal", "5503 pages"),
                        ("transferred", "21.5 MiB (22540288 bytes)"),
                        ("throughput", "67.2 MiB/s"),
                        ("remaining", "0 bytes"), ("retransmits", "7 frames"),
                        ("frames elsewhere", "321"),
                        ("extra memory", "46 pages"),
                        ("negotiate", "12.345"),
                        ("freeze", "18.000    3.6 %  #"),
                        ("stream", "320.000   64.0 %  " + "#" * 26)):
        check_row(name, value, table)
    check_in("from freeze to thaw: 500.0 ms", table)


def test_dmesg(lab):
    check_figures(report("--dmesg", put(lab, "log", MOVE)))
    bare = re.sub(r"^.*?pmsm: ", "pmsm: ", MOVE, flags=re.M)
    check_figures(report("--dmesg", "-", stdin=bare))


def test_sysfs(lab):
    check_figures(report("--sysfs", sysfs(lab)))
    check_figures(report("--sysfs-dump", dump(lab)))


def test_fill(lab):
    """A later input fills what an earlier one lacks, and no more."""
    cut = put(lab, "log", MOVE.replace("7 frames;", "9 frames;"))
    path = os.path.join(lab.folder, "json")
    table = report("--dmesg", cut, "--sysfs", sysfs(lab), "--json", path)
    check_row("retransmits", "9 frames", table)
    with open(path) as file:
        known = json.load(file)
    check(known["stats"]["began_ns"] == BEGAN, "began_ns is not filled in")
    check(known["phases_us"]["stream"] == 320000, "stream in the JSON")
    table = report("--sysfs", sysfs(lab), "--dmesg", cut)
    check_row("retransmits", "7 frames", table)


def test_last_move(lab):
    first = MOVE.replace("sent again: 7", "sent again: 1")
    second = MOVE.replace("sent again: 7", "sent again: 2")
    log = put(lab, "log", first + FAILURE + second)
    check_row("retransmits", "2 frames", report("--dmesg", log))
    check_row("retransmits", "1 frames", report("--dmesg", log,
                                                "--move", "1"))
    check_in("no move 3", report("--dmesg", log, "--move", "3", status=2))


def test_failed(lab):
    text = report("--dmesg", put(lab, "log", MOVE + FAILURE), status=1)
    check(text == "not moved: 0000:00:04.0: target 52:54:00:00:02:01 has "
          "fallen silent: is it alive, and is the cable plugged in? "
          "(error -110)\n", text)
    text = report("--dmesg", put(lab, "log", "pmsm: 0000:00:04.0: target "
                                 "says: too small\n"), status=1)
    check(text == "not moved: 0000:00:04.0: target says: too small\n", text)
    text = report("--sysfs", sysfs(lab, last_result=-110,
                                   last_reason="it fell silent"), status=1)
    check(text == "not moved: it fell silent (error -110)\n", text)


def test_under_way(lab):
    text = report("--sysfs", sysfs(lab, phase="migrating", progress=43))
    check(text == "migrating: 43 %\n", text)


def test_latency(lab):
    path = os.path.join(lab.folder, "json")
    words = ("--latency", latency(lab), "--json", path)
    table = report("--sysfs-dump", dump(lab), *words)
    check_row("transactions", "232 before, 1 during, 146 after", table)
    check_row("longest gap", "516.0 ms", table)
    check_row("latency", "p50 4.0 ms, p99 4.0 ms (outside the gap)", table)
    check_row("explained", "96.9 % of the gap, by freeze to settle", table)
    check_row("clock before", "+50.000 ms (server less client)", table)
    check_row("clock after", "+80.000 ms", table)
    check_row("difference", "+30.000 ms", table)

    def freeze():
        with open(path) as file:
            client = json.load(file)["client"]
        return client["aligned_by"], [p["begin_ns"] for p in client["phases"]
                                      if p["name"] == "freeze"][0] / 10**6
    # Each sample says where it was to within the 4 ms of its transaction
    how, when = freeze()
    check(how == "clocks" and abs(when - 1002020) <= 2,
          "freeze by %s at %f ms" % (how, when))
    report("--dmesg", put(lab, "log", MOVE), *words)
    how, when = freeze()
    check(how == "gap" and when == 1002530 - 500,
          "freeze by %s at %f ms" % (how, when))


def test_settled(lab):
    """A phase that comes later, and in which processes run."""
    log = put(lab, "log", MOVE + "[   22.1] PM: pmsm: settled after 8.000 ms\n")
    table = report("--dmesg", log)
    check_figures(table)
    check_row("settle", "8.000", table)
    table = report("--sysfs", sysfs(lab), "--dmesg", log, "--latency",
                   latency(lab))
    check_row("explained", "98.4 % of the gap, by freeze to settle", table)


def test_gap_elsewhere(lab):
    moved = SYSFS | {"stats/began_ns": BEGAN + 10**9}
    check_in("before processes freeze",
             report("--sysfs-dump", dump(lab, moved), "--latency",
                    latency(lab)))


def test_half_a_line(lab):
    path = latency(lab)
    with open(path, "a") as log:
        log.write("999,1009000000000,10")
    table = report("--dmesg", put(lab, "log", MOVE), "--latency", path)
    check_in("latency.csv:381: left out", table)
    check_row("transactions", "232 before, 1 during, 146 after", table)


def test_picture(lab):
    def draw(name, *words):
        svg, png = (os.path.join(lab.folder, name + end)
                    for end in (".svg", ".png"))
        command = (*words, "--svg", svg, "--png", png)
        try:
            report(*command)
        except AssertionError as error:
            if "python3-matplotlib" in str(error):
                raise Skip("python3-matplotlib is not installed")
            raise
        root = xml.etree.ElementTree.parse(svg).getroot()
        check(root.tag == "{http://www.w3.org/2000/svg}svg", root.tag)
        check(len(list(root.iter())) > 100, "the picture is empty")
        with open(png, "rb") as file:
            data = file.read()
        check(data.startswith(b"\x89PNG") and b"IEND" in data[-12:] and
              len(data) > 10000, "no PNG of %d bytes" % len(data))
        with open(svg) as file:
            return file.read()

    whole = ("--sysfs-dump", dump(lab), "--latency", latency(lab))
    first = draw("first", *whole)
    check("<dc:date>" not in first, "the SVG has a date")
    check(first == draw("second", *whole), "the SVG is another each time")
    draw("phases", "--dmesg", put(lab, "log", MOVE))
    draw("client", "--latency", latency(lab))


def test_no_matplotlib(lab):
    put(lab, "empty/matplotlib.py", "raise ImportError('none here')\n")
    text = report("--dmesg", put(lab, "log", MOVE), "--png",
                  os.path.join(lab.folder, "png"), status=2,
                  env={"PYTHONPATH": os.path.join(lab.folder, "empty")})
    check_in("apt-get install python3-matplotlib", text)


def test_refused(lab):
    """Input that makes no sense is refused by file and line."""
    def refuse(says, *words):
        text = report(*words, status=2)
        check_in(says, text.splitlines()[-1])

    def log(text):
        return "--dmesg", put(lab, "log", text)

    def client(text):
        return "--latency", put(lab, "csv", text)

    refuse("nothing: No such file", "--dmesg", "/nothing")
    refuse("nothing: no such folder", "--sysfs", "/nothing")
    refuse("nothing: No such file", "--sysfs-dump", "/nothing")
    refuse("nothing: No such file", "--latency", "/nothing")
    refuse("no line of it is from pmsm", *log("hello\n"))
    refuse("no migration in ", *log("PM: pmsm: listening for a machine\n"))
    refuse("log:9: malformed: phase stream: many ms",
           *log(MOVE.replace("phase stream: 320.000", "phase stream: many")))
    refuse("log:2: malformed", *log(MOVE.replace("1136 of", "9999 of")))
    refuse("stats/normal_pages: not a number: \"x\"",
           "--sysfs", sysfs(lab, **{"stats/normal_pages": "x"}))
    refuse("has not moved", "--sysfs", sysfs(lab, "never", moves=0))
    refuse("dump:26: phases/restore_us is not a number", "--sysfs-dump",
           dump(lab, SYSFS | {"phases/restore_us": "-1"}))
    refuse("dump:1: not PATH:VALUE", "--sysfs-dump",
           put(lab, "dump", "nonsense\n"))
    refuse("nothing there is from /sys/power/pmsm", "--sysfs-dump",
           put(lab, "dump", "/etc/motd:hello\n"))
    refuse("csv:2: not seq,", *client("1,10,20,,,\n2,x,40,,,\n"))
    refuse("csv:1: not seq,", *client("1,10\n"))
    refuse("csv:2: ends before it starts", *client("1,1,2\n2,9,3\n"))
    refuse("a gap needs two", *client("1,10,20,,,\n"))


main(sys.modules[__name__])
