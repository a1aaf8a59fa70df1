// SPDX-License-Identifier: MIT
/* Reads UDP datagrams with busy polling: `busy-reader PORT MICROSECONDS COUNT`. Says ready, and how many there were once
 * it has so many, or twenty seconds go by without one. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>

#ifndef SO_BUSY_POLL
#define SO_BUSY_POLL 46
#endif

int main(int argc, char **argv)
{
	int port = atoi(argv[1]), microseconds = atoi(argv[2]), most = atoi(argv[3]), count = 0;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct timeval quiet = {.tv_sec = 20};
	char buffer[2048];

	(void)argc;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    setsockopt(fd, SOL_SOCKET, SO_BUSY_POLL, &microseconds, sizeof(microseconds))) {
		perror("busy-reader");
		return 1;
	}
	puts("ready");
	fflush(stdout);
	while (count < most) {
		if (count == 1)
			setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &quiet, sizeof(quiet));
		if (recv(fd, buffer, sizeof(buffer), 0) < 0)
			break;
		count++;
	}
	printf("read %d\n", count);
	return 0;
}
