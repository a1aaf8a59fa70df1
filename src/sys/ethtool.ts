/** What `ethtool` and `ip` print about an interface, parsed. Pure; the programs are run by programs.ts. */

/** `rx-usecs: 3` and `Adaptive RX: on  TX: off` of `ethtool -c`. null = the driver does not say. */
export interface Coalescing {
  readonly rxUsecs: number | null;
  readonly rxFrames: number | null;
  readonly adaptiveRx: boolean | null;
  /** Longest moderation in adaptive mode, where the driver says. */
  readonly rxUsecsHigh: number | null;
}

/** Parses `ethtool -c`. */
export function parseCoalescing(text: string): Coalescing {
  const number = (label: string): number | null => {
    const match = new RegExp(`^${label}:\\s+(\\d+)`, 'm').exec(text);
    return match === null ? null : Number(match[1]);
  };
  const adaptive = /^Adaptive RX: (on|off)/m.exec(text)?.[1];
  return {
    rxUsecs: number('rx-usecs'),
    rxFrames: number('rx-frames'),
    adaptiveRx: adaptive === undefined ? null : adaptive === 'on',
    rxUsecsHigh: number('rx-usecs-high'),
  };
}

/** A feature of `ethtool -k`. */
export interface Offload {
  readonly on: boolean;
  readonly fixed: boolean;
}

/** Parses `ethtool -k`: feature name -> state. */
export function parseOffloads(text: string): ReadonlyMap<string, Offload> {
  const found = text.matchAll(/^\s*([\w-]+): (on|off)(.*)$/gm);
  return new Map(
    [...found].map(([, name = '', state, rest = '']) => [
      name,
      { on: state === 'on', fixed: rest.includes('fixed') },
    ]),
  );
}

/** Ids of the XDP programs on an interface, from `ip -json link show`; undefined when the text is not that. */
export function parseXdp(text: string): readonly number[] | undefined {
  try {
    const [link]: unknown[] = JSON.parse(text);
    if (typeof link !== 'object' || link === null) return undefined;
    const ids = [...JSON.stringify('xdp' in link ? link.xdp : {}).matchAll(/"id":(\d+)/g)];
    return [...new Set(ids.map(([, id]) => Number(id)))];
  } catch {
    return undefined;
  }
}
