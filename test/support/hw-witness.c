// SPDX-License-Identifier: MIT
/*
 * An independent look at hardware receive timestamps, by the kernel's documented interfaces.
 *   hw-witness filter IFACE          prints the rx_filter and tx_type as the driver tells them
 *   hw-witness filter IFACE N        sets rx_filter N first
 *   hw-witness listen                prints "SEQUENCE HW-NS SW-NS" for each PTP frame over Ethernet
 *   hw-witness clock DEVICE          prints "MONO-NS PHC-NS MONO-NS", read one behind the other
 *   hw-witness step DEVICE NS        sets the clock ahead
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

static long long ns(struct timespec time)
{
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static int fail(const char *what)
{
	perror(what);
	return 1;
}

static int filter(const char *iface, const char *wanted)
{
	struct hwtstamp_config config = {0};
	struct ifreq request = {.ifr_data = (void *)&config};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	strncpy(request.ifr_name, iface, IFNAMSIZ - 1);
	if (wanted) {
		config.rx_filter = atoi(wanted);
		if (ioctl(fd, SIOCSHWTSTAMP, &request) < 0)
			return fail("SIOCSHWTSTAMP");
	}
	if (ioctl(fd, SIOCGHWTSTAMP, &request) < 0)
		return fail("SIOCGHWTSTAMP");
	printf("%d %d\n", config.rx_filter, config.tx_type);
	return 0;
}

static int listen_for_frames(void)
{
	int flags = SOF_TIMESTAMPING_RX_HARDWARE | SOF_TIMESTAMPING_RAW_HARDWARE |
		    SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
	int fd = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_1588));

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof(flags)) < 0)
		return fail("SO_TIMESTAMPING");
	setlinebuf(stdout);
	puts("ready");
	for (;;) {
		unsigned char frame[256], control[512];
		struct iovec data = {frame, sizeof(frame)};
		struct msghdr message = {.msg_iov = &data,
					 .msg_iovlen = 1,
					 .msg_control = control,
					 .msg_controllen = sizeof(control)};
		struct timespec stamps[3] = {0};

		/* A receiver gets ENETDOWN when the interface goes down, and may go on. */
		if (recvmsg(fd, &message, 0) < 0) {
			if (errno == ENETDOWN || errno == EINTR)
				continue;
			return fail("recvmsg");
		}
		for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); part;
		     part = CMSG_NXTHDR(&message, part))
			if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_TIMESTAMPING)
				memcpy(stamps, CMSG_DATA(part), sizeof(stamps));
		printf("%d %lld %lld\n", frame[30] << 8 | frame[31], ns(stamps[2]), ns(stamps[0]));
	}
}

/* FD_TO_CLOCKID of clock_gettime(2). */
static clockid_t clock_of(int fd)
{
	return (~(clockid_t)fd << 3) | 3;
}

static int clock_reading(const char *device)
{
	struct timespec before, phc, after;
	long long best[3] = {0};
	int fd = open(device, O_RDONLY);

	if (fd < 0)
		return fail(device);
	for (int i = 0; i < 20; i++) {
		if (clock_gettime(CLOCK_MONOTONIC, &before) || clock_gettime(clock_of(fd), &phc) ||
		    clock_gettime(CLOCK_MONOTONIC, &after))
			return fail(device);
		if (i == 0 || ns(after) - ns(before) < best[2] - best[0]) {
			best[0] = ns(before);
			best[1] = ns(phc);
			best[2] = ns(after);
		}
	}
	printf("%lld %lld %lld\n", best[0], best[1], best[2]);
	return 0;
}

/* In one call: between reading the clock and setting it, this process may have to wait. */
static int clock_step(const char *device, long long step)
{
	struct timex change = {.modes = ADJ_SETOFFSET | ADJ_NANO};
	int fd = open(device, O_RDWR);

	change.time.tv_sec = step / 1000000000;
	change.time.tv_usec = step % 1000000000;
	return fd < 0 || clock_adjtime(clock_of(fd), &change) < 0 ? fail(device) : 0;
}

int main(int count, char **words)
{
	if (count >= 3 && !strcmp(words[1], "filter"))
		return filter(words[2], words[3]);
	if (count == 2 && !strcmp(words[1], "listen"))
		return listen_for_frames();
	if (count == 3 && !strcmp(words[1], "clock"))
		return clock_reading(words[2]);
	if (count == 4 && !strcmp(words[1], "step"))
		return clock_step(words[2], atoll(words[3]));
	fputs("usage: see the head of hw-witness.c\n", stderr);
	return 2;
}
