/**
 * One suite for every method of the registry, on real interrupts of an igb with two queues. In one boot per kernel a
 * script in the guest (in-guest/main.ts) runs them one after the other and tells what it found; here it is judged. A method
 * that is added to the registry is judged without a change here, unless a kernel cannot have it.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Guest } from '../../../lab/guest.js';
import { buildPrintk } from '../../../lab/methods/run.js';
import { METHODS } from '../../../src/method/index.js';
import type { Method } from '../../../src/method/method.js';
import type { MethodName } from '../../../src/method/names.js';
import { PACKET_LOSS } from '../../../src/record/loss.js';
import { type Conformance, type Pace, runInTurn } from './in-turn.js';
import {
  BUSY,
  type Bounds,
  FLOOD,
  FRAMES,
  type Heard,
  type InterruptsHeard,
  LOOKS,
  type MethodResult,
  type PacketsHeard,
  type Tried,
} from './in-guest/results.js';

/** What a kernel cannot have, with the gist of the reason that the method gives. Everything else must be possible. */
const IMPOSSIBLE: Readonly<Record<string, Readonly<Partial<Record<MethodName, string>>>>> = {
  '6.1': { fprobe: 'no fprobe events (CONFIG_FPROBE_EVENTS)' },
};

const KERNELS = ['6.12', '6.1', '7'];
const ALL: readonly Method[] = await Promise.all(Object.values(METHODS).map((load) => load()));

/** Frames are sent by timers of a machine that has other things to do, and the emulated NIC delays some. */
const TIME_PART = 0.25;
/** Those whose count of losses is of others' events too, and may be too great; and why. */
const OVERCOUNTS: Readonly<Partial<Record<MethodName, string>>> = {
  printk: 'records of the log are missing, whoever wrote them',
};
/** Starting all methods, one after the other, takes most of it. */
const PATIENCE_MS = 600_000;
/** At either end of a trace an interrupt may have been seen in part. */
const EDGES = 2;

/** The session, or its failure as the test's. */
function had<Result extends Heard>(session: Tried<Result> | undefined): Result {
  if (session === undefined) throw new Error('there was no such session');
  if ('error' in session) throw new Error(session.error);
  return session;
}

const sum = (numbers: Readonly<Record<string, number>>): number =>
  Object.values(numbers).reduce((total, one) => total + one, 0);

/** Events that one interrupt is told by: an entry and an exit are two. */
function eventsEach({ raw, seen }: InterruptsHeard): number {
  return Math.round(raw / sum(seen));
}

/** Whether the method tells the line of every interrupt. */
const toldAll = ({ seen }: InterruptsHeard): boolean => seen['-1'] === undefined;

describe.each(KERNELS)('every method on %s', (kernel) => {
  const guest = new Guest({ kernel, nic: 'igb,queues=2', cpus: 2 });
  let found: Conformance;

  beforeAll(async () => {
    const module = await buildPrintk(kernel);
    await guest.boot();
    found = await runInTurn(guest, module);
  }, PATIENCE_MS);
  afterAll(() => guest.close());

  const of = (name: MethodName): MethodResult => {
    const result = found.methods.get(name);
    if (result === undefined) throw new Error('the script told nothing of it');
    return result;
  };

  describe.each(ALL)('$name', ({ name, tells, filters }) => {
    const gist = IMPOSSIBLE[kernel]?.[name];
    if (gist !== undefined) {
      it(`is left out: ${gist}`, () => {
        expect(of(name).impossible).toContain(gist);
      });
      return;
    }

    const [onInterrupts, onPackets] = [tells !== 'packets', tells !== 'interrupts'];
    const interrupts = (key: 'both' | 'one'): InterruptsHeard => had(of(name)[key]);
    const packets = (key: 'packets' | 'flood'): PacketsHeard => had(of(name)[key]);
    const sessions = (): readonly Heard[] => [
      ...(onInterrupts ? [interrupts('both'), interrupts('one')] : []),
      ...(onPackets ? [packets('packets'), packets('flood')] : []),
    ];
    const pace = ({ traffic }: Heard): Pace => found.sent[traffic] as Pace;
    const near = (time: number, expected: number): void =>
      expect(Math.abs(time - expected) / expected, `${time} ns, sent ${expected}`).toBeLessThan(TIME_PART);

    it('is possible', () => {
      expect(of(name).impossible).toBeUndefined();
    });

    it('tells times of CLOCK_MONOTONIC', () => {
      for (const { outside } of sessions()) expect(outside).toBe(0);
    });

    it('gives records in the order of each CPU, and stages in the order of the ladder', () => {
      for (const { disorder } of sessions()) expect(disorder).toEqual([]);
    });

    it('leaves nothing in the kernel and holds nothing open', () => {
      for (const { left } of sessions()) expect(left).toEqual([]);
    });

    if (onInterrupts) {
      it('sees every interrupt that the kernel counts', () => {
        const heard = interrupts('both');
        for (const [irq, { least, most }] of Object.entries(heard.counted)) {
          expect(least, `IRQ ${irq} was busy`).toBeGreaterThan(BUSY);
          if (!toldAll(heard)) continue;
          expect(heard.within[irq]).toBeGreaterThanOrEqual(least);
          expect(heard.seen[irq]).toBeLessThanOrEqual(most);
        }
        const least = Object.values(heard.counted).reduce((total, one) => total + one.least, 0);
        expect(sum(heard.within)).toBeGreaterThanOrEqual(least);
        expect(sum(heard.seen)).toBeLessThanOrEqual(heard.all.most);
        expect(heard.lost).toEqual({});
      });

      it('stamps interrupts when the kernel counts them', () => {
        const heard = interrupts('both');
        expect(heard.parts).toHaveLength(LOOKS - 1);
        for (const { counted, within, inside } of heard.parts) {
          for (const [irq, count] of Object.entries(counted)) {
            expect(count, `IRQ ${irq} was busy`).toBeGreaterThan(BUSY);
            if (toldAll(heard)) expect(within[irq]).toBeGreaterThanOrEqual(count);
            expect(inside[irq] ?? 0).toBeLessThanOrEqual(count);
          }
          expect(sum(within)).toBeGreaterThanOrEqual(sum(counted));
        }
      });

      it('of two busy queues tells only the interrupts of the one that is asked for', () => {
        const heard = interrupts('one');
        const irq = found.irqs[1];
        const { least, most } = heard.counted[irq] as Bounds;
        expect(heard.all.least - least, 'the other queue was busy too').toBeGreaterThan(BUSY);
        // One that cannot filter by line may have interrupts of which it says that it does not know the line.
        const allowed = [String(irq), ...(filters.irq === undefined ? ['-1'] : [])];
        expect(Object.keys(heard.seen).filter((key) => !allowed.includes(key))).toEqual([]);
        // What has left the kernel or was lost on the way: each event of this line, and none of the other one.
        const each = eventsEach(interrupts('both'));
        const events = heard.raw + sum(heard.lost);
        expect(events).toBeGreaterThanOrEqual(each * least - EDGES);
        if (OVERCOUNTS[name] !== undefined) return;
        const came = filters.irq === undefined ? heard.all.most : most;
        expect(events).toBeLessThanOrEqual(each * came + EDGES);
      });

      it('counts the interrupts that its buffer has no room for', () => {
        const heard = interrupts('one');
        const { least } = heard.counted[found.irqs[1]] as Bounds;
        const seen = sum(heard.seen);
        expect(seen, 'too many for its buffer').toBeLessThan(
          filters.irq === undefined ? heard.all.least : least,
        );
        // Nothing was read before the stop.
        expect(seen).toBeGreaterThan(0);
        expect(seen + sum(heard.lost)).toBeGreaterThanOrEqual(least);
      });
    }

    if (onPackets) {
      it('sees every packet, in its queue where it can filter by that', () => {
        const heard = packets('packets');
        const queues = filters.queue === undefined ? { '-1': FRAMES } : { 0: FRAMES / 2, 1: FRAMES / 2 };
        expect([heard.seen, heard.lost]).toEqual([queues, {}]);
      });

      it('stamps packets as far apart as frames were sent', () => {
        const heard = packets('packets');
        const gaps = Object.values(heard.gap);
        for (const gap of gaps) near(gap, pace(heard).gap / (gaps.length > 1 ? 1 : 2));
      });

      it('of two busy queues tells only the packets of the one that is asked for, and counts those without room', () => {
        const heard = packets('flood');
        const [queue, came] = filters.queue === undefined ? ['-1', FLOOD] : ['1', FLOOD / 2];
        expect(Object.keys(heard.seen)).toEqual([queue]);
        const seen = sum(heard.seen);
        const missing = came - seen;
        expect(missing, 'too many for its buffer').toBeGreaterThan(0);
        // Nothing was read before the stop.
        expect(seen).toBeGreaterThan(0);
        const { events_lost: events = 0, ...others } = heard.lost;
        const whole = PACKET_LOSS.reduce((total, cause) => total + (others[cause] ?? 0), 0);
        // Packets are counted one by one, or events, of which a packet and its poll have several.
        if (events === 0) expect(whole).toBe(missing);
        else expect(whole + events).toBeGreaterThanOrEqual(missing);
      });
    }
  });

  it('what a killed run of all of them left is gone when another has begun', () => {
    const { methods, left, cleaner, after } = found.killed;
    const possible = [...found.methods.values()].filter(({ impossible }) => impossible === undefined);
    expect(methods).toEqual(possible.map(({ method }) => method).filter((method) => method !== 'printk'));
    expect(left.length).toBeGreaterThan(0);
    expect(cleaner).toBeDefined();
    expect(after).toEqual([]);
  });
});
