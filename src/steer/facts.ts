/** Asks a NIC for everything that planning needs. */
import type { Nic } from '../nic/nic.js';
import type { NicSettings } from '../sys/nic-settings.js';
import { unknown } from '../base/answer.js';
import { learnHash } from './learn.js';
import type { SteerFacts } from './plan.js';
import type { FlowCount } from './watch.js';

/**
 * The facts as they are now.
 * @param seen what came of the flow until now, where it was watched
 */
export function gatherFacts(nic: Nic, settings: NicSettings, seen?: FlowCount): SteerFacts {
  const rss = settings.rss();
  return {
    rxQueues: nic.rxQueues,
    rings: settings.rings(),
    ntuple: settings.ntuple(),
    rules: settings.rules(),
    rss,
    fields: (flowType) => settings.hashFields(flowType),
    flowHash:
      seen !== undefined && rss.known
        ? learnHash(seen, rss.value.table)
        : unknown('its packets were not watched'),
  };
}
