/** `rxstamp steer IFACE --which FLOW`: the queue of one flow, with the ground, or that it cannot be told. */
import { EXIT } from '../../base/errors.js';
import { specText } from '../../steer/flow-spec.js';
import { gatherFacts } from '../../steer/facts.js';
import { parseExactFlow } from '../../steer/exact-flow.js';
import { hashedType } from '../../steer/hash-fields.js';
import { irqText } from '../../steer/show.js';
import { countText } from '../../steer/watch.js';
import { whichQueue } from '../../steer/which.js';
import { DEFAULT_VERIFY_NS } from './options.js';
import type { SteerTarget } from './target.js';
import { openWatch, watchUntil } from './watching.js';

/** @param verifyNs how long to watch for the flow; undefined: only where the answer cannot be computed */
export async function runWhich(
  { nic, settings }: SteerTarget,
  text: string,
  verifyNs: number | undefined,
): Promise<number> {
  const spec = parseExactFlow(text);
  const facts = gatherFacts(nic, settings);
  const answer = whichQueue(spec, { ...facts, fields: facts.fields(hashedType(spec)) });
  const flow = specText(spec);
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  if (answer.kind === 'queue') print(`${flow} → queue ${answer.queue} → ${irqText(nic, answer.queue)}`);
  else if (answer.kind === 'elsewhere') print(`${flow} → ${answer.words}`);
  if (answer.kind !== 'unknown') print(`ground: ${answer.ground}`);
  const watchNs = verifyNs ?? (answer.kind === 'unknown' ? DEFAULT_VERIFY_NS : 0);
  if (answer.kind === 'unknown') print(`cannot be computed: ${answer.why}`);
  if (watchNs === 0) return answer.kind === 'unknown' ? EXIT.unverified : EXIT.ok;

  const watching = await openWatch(nic, [spec]);
  if ('why' in watching) {
    print(`not watched: ${watching.why}`);
    return EXIT.unverified;
  }
  try {
    process.stderr.write(`watching ${nic.name} for it for ${watchNs / 1e9} s\n`);
    const start = watching.now();
    const end = start + watchNs;
    await watchUntil(watching, () => watching.now() >= end);
    const seen = watching.watch.first;
    const queues = [...seen.byQueue.keys()];
    print(`seen in ${((watching.now() - start) / 1e9).toFixed(1)} s: ${countText(seen)}`);
    if (queues.length === 0) return EXIT.unverified;
    if (answer.kind === 'queue' && queues.some((queue) => queue !== answer.queue)) {
      print('the NIC does otherwise than computed');
      return EXIT.failure;
    }
    if (answer.kind === 'unknown') {
      for (const queue of queues) print(`${flow} → queue ${queue} → ${irqText(nic, queue)}`);
      print('ground: seen, for as long as neither rules nor table change');
    }
    return EXIT.ok;
  } finally {
    watching.close();
  }
}
