# SPDX-License-Identifier: GPL-2.0-only
"""What nobody may do: rules of the hand-over, each broken in the model.

A mutant is what it does, the property that it must break, and the changes: the
side and state, what is replaced there, and by what.  The timers, and what is
said twice over, save the day without some of the rules; those are not here.
"""

import re


def swap(where, old, new):
    return where, old, new


def add(where, option):
    """One more way out of a state, the first."""
    return where, re.compile(r"\t(if|do)\n"), r"\t\1\n\t:: %s\n" % option


def drop(where, option):
    return where, re.compile(r"\t:: %s.*\n" % re.escape(option)), ""


SAYS_READY = "target_ready = true;\n\tsay(target_says, ready);"

MUTANTS = (
    # The source before the decision
    ("a SENDING source waits for ever", "back",
     drop("source SENDING", "silence(target)")),
    ("a PREPARED source waits for ever", "back",
     drop("source PREPARED", "silence(target)")),
    ("an ASKED source waits for ever", "back",
     drop("source ASKED", "silence(target)")),
    ("the source takes RESUMED of an earlier attempt", "heard",
     add("source PREPARED", "earlier(resumed) -> goto ASKED")),
    ("the source decides when RESUMED comes", "some",
     swap("source PREPARED", "goto ASKED", "goto COMMITTING")),
    ("the source takes READY of an earlier attempt", "some",
     add("source ASKED", "earlier(ready) -> goto COMMITTING")),
    ("a source that runs takes up the hand-over when RESUMED comes", "one",
     swap("source RUNNING", "take(resumed) -> send(source_reset_2)",
          "take(resumed) -> goto ASKED")),
    ("a source that runs does not answer READY", "ends",
     drop("source RUNNING", "take(ready)")),

    # The source after it
    ("the source runs when COMMIT is not answered", "decision",
     swap("source COMMITTING", "goto IN_DOUBT", "goto RUNNING")),
    ("a source in doubt runs after a while", "one",
     add("source IN_DOUBT", "silence(target) -> goto RUNNING")),
    ("the source takes a repeated READY for a refusal", "one",
     add("source COMMITTING", "take(ready) -> goto RUNNING")),
    ("the source heeds RESET of an earlier attempt after COMMIT", "one",
     add("source COMMITTING", "earlier(target_reset_2) -> goto RUNNING")),
    ("the source heeds RESET after COMMIT, and a target that has crashed and "
     "boots again says it", "one",
     add("source IN_DOUBT", "take(target_reset_2) -> goto RUNNING"),
     swap("target CRASHED", "target_crashed = true };",
          "target_crashed = true };\n"
          "\tif\n"
          "\t:: take(commit) -> send(target_reset_2)\n"
          "\t:: skip\n"
          "\tfi;")),
    ("a source in doubt calls it off, and stays halted", "some",
     add("source IN_DOUBT",
         "silence(target) -> send(source_reset_2); goto STAYS")),
    ("the source does not repeat COMMIT", "some",
     swap("source COMMITTING", "say(source_says, commit)", "send(commit)")),
    ("the source takes COMMITTED of an earlier attempt", "kept",
     add("source COMMITTING", "earlier(committed) -> goto GONE")),
    ("a source in doubt powers off after a while", "kept",
     add("source IN_DOUBT", "silence(target) -> goto GONE")),
    ("a source that has crashed and boots again answers READY", "onward",
     swap("source CRASHED", "source_crashed = true };",
          "source_crashed = true };\n"
          "\tif\n"
          "\t:: take(ready) -> send(source_reset_2)\n"
          "\t:: skip\n"
          "\tfi;")),

    # The target before it is READY
    ("a VERIFIED target waits for ever", "ends",
     drop("target VERIFIED", "silence(source)")),
    ("a target that gives up keeps its session, and does not answer PREPARE",
     "back",
     swap("target LISTENING", "target_says = 0;", ""),
     drop("target LISTENING", "take(prepare)")),
    ("a RESUMED target waits for ever", "ends",
     drop("target RESUMED", "true -> goto CALLED_OFF")),
    ("the target says READY without RESUMED being acknowledged", "heard",
     add("target RESUMED", "goto READY")),
    ("the target takes an acknowledgment of the first session", "heard",
     add("target RESUMED", "take(prepare) -> goto READY")),
    ("the target says READY along with RESUMED, and may still give up", "some",
     swap("target RESUMED", "say(target_says, resumed);",
          "say(target_says, resumed);\n\tsend(ready);")),

    # The target after that
    ("a READY target goes without COMMIT", "decision",
     add("target READY", "silence(source) -> goto RUNNING")),
    ("a READY target takes COMMIT of an earlier attempt", "one",
     add("target READY", "earlier(commit) -> goto RUNNING")),
    ("a READY target gives up after a while", "some",
     add("target READY", "silence(source) -> goto OFF")),
    ("a READY target starts over at a late HELLO", "some",
     add("target READY", "trouble -> goto OFF")),
    ("a READY target heeds RESET of an earlier attempt", "onward",
     add("target READY", "earlier(source_reset_2) -> goto OFF")),
    ("a READY target runs when RESET comes", "one",
     swap("target READY", "take(source_reset_2) -> goto OFF",
          "take(source_reset_2) -> goto RUNNING")),
    ("a READY target does not heed RESET", "ends",
     drop("target READY", "take(source_reset_2)")),
    ("a READY target does not repeat READY", "ends",
     swap("target READY", SAYS_READY,
          "target_ready = true;\n\ttarget_says = 0;\n\tsend(ready);")),
    ("the target says COMMITTED before it runs", "kept",
     swap("target RUNNING",
          "target_ran = true;\n\tsay(target_says, committed);",
          "say(target_says, committed);\n\ttarget_ran = true;")),
    ("a target that has crashed and boots again answers COMMIT", "kept",
     swap("target CRASHED", "target_crashed = true };",
          "target_crashed = true };\n"
          "\tif\n"
          "\t:: take(commit) -> send(committed)\n"
          "\t:: skip\n"
          "\tfi;")),
)
