/* What the kernel's own header says about the structs of src/sys/nic-settings.ts and the rules of src/steer/rules.ts. */
#include <arpa/inet.h>
#include <linux/ethtool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define OFFSET(name, type, field) printf("\"" name "\":%zu,", offsetof(struct type, field))
#define SIZE(name, type) printf("\"" name "\":%zu,", sizeof(struct type))

static void rule(const char *name, const struct ethtool_rx_flow_spec *spec)
{
	const unsigned char *bytes = (const unsigned char *)spec;

	printf("\"%s\":\"", name);
	for (size_t i = 0; i < sizeof(*spec); i++)
		printf("%02x", bytes[i]);
	printf("\",");
}

int main(void)
{
	struct ethtool_rx_flow_spec spec;

	printf("{");
	OFFSET("rule.flowType", ethtool_rx_flow_spec, flow_type);
	OFFSET("rule.header", ethtool_rx_flow_spec, h_u);
	OFFSET("rule.extension", ethtool_rx_flow_spec, h_ext);
	OFFSET("rule.headerMask", ethtool_rx_flow_spec, m_u);
	OFFSET("rule.extensionMask", ethtool_rx_flow_spec, m_ext);
	OFFSET("rule.ringCookie", ethtool_rx_flow_spec, ring_cookie);
	OFFSET("rule.location", ethtool_rx_flow_spec, location);
	SIZE("rule.SIZE", ethtool_rx_flow_spec);
	OFFSET("rxnfc.flowType", ethtool_rxnfc, flow_type);
	OFFSET("rxnfc.data", ethtool_rxnfc, data);
	OFFSET("rxnfc.rule", ethtool_rxnfc, fs);
	OFFSET("rxnfc.ruleCount", ethtool_rxnfc, rule_cnt);
	OFFSET("rxnfc.locations", ethtool_rxnfc, rule_locs);
	SIZE("rxnfc.SIZE", ethtool_rxnfc);
	OFFSET("rxfh.context", ethtool_rxfh, rss_context);
	OFFSET("rxfh.tableSize", ethtool_rxfh, indir_size);
	OFFSET("rxfh.keySize", ethtool_rxfh, key_size);
	OFFSET("rxfh.hashFunction", ethtool_rxfh, hfunc);
	OFFSET("rxfh.config", ethtool_rxfh, rss_config);

	memset(&spec, 0, sizeof(spec));
	spec.flow_type = UDP_V4_FLOW;
	spec.h_u.udp_ip4_spec.pdst = htons(9999);
	spec.m_u.udp_ip4_spec.pdst = htons(0xffff);
	spec.ring_cookie = 1;
	spec.location = 1023;
	rule("ip and udp dst port 9999", &spec);

	memset(&spec, 0, sizeof(spec));
	spec.flow_type = TCP_V4_FLOW | FLOW_EXT;
	inet_pton(AF_INET, "10.0.0.2", &spec.h_u.tcp_ip4_spec.ip4src);
	memset(&spec.m_u.tcp_ip4_spec.ip4src, 0xff, 4);
	inet_pton(AF_INET, "10.1.0.0", &spec.h_u.tcp_ip4_spec.ip4dst);
	inet_pton(AF_INET, "255.255.0.0", &spec.m_u.tcp_ip4_spec.ip4dst);
	spec.h_u.tcp_ip4_spec.psrc = htons(1000);
	spec.m_u.tcp_ip4_spec.psrc = htons(0xffff);
	spec.h_ext.vlan_tci = htons(100);
	spec.m_ext.vlan_tci = htons(0x0fff);
	spec.ring_cookie = 3;
	spec.location = 7;
	rule("vlan 100 and tcp and src host 10.0.0.2 and dst net 10.1.0.0/16 and src port 1000",
	     &spec);

	memset(&spec, 0, sizeof(spec));
	spec.flow_type = UDP_V6_FLOW;
	inet_pton(AF_INET6, "fd77::1", &spec.h_u.udp_ip6_spec.ip6dst);
	memset(&spec.m_u.udp_ip6_spec.ip6dst, 0xff, 16);
	spec.h_u.udp_ip6_spec.psrc = htons(53);
	spec.m_u.udp_ip6_spec.psrc = htons(0xffff);
	spec.ring_cookie = 2;
	spec.location = 0;
	rule("udp and dst host fd77::1 and src port 53", &spec);

	memset(&spec, 0, sizeof(spec));
	spec.flow_type = IPV4_USER_FLOW;
	inet_pton(AF_INET, "192.0.2.9", &spec.h_u.usr_ip4_spec.ip4dst);
	memset(&spec.m_u.usr_ip4_spec.ip4dst, 0xff, 4);
	spec.h_u.usr_ip4_spec.ip_ver = ETH_RX_NFC_IP4;
	spec.h_u.usr_ip4_spec.proto = 47;
	spec.m_u.usr_ip4_spec.proto = 0xff;
	spec.ring_cookie = 1;
	spec.location = 5;
	rule("gre and dst host 192.0.2.9", &spec);

	memset(&spec, 0, sizeof(spec));
	spec.flow_type = IPV6_USER_FLOW;
	spec.h_u.usr_ip6_spec.l4_proto = 58;
	spec.m_u.usr_ip6_spec.l4_proto = 0xff;
	spec.ring_cookie = 1;
	spec.location = 6;
	rule("icmp6", &spec);

	memset(&spec, 0, sizeof(spec));
	spec.flow_type = ETHER_FLOW;
	spec.h_u.ether_spec.h_proto = htons(0x88f7);
	spec.m_u.ether_spec.h_proto = htons(0xffff);
	spec.ring_cookie = 1;
	spec.location = 9;
	rule("ether proto 0x88f7", &spec);
	printf("\"end\":0}\n");
	return 0;
}
