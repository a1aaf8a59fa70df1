// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * The load of the counted bench: frames that a guest's NIC loops back to itself.
 *
 * `loop IFACE ROUNDS BURST EVERY` sends BURST frames in one go, ROUNDS times, and takes the time
 * stamp counter around each send and the reads of what came of it. Under -icount that counter is
 * the number of instructions, and a send returns when its frames have come back through interrupt,
 * softirq and stack into a socket: each difference is the cost of the whole way to the reader, with
 * no idle time in it.
 *
 * `loop spin ROUNDS` does the same around a plain loop of half a timer tick: what a tracer costs
 * interrupts that are none of its business.
 *
 * How: the emulated NIC (82576) is told to loop its transmitter to its receiver (RCTL.LBM, what its
 * self-test uses), through its registers in sysfs; needs iomem=relaxed. The interrupt of its
 * transmit queue is masked meanwhile, so that every device interrupt is a receive interrupt; every
 * EVERY rounds, between two of them, it is let through to clean up what was sent. Interrupt
 * throttling is off, also the one microsecond that the driver leaves: QEMU raises a frame's
 * interrupt twice, and the second would come alone. So: a burst, one interrupt, one poll.
 *
 * Prints JSON: the counter's differences, and what the kernel counted meanwhile.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <x86intrin.h>

#define PAYLOAD 64
#define HEADERS (14 + 20 + 8)
#define PORT 9999
#define MOST_ROUNDS 100000
#define MOST_BURST 16
#define WARM_UP 40
#define SPIN 1000000
#define CLEAN_SPIN 10000
#define MOST_EVERY 64 /* a burst takes up to two of 4096 descriptors per frame */

/* Registers of the 82576 (igb). */
#define RCTL 0x0100
#define RCTL_LOOPBACK (1 << 6)
#define EIMS 0x1524
#define EIMC 0x1528
#define EITR(vector) (0x1680 + 4 * (vector))

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4 /* Linux 6.2 */
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

static uint64_t took[MOST_ROUNDS];

static void fail(const char *doing)
{
	fprintf(stderr, "loop: %s: %s\n", doing, strerror(errno));
	exit(1);
}

/* Device interrupts and received packets, as the kernel counts them. */
struct counts {
	long long rx_irqs, tx_irqs, ticks, packets;
};

static struct counts read_counts(const char *iface)
{
	struct counts counts = {0};
	char line[512], name[64];
	FILE *file = fopen("/proc/interrupts", "r");

	if (!file)
		fail("reading /proc/interrupts");
	while (fgets(line, sizeof(line), file)) {
		long long count = 0;
		char *colon = strchr(line, ':');

		if (!colon)
			continue;
		count = atoll(colon + 1);
		snprintf(name, sizeof(name), "%s-rx", iface);
		if (strstr(line, name))
			counts.rx_irqs += count;
		snprintf(name, sizeof(name), "%s-tx", iface);
		if (strstr(line, name))
			counts.tx_irqs += count;
		if (strstr(line, "Local timer"))
			counts.ticks += count;
	}
	fclose(file);
	snprintf(line, sizeof(line), "/sys/class/net/%s/statistics/rx_packets", iface);
	file = fopen(line, "r");
	if (file) {
		if (fscanf(file, "%lld", &counts.packets) != 1)
			counts.packets = -1;
		fclose(file);
	}
	return counts;
}

static volatile uint32_t *map_registers(const char *iface)
{
	char path[128];
	void *registers;
	int fd;

	snprintf(path, sizeof(path), "/sys/class/net/%s/device/resource0", iface);
	fd = open(path, O_RDWR | O_SYNC);
	if (fd < 0)
		fail(path);
	registers = mmap(NULL, 0x20000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (registers == MAP_FAILED)
		fail("mapping the NIC's registers (boot with iomem=relaxed)");
	return registers;
}

/* The MSI-X vector of the transmit queue is the last one of the interface: other, rx, tx. */
static uint32_t tx_vector(const char *iface)
{
	char line[512], name[64];
	uint32_t vector = 0;
	int found = 0;
	FILE *file = fopen("/proc/interrupts", "r");

	while (file && fgets(line, sizeof(line), file)) {
		snprintf(name, sizeof(name), "%s-tx-0", iface);
		if (strstr(line, name))
			found = 1;
		else if (strstr(line, iface) && !found)
			vector++;
	}
	if (file)
		fclose(file);
	if (!found) {
		fprintf(stderr, "loop: %s has no transmit interrupt of its own\n", iface);
		exit(1);
	}
	return 1u << vector;
}

/* The socket that the frames are for; with room for many bursts. */
static int receiver(void)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	int most = 8 << 20, fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &most, sizeof(most)) ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any)))
		fail("opening the receiving socket");
	return fd;
}

/* Reads what has come: a send returns when its frames are queued, so there is nothing to wait for.
 */
static int take(int fd)
{
	static uint8_t datagram[2048];
	int taken = 0;

	while (recv(fd, datagram, sizeof(datagram), MSG_DONTWAIT) >= 0)
		taken++;
	if (errno != EAGAIN && errno != EWOULDBLOCK)
		fail("receiving");
	return taken;
}

static uint16_t ip_checksum(const uint8_t *head)
{
	uint32_t sum = 0;

	for (int i = 0; i < 20; i += 2)
		sum += head[i] << 8 | head[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* virtio_net_hdr + Ethernet + IPv4 + UDP + payload, from a peer to us. UDP without a checksum but
 * for bursts: there the kernel's segmentation fills it in. */
static size_t build(uint8_t *out, const char *iface, int burst)
{
	struct virtio_net_hdr *hint = (void *)out;
	uint8_t *eth = out + sizeof(*hint), *ip = eth + 14, *udp = ip + 20;
	size_t bytes = (size_t)PAYLOAD * burst;
	struct ifreq request = {0};
	struct in_addr address;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	snprintf(request.ifr_name, IFNAMSIZ, "%s", iface);
	if (ioctl(fd, SIOCGIFHWADDR, &request))
		fail("reading the hardware address");
	memcpy(eth, request.ifr_hwaddr.sa_data, 6);
	memcpy(eth + 6, "\x52\x54\x00\x77\x00\x02\x08\x00", 8);
	if (ioctl(fd, SIOCGIFADDR, &request))
		fail("reading the address");
	close(fd);
	address = ((struct sockaddr_in *)&request.ifr_addr)->sin_addr;
	memcpy(ip, "\x45\0\0\0\0\0\x40\0\x40\x11\0\0", 12);
	ip[2] = (28 + bytes) >> 8;
	ip[3] = (28 + bytes) & 0xff;
	memcpy(ip + 16, &address, 4);
	memcpy(ip + 12, &address, 4);
	ip[15] += 1; /* the peer: the next address */
	uint16_t sum = ip_checksum(ip);

	ip[10] = sum >> 8;
	ip[11] = sum & 0xff;
	udp[0] = 0x04;
	udp[2] = PORT >> 8;
	udp[3] = PORT & 0xff;
	udp[4] = (8 + bytes) >> 8;
	udp[5] = (8 + bytes) & 0xff;
	if (burst > 1) {
		/* What a stack leaves for later: the sum over the pseudo header. */
		uint32_t pseudo = 17 + 8 + bytes;

		for (int i = 12; i < 20; i += 2)
			pseudo += ip[i] << 8 | ip[i + 1];
		while (pseudo >> 16)
			pseudo = (pseudo & 0xffff) + (pseudo >> 16);
		udp[6] = pseudo >> 8;
		udp[7] = pseudo & 0xff;
		hint->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		hint->csum_start = 34;
		hint->csum_offset = 6;
		hint->gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
		hint->gso_size = PAYLOAD;
		hint->hdr_len = HEADERS;
	}
	return sizeof(*hint) + HEADERS + bytes;
}

static int packet_socket(const char *iface)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = if_nametoindex(iface)};
	/* Frames count against the buffer until they are cleaned up: a full one would wait for
	 * ever. */
	int one = 1, most = 64 << 20, fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &most, sizeof(most)) ||
	    bind(fd, (struct sockaddr *)&to, sizeof(to)))
		fail("opening a packet socket");
	return fd;
}

/* Lets the transmit interrupt clean up what was sent, then masks it again. */
static void clean(volatile uint32_t *registers, uint32_t tx)
{
	registers[EIMS / 4] = tx;
	for (int i = 0; i < CLEAN_SPIN; i++)
		__asm__ volatile("");
	registers[EIMC / 4] = tx;
}

static void print(int rounds, long long taken, struct counts before, struct counts after)
{
	printf("{\"rxIrqs\":%lld,\"txIrqs\":%lld,\"ticks\":%lld,\"packets\":%lld,\"read\":%lld,"
	       "\"took\":[",
	       after.rx_irqs - before.rx_irqs, after.tx_irqs - before.tx_irqs,
	       after.ticks - before.ticks, after.packets - before.packets, taken);
	for (int i = 0; i < rounds; i++)
		printf("%s%llu", i ? "," : "", (unsigned long long)took[i]);
	printf("]}\n");
}

static int spin(int rounds)
{
	struct counts before = read_counts("none");

	for (int round = 0; round < rounds; round++) {
		uint64_t from = __rdtsc();

		for (int i = 0; i < SPIN; i++)
			__asm__ volatile("");
		took[round] = __rdtsc() - from;
	}
	print(rounds, 0, before, read_counts("none"));
	return 0;
}

int main(int argc, char **argv)
{
	static uint8_t frame[sizeof(struct virtio_net_hdr) + HEADERS + PAYLOAD * MOST_BURST];
	int rounds = argc > 2 ? atoi(argv[2]) : 0;

	if (rounds < 1 || rounds > MOST_ROUNDS) {
		fprintf(stderr, "usage: loop IFACE ROUNDS BURST EVERY | loop spin ROUNDS\n");
		return 2;
	}
	/* Page faults are not what is counted. */
	memset(took, 0xff, sizeof(took));
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		fail("locking memory");
	if (!strcmp(argv[1], "spin"))
		return spin(rounds);
	const char *iface = argv[1];
	int burst = argc > 3 ? atoi(argv[3]) : 1;

	int every = argc > 4 ? atoi(argv[4]) : 1;

	if (burst < 1 || burst > MOST_BURST || every < 1 || every > MOST_EVERY)
		return 2;
	volatile uint32_t *registers = map_registers(iface);
	uint32_t tx = tx_vector(iface);
	size_t bytes = build(frame, iface, burst);
	int fd = packet_socket(iface);
	int from_peer = receiver();
	long long taken = 0;

	registers[RCTL / 4] |= RCTL_LOOPBACK;
	for (int vector = 0; vector < 3; vector++)
		registers[EITR(vector) / 4] = 0;
	registers[EIMC / 4] = tx;
	struct counts before = {0};

	for (int round = -WARM_UP; round < rounds; round++) {
		if (round % every == 0)
			clean(registers, tx);
		if (round == 0)
			before = read_counts(iface);
		uint64_t from = __rdtsc();
		ssize_t done = write(fd, frame, bytes);
		int read = take(from_peer);
		uint64_t to = __rdtsc();

		if (done != (ssize_t)bytes)
			fail("sending");
		if (round >= 0) {
			took[round] = to - from;
			taken += read;
		}
	}
	struct counts after = read_counts(iface);

	registers[RCTL / 4] &= ~RCTL_LOOPBACK;
	registers[EIMS / 4] = tx;
	print(rounds, taken, before, after);
	return 0;
}
