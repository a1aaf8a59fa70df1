/** Runs seeds of the model through the real Joiner and its rules, and holds what they say against the truth. */
import { type ArrivalFacts, HOW, HOW_NAMES, PacketCursor, RULE, RULES } from '../../src/packet/arrival.js';
import { Joiner } from '../../src/packet/join.js';
import { Lane } from '../../src/record/lane.js';
import type { RecordSource } from '../../src/record/source.js';
import { type MachinePlan, factsOf, planMachine } from './machine.js';
import { Random } from './random.js';
import type { TracerFault } from './tracer.js';
import type { Truth } from './parts.js';
import { World } from './world.js';

/** How the model is bent for a test. */
export interface Bend {
  /** Changes the machine. */
  readonly plan?: (plan: MachinePlan) => MachinePlan;
  /** Changes what the rules are told about it. */
  readonly facts?: (facts: ArrivalFacts) => ArrivalFacts;
  readonly fault?: TracerFault;
}

/** What came out for the packets of one rule. */
export interface RuleResult {
  packets: number;
  /** Its class was not the true one. */
  wrong: number;
  /** It arrived before its notBefore. */
  early: number;
  /** It arrived after its notAfter. */
  late: number;
  /** Its arrival, as shown, is before it really arrived. */
  ahead: number;
  /** notAfter - notBefore, where both are known, ns. */
  readonly widths: number[];
}

/** What came out of some seeds. */
export class Results {
  readonly rules: readonly RuleResult[] = RULES.map(() => ({
    packets: 0,
    wrong: 0,
    early: 0,
    late: 0,
    ahead: 0,
    widths: [],
  }));
  /** Packets that the Joiner gave. */
  packets = 0;
  /** notBefore went back from one packet of a queue to the next. */
  backwards = 0;
  /** The first few seeds with a violation, and what it was. */
  readonly examples: string[] = [];

  get violations(): number {
    return this.sum('early') + this.sum('late') + this.backwards;
  }

  sum(field: 'packets' | 'wrong' | 'early' | 'late', which: (rule: number) => boolean = () => true): number {
    return this.rules.reduce((sum, result, rule) => sum + (which(rule) ? result[field] : 0), 0);
  }

  /** Share of packets whose class is wrong, of all with a certain or a probable one. */
  wrongShare(certain: boolean): number {
    const which = (rule: number): boolean =>
      RULES[rule]!.certain === certain && RULES[rule]!.how !== HOW.unknown;
    return this.sum('wrong', which) / this.sum('packets', which);
  }

  example(text: string): void {
    if (this.examples.length < 10) this.examples.push(text);
  }
}

class ModelSource implements RecordSource {
  readonly base = 0n;
  readonly lanes: readonly Lane[];
  readonly ways: RecordSource['ways'] = [{ stage: 'driver', hook: 'model', reasons: [] }];
  readonly drainedTo = Number.POSITIVE_INFINITY;
  onLater: RecordSource['onLater'] = () => {};
  onInterrupt: RecordSource['onInterrupt'] = () => {};
  onLoss: RecordSource['onLoss'] = () => {};
  constructor(lanes: readonly Lane[]) {
    this.lanes = lanes;
  }
  drain(): number {
    return 0;
  }
  dropReasonName(): undefined {}
  stop(): void {}
  close(): void {}
}

/** Adds one seed to `results`. */
export function runSeed(seed: number, packets: number, results: Results, bend: Bend = {}): void {
  const random = new Random(seed);
  const chosen = planMachine(random);
  const plan = bend.plan?.(chosen) ?? chosen;
  const lanes = Array.from({ length: plan.cpus }, (_, cpu) => new Lane(cpu));
  const world = new World(plan, random, lanes, packets, bend.fault);
  world.run();
  const facts = factsOf(plan);
  const joiner = new Joiner(new ModelSource(lanes), 'driver', bend.facts?.(facts) ?? facts);
  const cursor = new PacketCursor();
  const lastNotBefore = new Map<number, number>();
  joiner.begin(true);
  while (joiner.next(cursor, true)) {
    results.packets++;
    check(cursor, world.truth, results, seed);
    if (Number.isNaN(cursor.notBefore)) continue;
    const napi = world.truth.napi[cursor.lane.packets.skb[cursor.row] as number] as number;
    if (cursor.notBefore < (lastNotBefore.get(napi) ?? 0)) {
      results.backwards++;
      results.example(
        `seed ${seed}: NAPI ${napi}: not before ${cursor.notBefore} behind ${lastNotBefore.get(napi)}`,
      );
    }
    lastNotBefore.set(napi, cursor.notBefore);
  }
  joiner.end();
}

function check(cursor: PacketCursor, truth: Truth, results: Results, seed: number): void {
  const { lane, row, rule } = cursor;
  const id = lane.packets.skb[row] as number;
  const arrival = truth.arrival[id] as number;
  const result = results.rules[rule] as RuleResult;
  result.packets++;
  const say = (what: string): void => {
    const poll = cursor.poll < 0 ? '' : ` k ${cursor.k}/${cursor.n}`;
    results.example(
      `seed ${seed}: packet ${id}${poll}: ${what} (${HOW_NAMES[cursor.how]}, rule ${rule}, [${cursor.notBefore}, ${cursor.notAfter}])`,
    );
  };
  if (cursor.how !== HOW.unknown && cursor.how !== truth.how[id]) {
    result.wrong++;
    if (cursor.certain) say(`is ${HOW_NAMES[truth.how[id] as number]}`);
  }
  if (arrival < cursor.notBefore) {
    result.early++;
    say(`arrived at ${arrival}, before`);
  }
  if (arrival > cursor.notAfter) {
    result.late++;
    say(`arrived at ${arrival}, after`);
  }
  if (arrival > cursor.arrival) result.ahead++;
  if (!Number.isNaN(cursor.notBefore)) result.widths.push(cursor.notAfter - cursor.notBefore);
}

/** Runs `seeds` seeds from `from` on, `packets` packets each. */
export function runSeeds(from: number, seeds: number, packets: number, bend: Bend = {}): Results {
  const results = new Results();
  for (let seed = from; seed < from + seeds; seed++) runSeed(seed, packets, results, bend);
  return results;
}

const microseconds = (ns: number): string => (Number.isNaN(ns) ? '-' : (ns / 1000).toFixed(1));

/** Mean and median of the widths, µs. */
function widthText(widths: readonly number[]): [string, string] {
  const sorted = Float64Array.from(widths).sort();
  const mean = sorted.reduce((sum, width) => sum + width, 0) / sorted.length;
  return [microseconds(mean), microseconds(sorted[sorted.length >> 1] ?? Number.NaN)];
}

/** One row per rule that occurred: how often, its class right, its bounds kept, its arrival not too early, and its width. */
export function tableOf(results: Results): string {
  const share = (part: number, of: number): string =>
    of === 0 ? '-' : `${((100 * part) / of).toFixed(2)} %`;
  const rows = results.rules.map((result, rule) => {
    const { how, certain } = RULES[rule]!;
    const [mean, median] = widthText(result.widths);
    const right = how === HOW.unknown ? '-' : share(result.packets - result.wrong, result.packets);
    return [
      HOW_NAMES[how],
      how === HOW.unknown ? '-' : certain ? 'certain' : 'probable',
      Object.keys(RULE)[rule] as string,
      String(result.packets),
      right,
      String(result.early + result.late),
      how === HOW.ownIrq ? share(result.packets - result.ahead, result.packets) : '-',
      mean,
      median,
    ];
  });
  const heading = [
    'how',
    'sure',
    'rule',
    'packets',
    'class right',
    'outside its bounds',
    'had arrived at its entry',
    'mean width µs',
    'median µs',
  ];
  const seen = rows.filter(([, , , packets]) => packets !== '0');
  return [heading, heading.map(() => '---'), ...seen].map((row) => `| ${row.join(' | ')} |`).join('\n');
}
