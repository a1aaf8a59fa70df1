/*
 * The guest's half of a clock comparison: reads the keyboard controller's status port, which QEMU
 * traces with the host's time and which changes nothing, between two readings of CLOCK_MONOTONIC.
 *
 * clock-probe GAP_MS BURST: a burst of readings every GAP_MS until SIGTERM. Prints `ready` at the
 * start, and at the end a line `BEFORE AFTER` in nanoseconds per reading, in order. Exit 1: no
 * permission for the port, or no room.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/io.h>
#include <time.h>

#define STATUS_PORT 0x64
#define ROOM 2000000

static volatile sig_atomic_t over;

static void stop(int signal)
{
	(void)signal;
	over = 1;
}

static long long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(int argc, char **argv)
{
	const int gap = argc > 1 ? atoi(argv[1]) : 20;
	const int burst = argc > 2 ? atoi(argv[2]) : 4;
	const struct timespec nap = {gap / 1000, gap % 1000 * 1000000L};
	static long long times[ROOM][2];
	int count = 0;

	if (ioperm(STATUS_PORT, 1, 1) != 0) {
		perror("ioperm");
		return 1;
	}
	signal(SIGTERM, stop);
	signal(SIGINT, stop);
	puts("ready");
	fflush(stdout);
	while (!over) {
		for (int i = 0; i < burst && count < ROOM; i++, count++) {
			times[count][0] = now();
			inb(STATUS_PORT);
			times[count][1] = now();
		}
		if (count >= ROOM) {
			fputs("no room for more readings\n", stderr);
			return 1;
		}
		nanosleep(&nap, NULL);
	}
	for (int i = 0; i < count; i++)
		printf("%lld %lld\n", times[i][0], times[i][1]);
	return 0;
}
