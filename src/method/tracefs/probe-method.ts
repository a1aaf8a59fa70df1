/** What the two methods of probes share: start, and the trial. */
import type { FeatureAnswer } from '../../feature/engine.js';
import { no } from '../../feature/engine.js';
import type { TraceSource } from '../../record/source.js';
import type { ProbeKind } from '../../sys/trace-probes.js';
import { Tracefs } from '../../sys/tracefs.js';
import type { MethodRequest } from '../method.js';
import { tried } from '../possible.js';
import { newInstance, openTracefs } from './door.js';
import { type Fetches, setUpProbes, tryProbes } from './probe-setup.js';
import { ProbeSource } from './probe-source.js';

/** Two small events per interrupt, where a packet has many large ones. */
const SHARE = 8;

/** Whether probes of a kind work for what is requested. */
export function probesPossible(
  kind: ProbeKind,
  fetches: () => Fetches,
  { irqs }: MethodRequest,
): FeatureAnswer {
  if (irqs.length === 0) return no('there is no interrupt to listen to');
  return tried(() => tryProbes(Tracefs.open(), kind, fetches));
}

/** Starts a method of probes. Errors: RXS_TRACEFS, RXS_NO_BTF. */
export async function startProbes(
  kind: ProbeKind,
  fetches: () => Fetches,
  request: MethodRequest,
): Promise<TraceSource> {
  const { tracefs, notes } = openTracefs();
  const probed = await setUpProbes(tracefs, kind, fetches(), request, notes);
  try {
    const instance = newInstance(tracefs, request, SHARE);
    try {
      return new ProbeSource(kind, instance, probed, request);
    } catch (error) {
      instance.remove();
      throw error;
    }
  } catch (error) {
    probed.probes.remove();
    probed.close();
    throw error;
  }
}
