/** The receive filters of hardware timestamping (enum hwtstamp_rx_filters): which frames each stamps. Pure. */

/** Kinds of frames that filters tell apart. */
const PTP1 = ['v1-l4-sync', 'v1-l4-delay-req'] as const;
const PTP2_L4 = ['v2-l4-sync', 'v2-l4-delay-req', 'v2-l4-event'] as const;
const PTP2_L2 = ['v2-l2-sync', 'v2-l2-delay-req', 'v2-l2-event'] as const;

interface RxFilter {
  /** As `ethtool -T` prints it. */
  readonly name: string;
  /** Which frames, as part of a sentence. */
  readonly frames: string;
  /** Kinds of frames; undefined: the kernel does not say which. */
  readonly kinds: readonly string[] | undefined;
}

const only = (pattern: RegExp): string[] => [...PTP2_L4, ...PTP2_L2].filter((kind) => pattern.test(kind));

/** By number. */
const FILTERS: readonly RxFilter[] = [
  { name: 'none', frames: 'no frames', kinds: [] },
  {
    name: 'all',
    frames: 'all frames',
    kinds: ['other', 'ntp', 'v1-l4-event', ...PTP1, ...PTP2_L4, ...PTP2_L2],
  },
  { name: 'some', frames: 'some frames (the driver does not say which)', kinds: undefined },
  { name: 'ptpv1-l4-event', frames: 'PTPv1 event frames over UDP', kinds: ['v1-l4-event', ...PTP1] },
  { name: 'ptpv1-l4-sync', frames: 'PTPv1 Sync over UDP', kinds: ['v1-l4-sync'] },
  { name: 'ptpv1-l4-delay-req', frames: 'PTPv1 Delay_Req over UDP', kinds: ['v1-l4-delay-req'] },
  { name: 'ptpv2-l4-event', frames: 'PTPv2 event frames over UDP', kinds: PTP2_L4 },
  { name: 'ptpv2-l4-sync', frames: 'PTPv2 Sync over UDP', kinds: ['v2-l4-sync'] },
  { name: 'ptpv2-l4-delay-req', frames: 'PTPv2 Delay_Req over UDP', kinds: ['v2-l4-delay-req'] },
  { name: 'ptpv2-l2-event', frames: 'PTPv2 event frames over Ethernet', kinds: PTP2_L2 },
  { name: 'ptpv2-l2-sync', frames: 'PTPv2 Sync over Ethernet', kinds: ['v2-l2-sync'] },
  { name: 'ptpv2-l2-delay-req', frames: 'PTPv2 Delay_Req over Ethernet', kinds: ['v2-l2-delay-req'] },
  { name: 'ptpv2-event', frames: 'PTPv2 event frames', kinds: [...PTP2_L4, ...PTP2_L2] },
  { name: 'ptpv2-sync', frames: 'PTPv2 Sync', kinds: only(/sync$/) },
  { name: 'ptpv2-delay-req', frames: 'PTPv2 Delay_Req', kinds: only(/delay-req$/) },
  { name: 'ntp-all', frames: 'NTP', kinds: ['ntp'] },
];

/** Number of the filter that stamps nothing. */
export const FILTER_NONE = 0;
/** Number of the filter that stamps everything. */
export const FILTER_ALL = 1;
const FILTER_SOME = 2;

/** `ptpv2-event`, as ethtool names filter `number`. */
export function filterName(number: number): string {
  return FILTERS[number]?.name ?? `filter ${number}`;
}

/** Which frames filter `number` stamps: `PTPv2 event frames`. */
export function filterFrames(number: number): string {
  return FILTERS[number]?.frames ?? `frames of filter ${number}`;
}

/** True when filter `wide` certainly stamps whatever `narrow` stamps. */
export function covers(wide: number, narrow: number): boolean {
  if (wide === narrow) return true;
  const [more, less] = [FILTERS[wide]?.kinds, FILTERS[narrow]?.kinds];
  if (more === undefined) return false;
  return wide === FILTER_ALL || (less?.every((kind) => more.includes(kind)) ?? false);
}

/** Numbers of the filters in a bit mask, without `none`. */
export function filtersOf(mask: number): number[] {
  return Array.from({ length: 32 }, (_, number) => number).filter(
    (number) => number !== FILTER_NONE && (mask >>> number) % 2 === 1,
  );
}

/** The filter of a bit mask that stamps the most kinds of frames; undefined: none does. */
export function widestFilter(mask: number): number | undefined {
  const size = (number: number): number => FILTERS[number]?.kinds?.length ?? 0;
  return filtersOf(mask)
    .filter((number) => number !== FILTER_SOME)
    .sort((a, b) => size(b) - size(a))[0];
}
