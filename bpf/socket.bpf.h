/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * The packet on its socket: queued, who is woken by it, who reads it. A datagram is followed by its
 * skb to the end. TCP has no packets behind the socket's queue: segments are joined there and freed
 * unseen, so a segment's entry ends with its queueing, and what is read is told per socket, by
 * sequence number.
 */
#pragma once

/* Hooks that may run in a task write into the second ring; unless nothing can interrupt them. */
static __always_inline u32 side_of(void)
{
	return !bottom_halves_off();
}

/* From here on whoever is woken by this task is woken by `packet`. */
static __always_inline void begin_waking(struct rx_cpu *cpu, u64 packet, u32 check, u32 side)
{
	cpu->waking.packet = packet;
	cpu->waking.check = check;
	cpu->waking.side = side;
	cpu->waking.task = bpf_get_current_pid_tgid();
	cpu->waking.in_softirq = serving_softirq() != 0;
	barrier();
	cpu->waking.active = 1;
}

/* __udp_enqueue_schedule_skb queues the datagram and wakes the readers, or finds the socket's
 * buffer full: the stamp is of its start, and is written when it is over. */
SEC("fentry/__udp_enqueue_schedule_skb")
int BPF_PROG(socket_udp, struct sock *sk, struct sk_buff *skb)
{
	u64 now = bpf_ktime_get_ns();
	u32 id;
	struct rx_cpu *cpu = this_cpu(&id);

	if (!cpu)
		return 0;
	u64 packet = find(cpu, skb);

	cpu->waking.active = 0;
	if (packet == NO_PACKET)
		return 0;
	cpu->waking.time = now;
	begin_waking(cpu, packet, check_of(cpu, skb), 0);
	return 0;
}

SEC("fexit/__udp_enqueue_schedule_skb")
int BPF_PROG(socket_udp_done, struct sock *sk, struct sk_buff *skb, int error)
{
	u32 id;
	struct rx_cpu *cpu = this_cpu(&id);

	if (!cpu || !cpu->waking.active)
		return 0;
	cpu->waking.active = 0;
	if (!error)
		stamp_packet(cpu, id, 0, RX_LATER_SOCKET, cpu->waking.packet, cpu->waking.time,
			     cpu->waking.check);
	return 0;
}

static __always_inline int queue_tcp(struct sock *sk, struct sk_buff *skb, u64 now, int last)
{
	u32 id;
	struct rx_cpu *cpu = this_cpu(&id);

	if (!cpu)
		return 0;
	u64 packet = last ? take(cpu, skb) : find(cpu, skb);

	cpu->waking.active = 0;
	if (packet == NO_PACKET)
		return 0;
	u32 check = check_of(cpu, skb);
	u32 side = side_of();

	if (enter(&sockets, address_of(cpu, sk), packet) != NO_PACKET)
		cpu->loss.sockets_evicted++;
	struct rx_queued *record = later_begin(cpu, id, side, sizeof(*record));

	if (record) {
		fill_stage(&record->stage, RX_LATER_TCP_SOCKET, sizeof(*record), packet, now,
			   check);
		record->sock = (u64)sk;
		later_end(cpu, side, sizeof(*record));
	}
	/* Only what is queued in its turn wakes readers, and only tcp_data_ready tells when that is
	 * over. */
	if (last && rx.wake_end_hooked)
		begin_waking(cpu, packet, check, side);
	return 0;
}

SEC("fentry/tcp_queue_rcv")
int BPF_PROG(socket_tcp, struct sock *sk, struct sk_buff *skb)
{
	u64 now = bpf_ktime_get_ns();

	return queue_tcp(sk, skb, now, 1);
}

/* Where all segments with data come by that are not simply the next ones: also those that will wait
 * out of order, and those that are dropped there, for want of room or as duplicates. A duplicate
 * has nothing that the socket has not had, and is not queued. */
SEC("fentry/tcp_data_queue")
int BPF_PROG(socket_tcp_slow, struct sock *sk, struct sk_buff *skb)
{
	u64 now = bpf_ktime_get_ns();
	struct tcp_skb_cb *control = (void *)skb->cb;
	u32 end = BPF_CORE_READ(control, end_seq);

	if ((s32)(end - BPF_CORE_READ((struct tcp_sock *)sk, rcv_nxt)) <= 0)
		return 0;
	return queue_tcp(sk, skb, now, 0);
}

/* The end of waking those who wait for a TCP socket's bytes. */
SEC("fexit/tcp_data_ready")
int BPF_PROG(socket_tcp_done, struct sock *sk)
{
	u32 id;
	struct rx_cpu *cpu = this_cpu(&id);

	if (cpu)
		cpu->waking.active = 0;
	return 0;
}

/* Ping sockets. Raw ones get copies, whose skbs are others. */
SEC("fentry/__sock_queue_rcv_skb")
int BPF_PROG(socket_other, struct sock *sk, struct sk_buff *skb)
{
	u64 now = bpf_ktime_get_ns();

	return stamp(skb, now, RX_LATER_SOCKET);
}

SEC("tp_btf/sched_waking")
int BPF_PROG(socket_woken, struct task_struct___rx *task)
{
	u64 now = bpf_ktime_get_ns();
	u32 id;
	struct rx_cpu *cpu = this_cpu(&id);

	/* An interrupt may come in between and wake whom it likes; and where the backlog is worked
	 * off in a task, so may a softirq or another task. PREEMPT_RT wakes more. */
	if (!cpu || !cpu->waking.active || in_hardirq() ||
	    cpu->waking.in_softirq != (serving_softirq() != 0) ||
	    cpu->waking.task != bpf_get_current_pid_tgid() || woken_by_rt(task))
		return 0;
	u32 side = cpu->waking.side;
	struct rx_woken *record = later_begin(cpu, id, side, sizeof(*record));

	if (!record)
		return 0;
	fill_stage(&record->stage, RX_LATER_WOKEN, sizeof(*record), cpu->waking.packet, now,
		   cpu->waking.check);
	record->tid = task->pid;
	bpf_probe_read_kernel(record->name, sizeof(record->name), &task->comm);
	later_end(cpu, side, sizeof(*record));
	return 0;
}

/* A datagram that was copied; a negative length: looked at with MSG_PEEK. One of no bytes has no
 * sign, but whoever peeks holds a reference beside the queue's. */
SEC("fentry/skb_consume_udp")
int BPF_PROG(read_udp, struct sock *sk, struct sk_buff *skb, int len)
{
	u64 now = bpf_ktime_get_ns();

	if (len < 0 || (!len && skb->users.refs.counter > 1))
		return 0;
	u32 side = side_of();
	struct rx_cpu *cpu;
	struct rx_read *record =
	    later_about(&cpu, side, skb, 1, now, RX_LATER_READ, sizeof(*record));

	if (!record)
		return 0;
	u64 task = bpf_get_current_pid_tgid();

	record->pid = task >> 32;
	record->tid = task;
	record->bytes = len;
	bpf_get_current_comm(record->name, sizeof(record->name));
	later_end(cpu, side, sizeof(*record));
	return 0;
}

static __always_inline int stream(struct sock *sk, u64 now, u32 what)
{
	u32 id;
	struct rx_cpu *cpu = this_cpu(&id);

	if (!cpu || look_up(&sockets, address_of(cpu, sk), what == RX_STREAM_CLOSED) == NO_PACKET)
		return 0;
	struct rx_stream *record = later_begin(cpu, id, 1, sizeof(*record));

	if (!record)
		return 0;
	u64 task = bpf_get_current_pid_tgid();

	record->kind = RX_STREAM;
	record->what = what;
	record->size = sizeof(*record);
	record->copied = BPF_CORE_READ((struct tcp_sock *)sk, copied_seq);
	record->time = now;
	record->sock = (u64)sk;
	record->pid = task >> 32;
	record->tid = task;
	bpf_get_current_comm(record->name, sizeof(record->name));
	later_end(cpu, 1, sizeof(*record));
	return 0;
}

/* Fires behind each chunk that tcp_recvmsg_locked (or splice, or a zero-copy read) took, with
 * copied_seq moved already; not moved by MSG_PEEK. */
SEC("tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(read_tcp, struct sock *sk)
{
	u64 now = bpf_ktime_get_ns();

	return stream(sk, now, RX_STREAM_READ);
}

SEC("fentry/tcp_close")
int BPF_PROG(close_tcp, struct sock *sk)
{
	u64 now = bpf_ktime_get_ns();

	return stream(sk, now, RX_STREAM_CLOSED);
}

/* A connection that nobody accepted. */
SEC("fentry/inet_sock_destruct")
int BPF_PROG(close_unaccepted, struct sock *sk)
{
	u64 now = bpf_ktime_get_ns();

	return stream(sk, now, RX_STREAM_CLOSED);
}

/* Without functions to hook: established TCP takes the segment, softirq or backlog. */
SEC("tp_btf/tcp_probe")
int BPF_PROG(transport_probe, struct sock *sk, struct sk_buff *skb)
{
	u64 now = bpf_ktime_get_ns();
	u32 id;
	struct rx_cpu *cpu = this_cpu(&id);

	if (!cpu)
		return 0;
	u64 packet = find(cpu, skb);

	cpu->waking.sock = 0;
	if (packet == NO_PACKET)
		return 0;
	u32 check = check_of(cpu, skb);

	stamp_packet(cpu, id, 1, RX_LATER_TRANSPORT, packet, now, check);
	cpu->waking.packet = packet;
	cpu->waking.check = check;
	cpu->waking.sock = address_of(cpu, sk);
	return 0;
}

/* It has queued the segment that it took last on this CPU, if that was this socket's. */
SEC("tp_btf/sk_data_ready")
int BPF_PROG(socket_ready, struct sock *sk)
{
	u64 now = bpf_ktime_get_ns();
	u32 id;
	struct rx_cpu *cpu = this_cpu(&id);

	if (!cpu || !cpu->waking.sock || cpu->waking.sock != address_of(cpu, sk))
		return 0;
	u64 sock = cpu->waking.sock;

	cpu->waking.sock = 0;
	if (enter(&sockets, sock, cpu->waking.packet) != NO_PACKET)
		cpu->loss.sockets_evicted++;
	struct rx_queued *record = later_begin(cpu, id, 1, sizeof(*record));

	if (!record)
		return 0;
	fill_stage(&record->stage, RX_LATER_TCP_SOCKET, sizeof(*record), cpu->waking.packet, now,
		   cpu->waking.check);
	record->sock = sock;
	later_end(cpu, 1, sizeof(*record));
	return 0;
}
