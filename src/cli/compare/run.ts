/** `rxstamp compare`: every method on the same interrupts, together and one after the other. */
import { EXIT, RxError } from '../../base/errors.js';
import { compareSightings } from '../../compare/match.js';
import type { CompareReport, MethodReport, PacketReport } from '../../compare/report.js';
import { compareText } from '../../compare/text.js';
import { verdictOf } from '../../compare/verdict.js';
import { METHODS } from '../../method/index.js';
import type { Method, MethodRequest } from '../../method/method.js';
import type { MethodName } from '../../method/names.js';
import { clearLeftovers } from '../../method/tracefs/door.js';
import { defaultRouteInterface, resolveNic } from '../../nic/resolve.js';
import { NO_FACTS } from '../../packet/arrival.js';
import { possibleCpuCount } from '../../sys/cpus.js';
import { endBy } from '../../sys/end.js';
import { idleTime } from '../../sys/idle-time.js';
import { kernelRelease } from '../../sys/kernel-config.js';
import { exitNow } from '../../sys/libc.js';
import { version } from '../../sys/package.js';
import { startLoad } from '../../sys/veth-load.js';
import { checkPrivileges } from '../trace/check.js';
import { askFacts } from '../trace/facts.js';
import { methodRequest } from '../trace/method.js';
import { readOptions } from '../trace/options.js';
import { type Target, resolveTarget } from '../trace/target.js';
import { type CompanyResult, keepCompany } from './company.js';
import { type Measured, measureCosts } from './cost.js';
import { type Heard, endInOrder, hearTogether, lostOf, stopped } from './listen.js';
import { type CompareOptions, readCompareOptions } from './options.js';
import { comparePackets } from './packets.js';

const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** Longest time that a made load has to last. */
const LOAD_MS = 600_000;
/** Enough to tell who loses some; on a quiet line as many as come in this time. */
const COMPANY_COUNT = 600;
const COMPANY_NS = 10_000_000_000;
/** Whoever stamps the end of the handler can be matched with exactly; in this order. */
const REFERENCES: readonly MethodName[] = ['ebpf', 'tracepoints', 'ebpf-kprobe', 'ftrace', 'perf'];

interface Candidates {
  /** Those that work here, and tell interrupts. */
  readonly interrupts: readonly Method[];
  readonly packets: readonly Method[];
  readonly all: readonly Method[];
  readonly impossible: ReadonlyMap<Method, string>;
}

async function candidates(options: CompareOptions, request: MethodRequest): Promise<Candidates> {
  const all: Method[] = [];
  const impossible = new Map<Method, string>();
  for (const name of options.methods) {
    const method = await METHODS[name]();
    all.push(method);
    const answer = method.possible({
      ...request,
      interrupts: method.tells !== 'packets' && request.interrupts,
    });
    if (answer.possible === 'no') impossible.set(method, answer.reason);
  }
  const works = all.filter((method) => !impossible.has(method));
  return {
    all,
    impossible,
    interrupts: request.interrupts ? works.filter(({ tells }) => tells !== 'packets') : [],
    packets: works.filter(
      ({ name, tells }) =>
        tells === 'packets' || name === 'ebpf' || (!request.interrupts && tells === 'both'),
    ),
  };
}

/** The target, as `trace` would find it. */
function targetOf(
  options: CompareOptions,
  name: string | undefined,
): { target: Target; interrupts: boolean } {
  const { irq, queue } = options;
  const iface = name ?? (irq === undefined ? defaultRouteInterface() : undefined);
  const interrupts = iface === undefined || resolveNic(iface).irqs.length > 0;
  const raw = { irq, queue, interrupts, until: interrupts ? 'isr' : 'stack', clock: 'mono', format: 'text' };
  const words = iface === undefined ? [] : [iface];
  return { target: resolveTarget(readOptions(words, raw)), interrupts };
}

/** The first that stamps an end, else whoever saw the most. */
function referenceOf(heard: Heard): MethodName | undefined {
  const names = heard.listeners
    .filter(({ sightings }) => sightings.some(({ end }) => !Number.isNaN(end)))
    .map(({ method }) => method.name);
  const best = REFERENCES.find((name) => names.includes(name));
  if (best !== undefined) return best;
  const most = [...heard.listeners].sort((a, b) => b.sightings.length - a.sightings.length)[0];
  return most === undefined || most.sightings.length === 0 ? undefined : most.method.name;
}

function within(heard: Heard): Map<MethodName, Heard['listeners'][number]['sightings']> {
  return new Map(
    heard.listeners.map(({ method, sightings }) => [
      method.name,
      sightings.filter(({ time }) => time >= heard.from && time <= heard.to),
    ]),
  );
}

interface Results {
  readonly chosen: Candidates;
  readonly heard: Heard | undefined;
  readonly costs: ReadonlyMap<Method, Measured>;
  readonly company: CompanyResult;
  readonly packets: readonly PacketReport[];
}

function methodReports({ chosen, heard, costs, company }: Results): MethodReport[] {
  const reference = heard === undefined ? undefined : referenceOf(heard);
  const rows =
    heard === undefined || reference === undefined
      ? new Map<MethodName, never>()
      : compareSightings(within(heard), reference);
  return chosen.all.map((method) => {
    const listener = heard?.listeners.find((one) => one.method === method);
    const way = listener?.source.ways.find(({ hook }) => hook !== undefined);
    const together = rows.get(method.name);
    const why = chosen.impossible.get(method) ?? heard?.failed.get(method);
    const cost = costs.get(method)?.cost;
    const bpf = costs.get(method)?.bpf;
    const beside = typeof company === 'string' ? undefined : company.get(method);
    return {
      method: method.name,
      sentence: method.sentence,
      ...(why === undefined ? {} : { impossible: why }),
      ...(way === undefined ? {} : { stage: way.stage, hook: way.hook as string }),
      ...(together === undefined || listener === undefined
        ? {}
        : { together: { ...together, lost: lostOf(listener) } }),
      ...(cost === undefined ? {} : { cost }),
      ...(bpf === undefined ? {} : { bpf }),
      ...(beside === undefined ? {} : { company: beside }),
      filters: method.filters,
      needs: method.needs,
      loss: method.loss,
      notes: listener?.source.notes ?? [],
    };
  });
}

function reportOf(target: Target, results: Results): CompareReport {
  const { heard, company, packets } = results;
  const reference = heard === undefined ? undefined : referenceOf(heard);
  const seen =
    heard === undefined || reference === undefined ? 0 : (within(heard).get(reference)?.length ?? 0);
  const { irqs } = target.ebpf;
  const lines = irqs.length === 0 ? 'no interrupts' : `IRQ ${irqs.map(({ irq }) => irq).join(', ')}`;
  const found: Omit<CompareReport, 'verdict'> = {
    tool: 'rxstamp',
    document: 'compare',
    version: version(),
    kernel: kernelRelease(),
    started: new Date().toISOString(),
    target: `${target.nics.map(({ name, driver }) => (driver === undefined ? name : `${name} ${driver}`)).join(', ')}: ${lines}`,
    cpus: possibleCpuCount(),
    interrupts: { reference, seen },
    methods: methodReports(results),
    packets,
    ...(typeof company === 'string' ? { noCompany: company } : {}),
    coarse: idleTime().coarse,
  };
  return { ...found, verdict: verdictOf(found) };
}

function nothingWorks({ impossible }: Candidates): RxError {
  const reasons = [...impossible].map(([{ name }, why]) => `${name}: ${why}`);
  return new RxError('RXS_NO_METHOD', {
    doing: 'comparing',
    subject: [...impossible.keys()].map(({ name }) => name).join(', '),
    why: `none of them works here: ${reasons.join('; ')}`,
    hint: 'leave --methods out: the others are tried then',
  });
}

async function measure(options: CompareOptions, target: Target, interrupts: boolean): Promise<Results> {
  const request: MethodRequest = { ...methodRequest(target), interrupts };
  const chosen = await candidates(options, request);
  if (chosen.interrupts.length + chosen.packets.length === 0) throw nothingWorks(chosen);
  const irqs = target.ebpf.irqs.map(({ irq }) => irq);
  let heard: Heard | undefined;
  if (chosen.interrupts.length > 0) {
    say(
      `together: ${chosen.interrupts.map(({ name }) => name).join(', ')}, up to ${options.count} interrupts`,
    );
    heard = await hearTogether(chosen.interrupts, request, options.count, options.durationNs);
  }
  const started = chosen.interrupts.filter((method) => heard?.failed.has(method) !== true);
  const costs = await measureCosts(started, request, {
    rounds: options.rounds,
    sliceNs: options.sliceNs,
    irqs,
    tell: ({ name }, round) => say(`cost, round ${round + 1} of ${options.rounds}: ${name}`),
  });
  let company: CompanyResult = interrupts ? 'left out by --no-company' : 'the interface has no interrupts';
  if (options.company && started.length > 0 && !stopped()) {
    say(
      'in company: beside a slow kprobe program, a task that calls it all the time on each CPU of the interrupts',
    );
    company = await keepCompany(started, request, cpusOf(target), irqs, COMPANY_COUNT, COMPANY_NS);
  }
  let packets: PacketReport[] = [];
  if (chosen.packets.length > 1 && !stopped()) {
    say(`packets: ${chosen.packets.map(({ name }) => name).join(', ')}`);
    const facts = { ...NO_FACTS, ...(await askFacts(target.nics)) };
    packets = await comparePackets(chosen.packets, request, facts, options.count, options.durationNs);
  }
  return { chosen, heard, costs, company, packets };
}

/** Where the interrupts come in now. */
function cpusOf(target: Target): number[] {
  const wanted = new Set(target.ebpf.irqs.map(({ irq }) => irq));
  const cpus = target.nics.flatMap(({ irqs }) =>
    irqs.filter(({ irq }) => wanted.has(irq)).map(({ effectiveCpu }) => effectiveCpu),
  );
  return [...new Set(cpus.filter((cpu) => cpu !== undefined))];
}

/** Runs a comparison. @returns the exit code */
export async function runCompare(
  name: string | undefined,
  raw: Readonly<Record<string, string | boolean | undefined>>,
): Promise<number> {
  const options = readCompareOptions(name, raw);
  checkPrivileges();
  endBy(exitNow);
  endInOrder();
  for (const note of clearLeftovers()) say(`note: ${note}`);
  const load = options.load ? await startLoad(LOAD_MS, say) : undefined;
  try {
    const { target, interrupts } = targetOf(options, load?.name ?? options.interface);
    const results = await measure(options, target, interrupts);
    const report = reportOf(target, results);
    process.stdout.write(
      options.json ? `${JSON.stringify(report, null, 2)}\n` : `${compareText(report).join('\n')}\n`,
    );
    return EXIT.ok;
  } finally {
    await load?.close();
  }
}
