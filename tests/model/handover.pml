/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From the complete image to exactly one machine that runs:
 * Documentation/power/pmsm-protocol.rst, "The hand-over".  Its states are the
 * labels, and its messages the words in small letters.
 *
 * What is on its way is a set: each message in it may arrive at any time, in
 * any order, more than once, or when its session is long over.  The network
 * may lose and repeat TROUBLES times; a property that says that something
 * happens would not hold of a network that loses everything.
 */

#ifndef TROUBLES
#define TROUBLES	4
#endif

/*
 * A message belongs to one direction and one session by what it is, but for
 * RESET: source_reset_2 is the source's, in the second session.
 */
mtype = {
	verified, prepare,
	resumed, resumed_ack, ready, commit, committed, done,
	source_reset_1, source_reset_2, target_reset_1, target_reset_2
};

bool on_way[13];
byte troubles;

/*
 * The sequenced message that a side repeats until it says the next one.  When
 * it has arrived that is in vain, so the only acknowledgments here are those
 * that somebody waits for: of RESUMED, and of COMMITTED, which is DONE.  A ready
 * that has arrived stands for the ACK by which the target shows that it waits.
 */
mtype source_says, target_says;

/* Chosen at first, so that who waits for ever is not seen as about to crash */
bool source_mortal, target_mortal;

/* Whether timers fire as late as they may, or at any time */
bool patient;

/*
 * Who will not say anything any more: has crashed, is off, or has closed the
 * session and runs.  So a source is in doubt for ever whose target has crashed,
 * but also one whose target could not get COMMITTED through in ten minutes.
 */
bool source_deaf, target_deaf;

/* What has ever happened */
bool heard_resumed, decided, source_ran, source_gone, source_crashed;
bool target_ready, target_ran, target_crashed;

#define silence(side)		(!patient || !side##_says)
#define trouble			(troubles < TROUBLES) -> troubles++
/*
 * A frame of an earlier attempt may come at any time.  Nobody heeds it, so that
 * only a broken rule shows it.
 */
#define earlier(message)	true

inline send(message)
{
	atomic {
		if
		:: on_way[message] = true
		:: trouble				/* it is lost */
		fi
	}
}

inline take(message)
{
	atomic {
		on_way[message] ->
		if
		:: on_way[message] = false
		:: trouble				/* it will come again */
		fi
	}
}

inline say(side, message)
{
	side = message;
	send(message)
}

inline repeat(side)
{
	atomic { side && !on_way[side] -> send(side) }
}

proctype sessions()
{
end:
	do
	:: repeat(source_says)
	:: repeat(target_says)
	od
}

proctype source()
{
	mtype reset = source_reset_1;
	bool keeps_nic;

SENDING:					/* END is sent */
	if
	:: take(verified) -> goto PREPARED
	:: take(target_reset_1) -> goto RUNNING
	:: silence(target) -> goto RUNNING
	:: source_mortal -> goto CRASHED
	fi;

PREPARED:
	say(source_says, prepare);
	if
	:: take(resumed) -> heard_resumed = true; goto ASKED
	:: take(target_reset_1) -> goto RUNNING
	:: take(target_reset_2) -> reset = source_reset_2; goto RUNNING
	:: silence(target) -> goto RUNNING
	:: source_mortal -> goto CRASHED
	fi;

ASKED:						/* in the second session */
	atomic { source_says = 0; reset = source_reset_2 };
	send(resumed_ack);
	do
	:: take(resumed) -> send(resumed_ack)
	:: take(ready) -> goto COMMITTING
	:: take(target_reset_2) -> goto RUNNING
	:: silence(target) -> goto RUNNING
	:: source_mortal -> goto CRASHED
	od;

COMMITTING:
	decided = true;
	say(source_says, commit);
	if
	:: take(committed) -> goto GONE
	:: silence(target) -> goto IN_DOUBT
	:: source_mortal -> goto CRASHED
	fi;

IN_DOUBT:
	if
	:: take(committed) -> goto GONE
	:: target_deaf && !on_way[committed] -> goto STAYS
	:: source_mortal -> goto CRASHED
	fi;

GONE:
	atomic { source_says = 0; source_gone = true };
	send(done);
	do
	:: take(committed) -> send(done)
	:: goto OFF
	od;

RUNNING:
	atomic { source_says = 0; source_ran = true };
	send(reset);
	if					/* or hands it to its driver */
	:: keeps_nic = true
	:: skip
	fi;
end_RUNNING:
	do
	:: take(resumed) -> send(source_reset_2)
	:: take(ready) -> send(source_reset_2)
	:: !keeps_nic -> goto OFF
	od;

STAYS:						/* until an operator decides */
end_STAYS:
	false;

CRASHED:					/* it will remember nothing */
	atomic { source_says = 0; source_crashed = true };

OFF:						/* or it runs, and is not here */
	source_deaf = true
}

proctype target()
{
RECEIVING:
	if
	:: goto VERIFIED			/* all is there, and right */
	:: take(source_reset_1) -> goto LISTENING
	:: silence(source) -> goto LISTENING	/* or anything is wrong */
	:: trouble -> goto OFF			/* starts over: a late HELLO */
	:: target_mortal -> goto CRASHED
	fi;

VERIFIED:
	say(target_says, verified);
	if
	:: take(prepare) -> goto RESUMING
	:: take(source_reset_1) -> goto LISTENING
	:: silence(source) -> goto LISTENING
	:: trouble -> goto OFF			/* starts over: a late HELLO */
	:: target_mortal -> goto CRASHED
	fi;

RESUMING:
	target_says = 0;
	if
	:: goto RESUMED
	:: goto LISTENING			/* the jump fails */
	:: send(target_reset_2) -> goto OFF	/* a device does not work */
	:: goto OFF				/* the link does not */
	:: target_mortal -> goto CRASHED
	fi;

RESUMED:					/* in the second session */
	say(target_says, resumed);
	if
	:: take(resumed_ack) -> goto READY
	:: take(source_reset_2) -> goto CALLED_OFF
	:: true -> goto CALLED_OFF		/* PREPARE does not break silence */
	:: target_mortal -> goto CRASHED
	fi;

READY:
	target_ready = true;
	say(target_says, ready);
	if
	:: take(commit) -> goto RUNNING
	:: take(source_reset_2) -> goto OFF
	:: source_deaf && !on_way[commit] && !on_way[source_reset_2] ->
		goto STAYS
	:: target_mortal -> goto CRASHED
	fi;

RUNNING:
	target_ran = true;
	say(target_says, committed);
	if
	:: take(done) -> goto OFF
	:: goto OFF				/* its NIC is wanted elsewhere */
	:: target_mortal -> goto CRASHED
	fi;

LISTENING:
	target_says = 0;
	send(target_reset_1);
end_LISTENING:
	do
	:: take(prepare) -> send(target_reset_1)
	:: trouble -> send(target_reset_1)	/* a late HELLO */
	:: target_mortal -> goto CRASHED
	od;

CALLED_OFF:
	send(target_reset_2);
	goto OFF;

STAYS:						/* halted */
end_STAYS:
	false;

CRASHED:					/* it will remember nothing */
	atomic { target_says = 0; target_crashed = true };

OFF:						/* or it runs, and is not here */
	atomic { target_says = 0; target_deaf = true }
}

inline choose(what)
{
	if
	:: what = true
	:: skip
	fi
}

init
{
	atomic {
		choose(source_mortal);
		choose(target_mortal);
		choose(patient);
		run sessions();
		run source();
		run target()
	}
}

/* Never two, not even one after the other */
ltl one { [] !(source_ran && target_ran) }

/* After the decision the source never runs, and before it the target */
ltl decision { [] !(decided && source_ran) && [] (target_ran -> decided) }

/* The source keeps the machine until the target runs it */
ltl kept { [] (source_gone -> target_ran) }

/* A target that can no longer give up has been heard on its new devices */
ltl heard { [] (target_ready -> heard_resumed) }

/* Never none, unless one has crashed */
ltl some { <> (source_ran || target_ran || source_crashed || target_crashed) }

/* Before the decision, every failure ends with the source running */
ltl back { <> (source_ran || decided || source_crashed) }

/* After it, a crash of the source changes nothing if COMMIT is on its way */
ltl onward { [] (decided && on_way[commit] ->
		 <> (target_ran || target_crashed)) }
