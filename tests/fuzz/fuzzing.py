#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Build and run the fuzzers: fuzzing.py FOLDER [SECONDS]

Keeps what it builds and finds in the folder: crashes, and the corpus, from which
the next run goes on.  Prints how many inputs were tried, how many fuzzers found a
crash, and which share of the lines of the files that count has been reached,
which is none while the corpus or the seeds crash.  CLANG names the compiler, if it is not clang-14.
"""

import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
CLANG = os.environ.get("CLANG", "clang-14")
# Of the time of one core
SHARES = {"target": 1.0, "source": 0.35, "pair": 0.4, "frame": 0.25}
LENGTHS = {"target": 512, "source": 512, "pair": 512, "frame": 2048}
COUNTED = ["session", "take", "store", "compat", "answer", "arrive", "preflight",
           "preflight_answer", "reasons"]
PROBE = "int LLVMFuzzerTestOneInput(void) { return 0; }"


def why_not():
    """Why nothing can be fuzzed here; None if it can."""
    if not shutil.which(CLANG):
        return "there is no " + CLANG
    probe = subprocess.run([CLANG, "-fsanitize=fuzzer,address", "-o",
                            "/dev/null", "-x", "c", "-"], input=PROBE,
                           text=True, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT)
    return probe.returncode and CLANG + " has no fuzzer: " + probe.stdout[-200:]


def build(out, *names, pmsm=None, coverage=False):
    """Build fuzzers, all or some, of our kernel files or of others."""
    command = ["make", "-s", "-j2", "-C", HERE, "OUT=" + out, "CLANG=" + CLANG, *names]
    if pmsm:
        command.append("PMSM=" + pmsm)
    if coverage:
        command.append("COVERAGE=1")
    made = subprocess.run(command, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    if made.returncode:
        raise RuntimeError("the fuzzers cannot be built: " + made.stdout[-2000:])


def make_seeds(name, folder):
    subprocess.run([os.path.join(HERE, "seeds.py"), name, folder], check=True)


def run(binary, folder, seconds, *options):
    """Run one; returns how many inputs it tried, and what it says of a crash.

    The folder is of one fuzzer: seeds, corpus, crashes, log.
    """
    name = os.path.basename(binary)
    paths = {what: os.path.join(folder, what)
             for what in ("seeds", "corpus", "crashes", "log")}
    make_seeds(name, paths["seeds"])
    for what in ("corpus", "crashes"):
        os.makedirs(paths[what], exist_ok=True)
    command = [binary, "-max_total_time=%d" % max(seconds, 1), "-timeout=10",
               "-max_len=%d" % LENGTHS[name], "-print_final_stats=1",
               "-artifact_prefix=%s/" % paths["crashes"], *options,
               paths["corpus"], paths["seeds"]]
    with open(paths["log"], "w") as log:
        status = subprocess.run(["nice", *command], stdout=log,
                                stderr=subprocess.STDOUT).returncode
    with open(paths["log"], errors="replace") as log:
        text = log.read()
    tried = re.search(r"number_of_executed_units: (\d+)", text)
    return int(tried.group(1)) if tried else 0, status and complaint(text)


def passes(binary, folder):
    """Whether a fuzzer has nothing against what another one crashed on."""
    crashes = os.path.join(folder, "crashes")
    inputs = [os.path.join(crashes, name) for name in os.listdir(crashes)]
    return subprocess.run([binary, *inputs], cwd=crashes,
                          stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode == 0


def complaint(text):
    """The lines of a log that say what is wrong, and where the input is."""
    lines = re.findall(r"^.*(?:must be:|runtime error:|ERROR: AddressSan|"
                       r"ERROR: libFuzzer: [to]|Test unit written).*$", text,
                       re.M)
    return "\n".join(lines) or text[-1000:]


def run_all(folder, seconds):
    """Run all of them on two cores, if there are; returns what run() does."""
    workers = min(2, os.cpu_count())
    build(os.path.join(folder, "build"))
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        jobs = {name: pool.submit(
            run, os.path.join(folder, "build", name),
            os.path.join(folder, name), seconds * share * workers / 2)
            for name, share in SHARES.items()}
        return {name: job.result() for name, job in jobs.items()}


def shrink(binary, folder):
    """Leave out of the corpus what reaches nothing that the others do not."""
    corpus = os.path.join(folder, "corpus")
    small = corpus + ".new"
    shutil.rmtree(small, ignore_errors=True)
    os.makedirs(small)
    merged = subprocess.run([binary, "-merge=1", small, corpus], cwd=folder,
                            stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)
    if merged.returncode == 0:
        shutil.rmtree(corpus)
        os.rename(small, corpus)


def coverage(folder):
    """Lines and missed lines of each file that counts, by all corpora."""
    out = os.path.join(folder, "coverage")
    build(out, coverage=True)
    profiles = []
    for name in SHARES:
        profiles.append(os.path.join(out, name + ".profraw"))
        own = os.path.join(folder, name)
        subprocess.run([os.path.join(out, name), "-runs=0",
                        os.path.join(own, "corpus"),
                        os.path.join(own, "seeds")],
                       env=dict(os.environ, LLVM_PROFILE_FILE=profiles[-1]),
                       cwd=out,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    profiles = [path for path in profiles if os.path.exists(path)]
    suffix = CLANG.replace("clang", "", 1)
    merged = os.path.join(out, "profdata")
    subprocess.run(["llvm-profdata" + suffix, "merge", "-o", merged, *profiles],
                   check=True)
    objects = [word for name in SHARES
               for word in ("-object", os.path.join(out, name))]
    files = [os.path.join(out, "pmsm", name + ".c") for name in COUNTED]
    report = subprocess.run(["llvm-cov" + suffix, "report", *objects[1:],
                             "-instr-profile=" + merged, *files], check=True,
                            text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL).stdout
    rows = [line.split() for line in report.splitlines()]
    return {row[0]: (int(row[7]), int(row[8])) for row in rows
            if row and row[0].endswith(".c")}


def say(text):
    print(text, file=sys.stderr, flush=True)


def main():
    folder = os.path.abspath(sys.argv[1])
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 60
    problem = why_not()
    if problem:
        sys.exit("fuzzing.py: " + problem)
    start = time.monotonic()
    results = run_all(folder, seconds)
    for name, (tried, crash) in results.items():
        say("%-8s %9d inputs%s" % (name, tried, "\n" + crash if crash else ""))
        if not crash:
            shrink(os.path.join(folder, "build", name),
                   os.path.join(folder, name))
    lines = coverage(folder)
    for name, (there, missed) in lines.items():
        say("%-10s %4d lines, %3d not reached" % (name, there, missed))
    say("%d s" % (time.monotonic() - start))
    crashes = sum(bool(crash) for _, crash in results.values())
    there, missed = map(sum, zip(*lines.values()))
    print("fuzz_executions %d" % sum(tried for tried, _ in results.values()))
    print("fuzz_crashes %d" % crashes)
    print("fuzz_line_coverage %.3f" % (1 - missed / there))
    sys.exit(1 if crashes else 0)


if __name__ == "__main__":
    main()
