// SPDX-License-Identifier: GPL-2.0-only
/*
 * Spare TCP peers the wait for their retransmission timers.
 *
 * What a peer sends while the machine stands still is lost.  It tries again
 * after 0.2 s, 0.6 s, 1.4 s, 3 s: up to twice the pause goes by before it finds
 * that the machine is back.  So before the machine stops it closes its receive
 * windows, and peers hold their data back; when it runs again it opens them,
 * and they send at once.
 *
 * After "Freeze-TCP: A true end-to-end TCP enhancement mechanism for mobile
 * environments" by Goff, Moronski, Phatak and Gupta (INFOCOM 2000).  A peer that
 * ignores a shrinking window is no worse off than without.
 */

#include <linux/delay.h>
#include <linux/rculist_nulls.h>

#include <net/inet_hashtables.h>
#include <net/net_namespace.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "tcp.h"

/* Sockets of one hash chain to work on without its lock, at a time */
#define PMSM_TCP_BATCH		32
/* Data that peers sent before they saw the window close has come by then */
#define PMSM_TCP_SETTLE_US	1000

/* States in which a peer may send data */
#define PMSM_TCP_STATES		(TCPF_ESTABLISHED | TCPF_FIN_WAIT1 | \
				 TCPF_FIN_WAIT2)

static bool has_peer(const struct sock *sk)
{
	return sk_fullsock(sk) && (1 << sk->sk_state) & PMSM_TCP_STATES;
}

/*
 * Announce no window at all, but go on taking what is within the one that was
 * announced before: it may be on its way.
 */
static void close_window(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	u32 wnd = tcp_receive_window(tp);

	inet_csk(sk)->icsk_ack.pending |= ICSK_ACK_NOMEM;
	tcp_send_ack(sk);
	tp->rcv_wnd = wnd;
}

static void for_one(struct sock *sk, void (*what)(struct sock *sk))
{
	bh_lock_sock(sk);
	if (!sock_owned_by_user(sk) && has_peer(sk)) {
		tcp_mstamp_refresh(tcp_sk(sk));
		what(sk);
	}
	bh_unlock_sock(sk);
}

/* Take references to sockets of a chain, from the @skip-th on */
static unsigned int gather(struct inet_hashinfo *hash, unsigned int slot,
			   unsigned int skip, struct sock **batch)
{
	spinlock_t *lock = inet_ehash_lockp(hash, slot);
	struct hlist_nulls_node *node;
	unsigned int nr = 0;
	struct sock *sk;

	spin_lock(lock);
	sk_nulls_for_each(sk, node, &hash->ehash[slot].chain) {
		if (nr == PMSM_TCP_BATCH)
			break;
		if (!has_peer(sk) || (skip && skip--))
			continue;
		if (refcount_inc_not_zero(&sk->sk_refcnt))
			batch[nr++] = sk;
	}
	spin_unlock(lock);
	return nr;
}

static void for_chain(struct inet_hashinfo *hash, unsigned int slot,
		      void (*what)(struct sock *sk))
{
	struct sock *batch[PMSM_TCP_BATCH];
	unsigned int i, nr, done = 0;

	do {
		local_bh_disable();
		nr = gather(hash, slot, done, batch);
		for (i = 0; i < nr; i++) {
			for_one(batch[i], what);
			sock_gen_put(batch[i]);
		}
		local_bh_enable();
		done += nr;
	} while (nr == PMSM_TCP_BATCH);
}

static void for_table(struct inet_hashinfo *hash, void (*what)(struct sock *sk))
{
	unsigned int slot;

	for (slot = 0; slot <= hash->ehash_mask; slot++) {
		if (!hlist_nulls_empty(&hash->ehash[slot].chain))
			for_chain(hash, slot, what);
		cond_resched();
	}
}

static void for_all(void (*what)(struct sock *sk))
{
	struct inet_hashinfo *first, *hash;
	struct net *net;

	first = init_net.ipv4.tcp_death_row.hashinfo;
	for_table(first, what);

	/* A namespace may have a table of its own */
	down_read(&net_rwsem);
	for_each_net(net) {
		hash = net->ipv4.tcp_death_row.hashinfo;
		if (hash != first)
			for_table(hash, what);
	}
	up_read(&net_rwsem);
}

/**
 * pmsm_tcp_hold - ask all TCP peers to hold their data back
 *
 * Call when processes are frozen and network devices are not.  May sleep.
 */
void pmsm_tcp_hold(void)
{
	for_all(close_window);
	usleep_range(PMSM_TCP_SETTLE_US, 2 * PMSM_TCP_SETTLE_US);
	/* Acknowledging what came since has opened some again */
	for_all(close_window);
}

/**
 * pmsm_tcp_release - tell all TCP peers to go on
 *
 * Call when network devices run again, here or on the target.  May sleep.
 */
void pmsm_tcp_release(void)
{
	for_all(tcp_send_ack);
}
