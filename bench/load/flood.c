// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * flood ADDRESS PORT COUNT BYTES CPU GAP_US
 *     Sends COUNT UDP datagrams of BYTES bytes from CPU; as fast as that core can with GAP_US 0,
 *     else one every GAP_US microseconds. Prints {"sent":N,"failed":N,"elapsedNs":N}.
 * flood hold PORT
 *     Holds a UDP socket that nobody reads: its buffer fills with the first datagrams and the
 *     kernel drops the others there. Every packet takes the whole path up to the socket and no
 *     receiving program can be the bottleneck. Ends when its standard input closes.
 *
 * The load generator of bench/native; the interface it floods is one end of a veth pair.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64
#define MOST_BYTES 1400

static void fail(const char *doing)
{
	fprintf(stderr, "flood: %s: %s\n", doing, strerror(errno));
	exit(1);
}

static long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int hold(int port)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
	int least = 1, fd = socket(AF_INET, SOCK_DGRAM, 0);
	char byte;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof(least)))
		fail("opening a socket");
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)))
		fail("binding the port");
	printf("ready\n");
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	return 0;
}

static int connected(const char *address, int port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || inet_pton(AF_INET, address, &to.sin_addr) != 1)
		fail("opening a socket");
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		fail("connecting");
	return fd;
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		fail("pinning to the CPU");
}

static void wait_until(long long due)
{
	struct timespec at = {.tv_sec = due / 1000000000, .tv_nsec = due % 1000000000};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
		;
}

int main(int argc, char **argv)
{
	static char payload[MOST_BYTES];
	static struct mmsghdr messages[BATCH];
	struct iovec data = {.iov_base = payload};
	long long sent = 0, failed = 0;

	if (argc == 3 && !strcmp(argv[1], "hold"))
		return hold(atoi(argv[2]));
	if (argc != 7) {
		fprintf(stderr,
			"usage: flood ADDRESS PORT COUNT BYTES CPU GAP_US | flood hold PORT\n");
		return 2;
	}
	long long count = atoll(argv[3]), gap = atoll(argv[6]) * 1000;
	int fd = connected(argv[1], atoi(argv[2]));

	data.iov_len = atoi(argv[4]) < MOST_BYTES ? atoi(argv[4]) : MOST_BYTES;
	pin(atoi(argv[5]));
	for (int i = 0; i < BATCH; i++) {
		messages[i].msg_hdr.msg_iov = &data;
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	long long start = now_ns();

	while (sent + failed < count) {
		long long left = count - sent - failed;
		int want = gap ? 1 : left < BATCH ? (int)left : BATCH;
		int done = sendmmsg(fd, messages, want, 0);

		if (gap)
			wait_until(start + (sent + failed + 1) * gap);
		if (done > 0)
			sent += done;
		else
			failed++; /* counted, never repeated: the bench compares with the interface
				   */
	}
	printf("{\"sent\":%lld,\"failed\":%lld,\"elapsedNs\":%lld}\n", sent, failed,
	       now_ns() - start);
	return 0;
}
