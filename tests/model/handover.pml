/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The decision, from the complete image on the target to exactly one survivor:
 * Documentation/power/pmsm-protocol.rst, "The decision".
 *
 * What is on its way to a side is a set: each message in it may arrive at any
 * time, in any order, more than once, or never.  The network may repeat and lose
 * TROUBLES times; a property that says that something happens would not hold
 * of a network that loses everything.  Timers may fire at any time.
 */

#ifndef TROUBLES
#define TROUBLES	4
#endif

typedef inbox {
	bool ready, commit, committed, reset, done
};

inbox to_source, to_target;
byte troubles;

/* What has ever happened */
bool source_ran_on, target_ran, source_dead, target_dead;

#define trouble		(troubles < TROUBLES) -> troubles++
#define quiet(in)	(!in.ready && !in.commit && !in.committed && \
			 !in.reset && !in.done)

inline receive(message)
{
	atomic {
		message ->
		if
		:: message = false
		:: trouble			/* it will come again */
		fi
	}
}

/* Sent again when nothing has come for a while */
inline repeat(in, message)
{
	atomic { quiet(in) && !message -> message = true }
}

inline lose(message)
{
	atomic { message && trouble; message = false }
}

active proctype source()
{
	do						/* END is sent */
	:: receive(to_source.ready) -> break
	:: receive(to_source.reset) -> goto runs_on
	:: to_target.reset = true -> goto runs_on	/* silence */
	:: source_dead -> goto off
	od;

	to_target.commit = true;			/* the decision */
	do
	:: receive(to_source.committed) -> goto done
	:: receive(to_source.reset) -> goto runs_on
	:: receive(to_source.ready) -> to_target.commit = true
	:: repeat(to_source, to_target.commit)		/* in doubt for ever */
	:: source_dead -> goto off
	od;

done:
	to_target.done = true;
	do
	:: receive(to_source.committed) -> to_target.done = true
	:: goto off
	od;

runs_on:
	source_ran_on = true;
off:
	skip
}

active proctype target()
{
	to_source.ready = true;
	do
	:: receive(to_target.commit) -> break
	:: receive(to_target.reset) -> goto given_up
	:: repeat(to_target, to_source.ready)
	:: to_source.reset = true -> goto given_up	/* silence */
	:: target_dead -> goto restarted
	od;

	to_source.committed = true;
	do
	:: receive(to_target.done) -> break
	:: receive(to_target.commit) -> to_source.committed = true
	:: repeat(to_target, to_source.committed)
	:: break					/* a second has passed */
	:: target_dead -> goto restarted
	od;

	target_ran = true;
	if
	:: goto off
	:: target_dead -> goto restarted
	fi;

given_up:
	do
	:: receive(to_target.commit) -> to_source.reset = true
	:: receive(to_target.reset)
	:: target_dead -> goto restarted
	od;

restarted:						/* it remembers nothing */
	do
	:: receive(to_target.commit)
	:: receive(to_target.reset)
	od;
off:
	skip
}

active proctype network()
{
	do
	:: lose(to_source.ready)
	:: lose(to_source.committed)
	:: lose(to_source.reset)
	:: lose(to_target.commit)
	:: lose(to_target.reset)
	:: lose(to_target.done)
	od
}

/* Each may crash, at any time or not at all */
active proctype source_fate()
{
	if
	:: source_dead = true
	:: skip
	fi
}

active proctype target_fate()
{
	if
	:: target_dead = true
	:: skip
	fi
}

/* Never two, not even one after the other */
ltl one { [] !(source_ran_on && target_ran) }

/* Never none, unless one has crashed */
ltl some { <> (source_ran_on || target_ran || source_dead || target_dead) }
