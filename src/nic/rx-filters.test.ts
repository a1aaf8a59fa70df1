import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  FILTER_ALL,
  FILTER_NONE,
  covers,
  filterFrames,
  filterName,
  filtersOf,
  widestFilter,
} from './rx-filters.js';

const mask = (...filters: readonly number[]): number => filters.reduce((sum, one) => sum + 2 ** one, 0);

/** The names of the kernel's header, in order, where it is installed. */
function kernelNames(): string[] {
  const text = readFileSync('/usr/include/linux/net_tstamp.h', 'utf8');
  const body = /enum hwtstamp_rx_filters \{([^}]*)\}/.exec(text)?.[1] ?? '';
  return [...body.matchAll(/^\s*HWTSTAMP_FILTER_(\w+),/gm)].map(([, name = '']) => name);
}

describe('receive filters', () => {
  it('have the numbers of the kernel’s header', () => {
    const ours = kernelNames().map((_, number) => filterName(number));
    expect(ours).toEqual(
      kernelNames().map((name) =>
        name
          .toLowerCase()
          .replaceAll('_', '-')
          .replace(/^ptp-v/, 'ptpv'),
      ),
    );
    expect(ours.length).toBeGreaterThanOrEqual(16);
  });

  it('are named by number where this version does not know them', () => {
    expect(filterName(31)).toBe('filter 31');
    expect(filterFrames(31)).toBe('frames of filter 31');
    expect(covers(31, 12)).toBe(false);
    expect(covers(31, 31)).toBe(true);
    expect(covers(FILTER_ALL, 31)).toBe(true);
  });

  it('cover what they stamp for certain', () => {
    const names = kernelNames();
    const number = (name: string): number => names.indexOf(name);
    const event = number('PTP_V2_EVENT');
    for (const name of names.filter((one) => one.startsWith('PTP_V2'))) {
      expect(covers(event, number(name)), name).toBe(true);
      expect(covers(number(name), event), name).toBe(name === 'PTP_V2_EVENT');
    }
    expect(covers(event, number('PTP_V1_L4_SYNC'))).toBe(false);
    expect(covers(number('PTP_V2_SYNC'), number('PTP_V2_L2_SYNC'))).toBe(true);
    expect(covers(number('PTP_V2_L4_EVENT'), number('PTP_V2_L2_SYNC'))).toBe(false);
    expect(names.every((_, one) => covers(FILTER_ALL, one) && covers(one, FILTER_NONE) === (one !== 2))).toBe(
      true,
    );
    // "Some more than asked for": nobody knows which.
    expect(covers(number('SOME'), event)).toBe(false);
  });

  it.each([
    ['igb 82576', mask(0, 4, 5, 12), 'ptpv2-event'],
    ['i40e', mask(0, 6, 7, 8, 9, 10, 11, 12, 13, 14), 'ptpv2-event'],
    ['one that stamps all', mask(0, 1), 'all'],
    ['all and single ones', mask(0, 1, 12, 15), 'all'],
    ['old PTP only', mask(0, 4), 'ptpv1-l4-sync'],
  ])('of %s: the widest', (_, offered, name) => {
    expect(filterName(widestFilter(offered) ?? 0)).toBe(name);
  });

  it('are none where the driver offers none', () => {
    expect(widestFilter(mask(0))).toBeUndefined();
    expect(widestFilter(0)).toBeUndefined();
    expect(filtersOf(mask(0, 1, 12, 31))).toEqual([1, 12, 31]);
  });
});
