import { describe, expect, it } from 'vitest';
import { RxError } from '../base/errors.js';
import { type Flow, PROTOCOL_NAMES, WITH_PORTS, flowText } from '../packet/flow.js';
import { parseExactFlow } from './exact-flow.js';
import { matches } from './flow-spec.js';

const PROTOCOLS = [...Object.keys(PROTOCOL_NAMES).map(Number), 4, 103, 255];

/** A flow of each protocol as it is read from a packet. */
function flowOf(protocol: number, family: 'IPv4' | 'IPv6', more: Partial<Flow> = {}): Flow {
  const v4 = family === 'IPv4';
  return {
    ethertype: v4 ? 0x0800 : 0x86dd,
    family,
    protocol,
    source: v4 ? '10.0.0.2' : 'fd77::2',
    destination: v4 ? '10.0.0.1' : 'fd77::1',
    ...(WITH_PORTS.has(protocol) ? { sourcePort: 1000, destinationPort: 9999 } : {}),
    ...(protocol === 1 || protocol === 58 ? { icmp: [8, 0] as const } : {}),
    ...more,
  };
}

function refusal(text: string): string {
  try {
    parseExactFlow(text);
  } catch (error) {
    return error instanceof RxError ? error.toLine() : String(error);
  }
  return 'nothing was thrown';
}

describe('a flow as trace prints it', () => {
  it.each(
    PROTOCOLS.flatMap((protocol) => (['IPv4', 'IPv6'] as const).map((family) => [protocol, family] as const)),
  )('is read back: protocol %i, %s', (protocol, family) => {
    for (const more of [{}, { vlan: 5 }]) {
      const flow = flowOf(protocol, family, more);
      const spec = parseExactFlow(flowText(flow));
      expect(matches(spec, flow)).toBe(true);
      expect(spec).toMatchObject({ protocol, family: family === 'IPv4' ? 4 : 6, ...more });
      expect(matches(spec, { ...flow, protocol: 200 })).toBe(false);
    }
  });

  it('is refused with the reason where it names no flow', () => {
    const fragment = flowText({ ...flowOf(89, 'IPv4'), protocol: 17, fragment: true });
    expect(fragment).toBe('10.0.0.2 → 10.0.0.1 UDP fragment');
    expect(refusal(fragment)).toMatch(/^RXS_FLOW: .*a fragment has no ports.*hint: write it like/);
    for (const flow of [
      { ethertype: 0x88cc },
      { ethertype: 0x0800, family: 'IPv4' as const, truncated: true },
      {
        ethertype: 0x0806,
        family: 'ARP' as const,
        source: '10.0.0.2',
        destination: '10.0.0.1',
        operation: 1,
      },
    ]) {
      expect(refusal(flowText(flow))).toMatch(/^RXS_FLOW: .*not one flow\. hint: /);
    }
  });

  it.each(['10.0.0.2 → 10.0.0.1 proto 256', '10.0.0.2 → 10.0.0.1 proto', 'udp 10.0.0.2:1 > 10.0.0.1:2 UDP'])(
    '%j is refused',
    (text) => {
      expect(refusal(text)).toMatch(/^RXS_FLOW: .*(is no protocol|not one flow)/);
    },
  );
});
