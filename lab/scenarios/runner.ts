/** Runs scenarios: one guest per set of needs, each scenario a pass or a failure with its reason. */
import { RxError } from '../../src/base/errors.js';
import type { Guest } from '../guest.js';
import type { GuestOptions } from '../guest-options.js';
import type { Say } from '../progress.js';
import { openGuest } from '../with-guest.js';
import type { Scenario } from './scenario.js';

/** How a scenario went. */
export interface Result {
  readonly kernel: string;
  readonly scenario: string;
  readonly verdict: 'pass' | 'fail';
  /** Why it failed. */
  readonly reason?: string;
  readonly seconds: number;
}

/** Scenarios that share a guest. */
export interface Group {
  readonly label: string;
  readonly options: GuestOptions;
  readonly scenarios: readonly Scenario[];
}

/** Puts scenarios that need the same guest together, in the order of their first. */
export function groupScenarios(kernel: string, scenarios: readonly Scenario[]): Group[] {
  const groups = new Map<string, { options: GuestOptions; scenarios: Scenario[] }>();
  for (const one of scenarios) {
    const options: GuestOptions = { ...one.needs, kernel };
    const key = JSON.stringify(options);
    const group = groups.get(key) ?? { options, scenarios: [] };
    group.scenarios.push(one);
    groups.set(key, group);
  }
  return [...groups.values()].map(({ options, scenarios: members }) => {
    const { nic = 'igb', cpus = 2, append, icount } = options;
    const words = [typeof nic === 'string' ? nic : JSON.stringify(nic), `${cpus} CPUs`];
    if (icount) words.push('counted');
    if (append) words.push(append);
    return { label: `${kernel}, ${words.join(', ')}`, options, scenarios: members };
  });
}

const wordsOf = (error: unknown): string =>
  error instanceof RxError ? error.toLine() : error instanceof Error ? error.message : String(error);

async function runOne(kernel: string, one: Scenario, guest: Guest): Promise<Result> {
  const from = performance.now();
  const result = (verdict: Result['verdict'], reason?: string): Result => ({
    kernel,
    scenario: one.name,
    verdict,
    ...(reason === undefined ? {} : { reason }),
    seconds: (performance.now() - from) / 1000,
  });
  try {
    await one.run(guest);
    return result('pass');
  } catch (error) {
    return result('fail', wordsOf(error));
  }
}

/** Runs the scenarios on a kernel; `tell` hears of each as it ends. */
export async function runScenarios(
  kernel: string,
  scenarios: readonly Scenario[],
  tell: (result: Result) => void,
  say: Say,
): Promise<Result[]> {
  const results: Result[] = [];
  for (const group of groupScenarios(kernel, scenarios)) {
    const { guest, close } = await openGuest({ ...group.options, say });
    try {
      for (const one of group.scenarios) {
        const result = await runOne(kernel, one, guest);
        results.push(result);
        tell(result);
      }
    } finally {
      await close();
    }
  }
  return results;
}
