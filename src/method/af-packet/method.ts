/**
 * What tcpdump gets: a packet socket with the kernel's stamp. It is taken when __netif_receive_skb_core hands the packet
 * to the taps (tpacket_rcv), behind the interrupt, the softirq, the driver, GRO and RPS; a little before that
 * (net_timestamp_check in netif_receive_skb) while any socket of the machine has asked for stamps. How late that is, is
 * what this method is for: rxstamp compare puts it beside the others.
 *
 * With `--hw-timestamps` the NIC's stamps are read beside: a ring gives one or the other, so packets then come by recvmmsg
 * with SO_TIMESTAMPING, and the kernel's stamp is the one of netif_receive_skb, which that asks for.
 */
import { RxError } from '../../base/errors.js';
import { interfaceFacts, linkTypeOf } from '../../sys/interfaces.js';
import { compileFilter } from '../../sys/libpcap.js';
import { packetSocketRefused } from '../../sys/packet-socket/socket.js';
import type { Listening, Method, MethodRequest } from '../method.js';
import { tried } from '../possible.js';
import { incomingFilter } from './filter.js';
import { PacketSource } from './source.js';

/** The filter of an interface. @throws RxError RXS_FILTER */
function filterFor({ name }: Listening, expression: string | undefined): Uint8Array {
  if (expression === undefined) return incomingFilter(undefined);
  const compiled = compileFilter(expression, {
    link: linkTypeOf(name) ?? 'ethernet',
    device: name,
    live: true,
  });
  if (compiled.ok) return incomingFilter(compiled.instructions);
  throw new RxError('RXS_FILTER', {
    doing: `compiling the filter expression for ${name}`,
    subject: JSON.stringify(expression),
    why: `libpcap: ${compiled.error}`,
    hint: 'see pcap-filter(7)',
  });
}

function obstacle({ interfaces }: MethodRequest): string | undefined {
  const refused = packetSocketRefused();
  if (refused !== undefined) return `packet sockets are refused: ${refused}`;
  const down = interfaces.find(({ name }) => interfaceFacts(name)?.up !== true);
  return down === undefined ? undefined : `${down.name} is down`;
}

/** Packet sockets. */
export const afPacket: Method = {
  name: 'af_packet',
  sentence: 'a packet socket with a receive ring and the kernel’s stamp: what tcpdump gets',
  tells: 'packets',
  last: 'stack',
  readsHardware: true,
  filters: {
    cpu: 'a socket per CPU (PACKET_FANOUT_CPU), by the CPU that handles the packet behind RPS',
    interface: 'the socket is bound to it',
    expression: 'a pcap-filter expression as classic BPF on the socket',
  },
  needs: { privileges: 'CAP_NET_RAW', kernel: 'CONFIG_PACKET', since: '4.11' },
  loss: 'counted by the kernel per socket (PACKET_STATISTICS): packets that found no room in the ring',
  possible: (request) => tried(() => obstacle(request)),
  start(request) {
    const filters = request.interfaces.map((one) => filterFor(one, request.filter?.expression));
    return Promise.resolve(new PacketSource(request, filters));
  },
};
