/** Default routes in /proc/net/route and /proc/net/ipv6_route. */
import { HOST, type KernelFiles } from './files.js';

/** A default route. */
export interface DefaultRoute {
  readonly iface: string;
  readonly metric: number;
  readonly family: 4 | 6;
}

/** RTF_UP and RTF_REJECT of include/uapi/linux/route.h; a reject route names lo. */
const UP = 0x1;
const REJECT = 0x200;

/** All usable default routes, IPv4 before IPv6, lowest metric first within a family. */
export function defaultRoutes(files: KernelFiles = HOST): DefaultRoute[] {
  const byMetric = (a: DefaultRoute, b: DefaultRoute): number => a.metric - b.metric;
  const four = parseRoute(files.text('/proc/net/route') ?? '').sort(byMetric);
  const six = parseIpv6Route(files.text('/proc/net/ipv6_route') ?? '').sort(byMetric);
  return [...four, ...six];
}

function usable(flags: number): boolean {
  return (flags & UP) !== 0 && (flags & REJECT) === 0;
}

function parseRoute(text: string): DefaultRoute[] {
  return text
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((w) => w[1] === '00000000' && w[7] === '00000000' && usable(Number.parseInt(w[3] ?? '0', 16)))
    .map((w) => ({ iface: w[0] ?? '', metric: Number(w[6]), family: 4 }));
}

function parseIpv6Route(text: string): DefaultRoute[] {
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((w) => /^0+$/.test(w[0] ?? '') && w[1] === '00' && usable(Number.parseInt(w[8] ?? '0', 16)))
    .filter((w) => w[9] !== 'lo')
    .map((w) => ({ iface: w[9] ?? '', metric: Number.parseInt(w[5] ?? '0', 16), family: 6 }));
}
