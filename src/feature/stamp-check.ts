/** The NIC's own timestamps: which frames it can stamp, how well its clock is known, and what turns it on. */
import { known, unknown } from '../base/answer.js';
import { spanText } from '../base/time.js';
import { StampSwitch, stampingOf } from '../nic/hardware-stamps.js';
import type { Nic } from '../nic/nic.js';
import { FILTER_ALL, FILTER_NONE, filterFrames, filterName } from '../nic/rx-filters.js';
import { PtpClock } from '../sys/ptp.js';
import type { Finding, NicTexts, StampFacts } from './finding.js';

/** Readings for one measurement: what the kernel gives at most in one call. */
const READINGS = 25;
/** Between the two measurements that tell its rate. */
const APART_MS = 50;
/** The most that a clock may gain or lose; a trace takes more for a clock that was set (record/hardware-clock.ts). */
const MOST_DRIFT_PPM = 1000;

/** How well a clock can be read, and its rate against ours. */
async function measure(clock: PtpClock): Promise<StampFacts['clock']> {
  const { method } = clock;
  const first = clock.crossTimestamp(READINGS);
  await new Promise((resolve) => setTimeout(resolve, APART_MS));
  const last = clock.crossTimestamp(READINGS);
  if (first === undefined || last === undefined) return unknown('it did not answer');
  const [theirs, ours] = [Number(last.nic - first.nic), Number(last.mono - first.mono)];
  return known({ method, error: Math.max(first.error, last.error), drift: (theirs / ours - 1) * 1e6 });
}

/** Asks the NIC; its clock is read, nothing is changed. */
export async function stampFacts(nic: Nic): Promise<StampFacts> {
  const stamping = nic.driver === undefined ? unknown('it is no NIC') : stampingOf(nic.name);
  const leftover = new StampSwitch().leftovers().find(({ iface }) => iface === nic.name);
  if (!stamping.known) return { stamping, clock: stamping, leftover };
  const clock = PtpClock.open(stamping.value.phc);
  if (!clock.known) return { stamping, clock, leftover };
  try {
    return { stamping, clock: await measure(clock.value), leftover };
  } finally {
    clock.value.close();
  }
}

function setting({ stamping, leftover }: StampFacts): string {
  if (!stamping.known || !stamping.value.current.known) return 'its setting is not told';
  const { rxFilter } = stamping.value.current.value;
  const by = leftover === undefined ? '' : ', left by a run of rxstamp that was killed';
  return rxFilter === FILTER_NONE ? 'off now' : `now at ${filterName(rxFilter)}${by}`;
}

/** What can be stamped, and how. */
export function hardwareStamps(nic: Nic, { stamps }: NicTexts): Finding | readonly Finding[] {
  const { stamping, clock, leftover } = stamps;
  if (!stamping.known) {
    return { level: 'ok', found: `none (${stamping.why}): software stamps are the earliest there are` };
  }
  const { widest, phc, current } = stamping.value;
  const all = widest === FILTER_ALL;
  const frames = `${filterFrames(widest)}${all ? '' : ' only'}, ${setting(stamps)}`;
  const device = `clock /dev/ptp${phc}`;
  const found = clock.known
    ? `${frames}; ${device} known to ±${spanText(clock.value.error)} (${clock.value.method})`
    : `${frames}; ${clock.why}`;
  const who = all
    ? 'every packet can be stamped at the wire'
    : 'ordinary packets get no stamp: the interrupt is their earliest';
  const before = current.known ? filterName(current.value.rxFilter) : 'what it is';
  const change = `--hw-timestamps changes the NIC's filter from ${before} to ${filterName(widest)} for the time of a trace`;
  const off = current.known && current.value.rxFilter === FILTER_NONE && clock.known;
  if (clock.known && Math.abs(clock.value.drift) > MOST_DRIFT_PPM) {
    const share = (clock.value.drift / 1e4).toFixed(1);
    return {
      level: 'note',
      found: `${frames}; ${device} does not keep time: its rate differs from ours by ${share} %`,
      effect: 'its stamps cannot be converted, and are not shown',
    };
  }
  const finding: Finding = { level: 'ok', found, effect: off ? `${who}; ${change}` : who };
  if (leftover === undefined) return finding;
  return {
    ...finding,
    level: 'note',
    effect: `${who}; a killed run has left the filter at ${leftover.to}, it was ${leftover.from}`,
    cure: `rxstamp trace ${nic.name} --duration 1ms   (every trace first puts back what killed ones left)`,
  };
}
