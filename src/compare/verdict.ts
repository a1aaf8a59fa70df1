/** The answer to the question, in words, from what was measured. Pure. */
import type { MethodName } from '../method/names.js';
import { spanText } from '../base/time.js';
import type { Cost } from './cost.js';
import type { CompareReport, MethodReport } from './report.js';

type Found = Omit<CompareReport, 'verdict'>;
type Together = NonNullable<MethodReport['together']>;
type Compared = MethodReport & {
  readonly together: Together & { readonly later: NonNullable<Together['later']> };
};

const compared = (methods: readonly MethodReport[]): Compared[] =>
  methods.filter((method): method is Compared => method.together?.later !== undefined);

const lostCount = (lost: Readonly<Record<string, number>>): number =>
  Object.values(lost).reduce((sum, count) => sum + count, 0);

/** Whether it saw every interrupt of the reference. */
const whole = ({ together }: Compared): boolean => together.missing === 0;

function companyText({ company, method }: MethodReport): string | undefined {
  if (company === undefined || company.interrupts === 0) return undefined;
  const missing = company.interrupts - company.seen;
  if (missing <= 0) return undefined;
  const counted = lostCount(company.lost);
  const part = ((100 * missing) / company.interrupts).toPrecision(2);
  const told =
    counted >= missing * 0.9
      ? `and counted ${counted}`
      : counted === 0
        ? 'and nothing counted them'
        : `and counted ${counted} of them`;
  return `${method} lost ${missing} of ${company.interrupts} (${part} %) ${told}`;
}

/** How the methods fared beside a slow kprobe program. */
function companySentence(methods: readonly MethodReport[], noCompany: string | undefined): string[] {
  const with_ = methods.filter(({ company }) => company !== undefined && company.interrupts > 0);
  if (with_.length === 0)
    return noCompany === undefined ? [] : [`Not tried beside a slow kprobe program: ${noCompany}.`];
  const bad = with_.map(companyText).filter((text) => text !== undefined);
  const good = with_.filter((method) => companyText(method) === undefined).map(({ method }) => method);
  const parts = [];
  if (good.length > 0) parts.push(`${good.join(', ')} still saw every interrupt`);
  if (bad.length > 0) parts.push(bad.join('; '));
  return [`Beside another tool's slow kprobe program on the same CPU: ${parts.join('; ')}.`];
}

/**
 * The kernel skips their kprobes while another kprobe, or a program on one, runs on the CPU (kprobe_running in
 * kernel/kprobes.c, bpf_prog_active in kernel/trace/bpf_trace.c): without a run in company nothing speaks for them.
 */
const SKIPPED_BESIDE_OTHERS: readonly MethodName[] = ['ebpf-kprobe', 'kprobe', 'printk'];

/** Whether nothing says that it loses interrupts beside other tools. */
const soundInCompany = (one: MethodReport): boolean =>
  one.company === undefined || one.company.interrupts === 0
    ? !SKIPPED_BESIDE_OTHERS.includes(one.method)
    : companyText(one) === undefined;

/** The method to use: it sees every interrupt, loses none beside others, and of those is the earliest. */
export function bestMethod(methods: readonly MethodReport[]): MethodName | undefined {
  const sound = compared(methods).filter(
    (one) => whole(one) && lostCount(one.together.lost) === 0 && soundInCompany(one),
  );
  return sound.sort((a, b) => a.together.later.median - b.together.later.median)[0]?.method;
}

function bestSentence(methods: readonly MethodReport[], best: MethodName): string {
  const all = compared(methods);
  const one = all.find(({ method }) => method === best) as Compared;
  const others = all.filter(({ method }) => method !== best);
  const { median } = one.together.later;
  const earlier = others.filter(({ together }) => together.later.median < median);
  const place =
    earlier.length === 0
      ? 'it stamps the earliest'
      : `only ${earlier.map(({ method }) => method).join(', ')} stamp${earlier.length === 1 ? 's' : ''} earlier, and ${earlier.length === 1 ? 'misses' : 'miss'} interrupts, here or beside other tools`;
  return `Use ${best}: it saw each of ${one.together.matched} interrupts, and ${place} (${one.stage}: ${one.hook}).`;
}

function laterSentence(methods: readonly MethodReport[], best: MethodName): string | undefined {
  const others = compared(methods)
    .filter(({ method }) => method !== best)
    .sort((a, b) => a.together.later.median - b.together.later.median)
    .map(({ method, together }) => `${method} ${spanText(together.later.median)}`);
  return others.length === 0 ? undefined : `Behind the earliest stamp, median: ${others.join(', ')}.`;
}

/** True where a cost stands out of what stretches without any method differ by. */
export function isMeasured({ perInterrupt, noise }: Cost): boolean {
  return perInterrupt.median > noise;
}

function costSentence(methods: readonly MethodReport[]): string | undefined {
  const measured = methods
    .filter(({ cost }) => cost !== undefined)
    .map(({ method, cost }) => ({ method, cost: cost as NonNullable<MethodReport['cost']> }));
  if (measured.length === 0) return undefined;
  const sorted = measured.sort((a, b) => a.cost.perInterrupt.median - b.cost.perInterrupt.median);
  const below = sorted.filter(({ cost }) => !isMeasured(cost)).map(({ method }) => method);
  const above = sorted.filter(({ cost }) => isMeasured(cost));
  const texts = above.map(({ method, cost }) => `${method} ${spanText(cost.perInterrupt.median)}`);
  const noise = Math.max(...sorted.map(({ cost }) => cost.noise));
  const parts = [];
  if (texts.length > 0) parts.push(`CPU time per interrupt, cheapest first: ${texts.join(', ')}.`);
  if (below.length > 0)
    parts.push(
      `The cost of ${below.join(', ')} was not measurable in this run: stretches without any method differ by ${spanText(noise)} per interrupt.`,
    );
  return parts.join(' ');
}

function filterSentence(methods: readonly MethodReport[]): string | undefined {
  const can = methods.filter(
    ({ impossible, filters }) => impossible === undefined && filters['irq'] !== undefined,
  );
  if (can.length === 0) return undefined;
  return `By IRQ number in the kernel: ${can.map(({ method, filters }) => `${method} (${filters['irq']})`).join('; ')}.`;
}

/** Sentences, the most important first. */
export function verdictOf(found: Found): string[] {
  const { methods } = found;
  const best = bestMethod(methods);
  const sentences: (string | undefined)[] = [];
  if (compared(methods).length === 0) {
    if (found.packets.some(({ packets }) => packets > 0))
      sentences.push('The interface has no interrupts: methods are compared by the packets that they saw.');
    else
      sentences.push(
        `No ${found.packets.length === 0 ? 'interrupt' : 'packet'} came while the methods listened: there is nothing to compare. Traffic must come in, or --load make it.`,
      );
  } else if (best === undefined) {
    sentences.push('No method saw every interrupt and lost none: the table says which missed what.');
  } else {
    sentences.push(bestSentence(methods, best), laterSentence(methods, best));
  }
  sentences.push(
    costSentence(methods),
    ...companySentence(methods, found.noCompany),
    filterSentence(methods),
  );
  const late = found.packets.find(({ method }) => method === 'af_packet');
  if (late?.afterDriver !== undefined) {
    const from = late.afterInterrupt;
    const irq =
      from === undefined ? '' : `, and ${spanText(from.median)} behind the interrupt that brought it`;
    sentences.push(
      `What tcpdump shows is ${spanText(late.afterDriver.median)} behind the driver's hand-over${irq} (medians).`,
    );
  }
  return sentences.filter((sentence) => sentence !== undefined);
}
