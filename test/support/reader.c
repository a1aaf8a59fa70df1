// SPDX-License-Identifier: MIT
/* Reads from sockets and tells who read what: one line `TID COMM SEQUENCE BYTES` per datagram, one
 * `TID COMM total BYTES READS` per TCP connection, printed at the end. `ready` once it listens.
 *
 *   udp PORT THREADS COUNT        as many SO_REUSEPORT sockets as threads; ends after COUNT datagrams
 *   connected PORT PEER PEERPORT COUNT
 *   peek PORT COUNT               every datagram is looked at with MSG_PEEK before it is read
 *   hold PORT MS RCVBUF           bound, never read; closed after MS. RCVBUF 0: as it is
 *   tcp PORT CHUNK COUNT          accepts one connection, reads COUNT bytes (0: to its end) by CHUNK
 *   tcphold PORT MS               accepts one, reads nothing, closes after MS
 *   unaccepted PORT MS            listens, accepts nothing, closes after MS
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST 200000

struct seen {
	int tid;
	int thread;
	long sequence;
	int bytes;
};

static struct seen seen[MOST];
static int count, wanted, port;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static int bound(int type)
{
	int fd = socket(AF_INET6, type, 0), on = 1, off = 0;
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	if (fd < 0)
		fail("socket");
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (type == SOCK_DGRAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)))
		fail("bind");
	return fd;
}

static void ready(void)
{
	puts("ready");
	fflush(stdout);
}

static void note(int thread, const char *data, int bytes)
{
	int at = __sync_fetch_and_add(&count, 1);
	char digits[9] = "";

	if (at >= MOST)
		return;
	if (bytes >= 14)
		memcpy(digits, data + 6, 8);
	seen[at] = (struct seen){gettid(), thread, digits[0] ? atol(digits) : -1, bytes};
}

static int sockets[64];

static void *serve(void *argument)
{
	int thread = (long)argument;
	char data[65536], name[16];

	snprintf(name, sizeof(name), "reader-%d", thread);
	prctl(PR_SET_NAME, name);
	while (count < wanted) {
		struct pollfd look = {.fd = sockets[thread], .events = POLLIN};

		/* Half of them sleep in recv, half in poll. */
		if (thread & 1 && poll(&look, 1, 200) <= 0)
			continue;
		int bytes = recv(sockets[thread], data, sizeof(data), 0);

		if (bytes >= 0)
			note(thread, data, bytes);
	}
	return NULL;
}

static void print(void)
{
	for (int i = 0; i < count && i < MOST; i++)
		printf("%d reader-%d %ld %d\n", seen[i].tid, seen[i].thread, seen[i].sequence,
		       seen[i].bytes);
}

static void udp(int threads)
{
	pthread_t all[64];
	struct timeval limit = {.tv_usec = 200000};

	for (long i = 0; i < threads; i++) {
		sockets[i] = bound(SOCK_DGRAM);
		setsockopt(sockets[i], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	}
	for (long i = 0; i < threads; i++)
		if (pthread_create(&all[i], NULL, serve, (void *)i))
			fail("pthread_create");
	ready();
	for (int i = 0; i < threads; i++)
		pthread_join(all[i], NULL);
	print();
}

static void tcp(int chunk, long most)
{
	int listener = bound(SOCK_STREAM);
	char *data = malloc(chunk);
	long total = 0;
	int reads = 0, bytes;

	if (listen(listener, 5))
		fail("listen");
	ready();
	int fd = accept(listener, NULL, NULL);

	while ((most == 0 || total < most) && (bytes = recv(fd, data, chunk, 0)) > 0) {
		total += bytes;
		reads++;
	}
	printf("%d reader-0 total %ld %d\n", gettid(), total, reads);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 2 ? argv[1] : "";
	int number = argc > 3 ? atoi(argv[3]) : 0;

	prctl(PR_SET_NAME, "reader-0");
	port = argc > 2 ? atoi(argv[2]) : 0;
	if (!strcmp(mode, "udp") && argc == 5) {
		wanted = atoi(argv[4]);
		udp(number);
	} else if (!strcmp(mode, "connected") && argc == 6) {
		struct sockaddr_in6 peer = {.sin6_family = AF_INET6,
					    .sin6_port = htons(atoi(argv[4]))};

		wanted = atoi(argv[5]);
		sockets[0] = bound(SOCK_DGRAM);
		inet_pton(AF_INET6, argv[3], &peer.sin6_addr);
		if (connect(sockets[0], (struct sockaddr *)&peer, sizeof(peer)))
			fail("connect");
		ready();
		serve(0);
		print();
	} else if (!strcmp(mode, "peek") && argc == 4) {
		char data[2048];

		sockets[0] = bound(SOCK_DGRAM);
		ready();
		for (int i = 0; i < number; i++) {
			recv(sockets[0], data, sizeof(data), MSG_PEEK);
			note(0, data, recv(sockets[0], data, sizeof(data), 0));
		}
		print();
	} else if (!strcmp(mode, "hold") && argc == 5) {
		int fd = bound(SOCK_DGRAM), bytes = atoi(argv[4]);

		if (bytes)
			setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
		ready();
		usleep(number * 1000);
	} else if (!strcmp(mode, "tcp") && argc == 5) {
		tcp(number, atol(argv[4]));
	} else if (!strcmp(mode, "tcphold") && argc == 4) {
		int listener = bound(SOCK_STREAM);

		listen(listener, 5);
		ready();
		int fd = accept(listener, NULL, NULL);

		usleep(number * 1000);
		close(fd);
	} else if (!strcmp(mode, "unaccepted") && argc == 4) {
		listen(bound(SOCK_STREAM), 5);
		ready();
		usleep(number * 1000);
	} else {
		fputs("usage: see the first lines of reader.c\n", stderr);
		return 2;
	}
	return 0;
}
