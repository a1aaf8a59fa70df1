/**
 * Many filtered traces in one process, for tests: `node filter-watch.js INTERFACE [EXPRESSION...]`. Prints `ready` when all record,
 * and at SIGINT what each saw: a JSON list of {expression, lengths, records, lost}.
 */
import { kernelFilter } from '../../src/cli/trace/expression.js';
import { oneQueueEach } from '../../src/cli/trace/target.js';
import { EbpfSession } from '../../src/method/ebpf/session.js';
import { resolveNic } from '../../src/nic/resolve.js';

const [name = '', ...expressions] = process.argv.slice(2);
const nic = resolveNic(name);
// Polls and interrupts are hooked for some of them only: loading the programs for that takes most of the time.
const EVERY = 8;
const irqs = nic.irqs.map(({ irq, queue }) => ({ irq, ifindex: nic.ifindex, queue }));
const watched = expressions.map((expression, index) => ({
  expression,
  records: 0,
  lost: 0,
  session: EbpfSession.start({
    until: 'driver',
    ifindex: nic.ifindex,
    irqs: index % EVERY === 0 ? irqs : [],
    irqOnly: false,
    oneQueue: oneQueueEach(nic),
    pages: false,
    queue: undefined,
    cpus: undefined,
    interrupts: false,
    ringBytes: 1 << 20,
    filter: kernelFilter(expression, false, [name]),
  }),
}));
for (const one of watched) one.session.onLoss = ({ count }) => (one.lost += count);
await new Promise<void>((resolve) => {
  const alive = setInterval(() => {}, 1000);
  process.once('SIGINT', () => {
    clearInterval(alive);
    resolve();
  });
  process.stdout.write('ready\n');
});
for (const { session } of watched) session.stop();
const seen = watched.map((one) => {
  one.records += one.session.drain();
  const lengths = one.session.lanes.flatMap((lane) => [...lane.packets.length.subarray(0, lane.count)]);
  return { expression: one.expression, lengths, records: one.records, lost: one.lost };
});
for (const { session } of watched) session.close();
process.stdout.write(`${JSON.stringify(seen)}\n`);
process.exit(0);
