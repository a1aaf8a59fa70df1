/** Asks a NIC for everything that planning needs. */
import type { Nic } from '../nic/nic.js';
import type { NicSettings } from '../sys/nic-settings.js';
import type { SteerFacts } from './plan.js';

/** The facts as they are now. */
export function gatherFacts(nic: Nic, settings: NicSettings): SteerFacts {
  return {
    rxQueues: nic.rxQueues,
    rings: settings.rings(),
    ntuple: settings.ntuple(),
    rules: settings.rules(),
    rss: settings.rss(),
    fields: (flowType) => settings.hashFields(flowType),
  };
}
