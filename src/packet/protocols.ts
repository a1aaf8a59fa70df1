/** Numbers in packet headers that more than one reader of them knows. */

/** IP protocols. */
export const TCP = 6;
export const UDP = 17;
/** IPv6 headers before the transport's: hop-by-hop, routing, destination options, mobility. Length in their second byte. */
export const EXTENSION_HEADERS: ReadonlySet<number> = new Set([0, 43, 60, 135]);
/** IPv6: the packet is part of a fragmented one. */
export const FRAGMENT_HEADER = 44;
/** Ethertypes behind which a VLAN tag and another ethertype follow: 802.1Q, 802.1ad. */
export const VLAN_TAGS: ReadonlySet<number> = new Set([0x8100, 0x88a8]);
