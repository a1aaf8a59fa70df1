/** What a scenario is: a guest it needs, what it starts there, the frames it sends, what must then be true. */
import type { Guest } from '../guest.js';
import type { GuestOptions } from '../guest-options.js';
import type { Pacing, Sent } from '../inject.js';

/** The guest that a scenario needs. Scenarios with the same guest share one, one after the other. */
export type Needs = Pick<GuestOptions, 'nic' | 'cpus' | 'memory' | 'icount' | 'append' | 'modules'>;

/** A scenario as the runner sees it. */
export interface Scenario {
  /** A fact, as a sentence. */
  readonly name: string;
  readonly needs: Needs;
  /** Throws when the fact does not hold. */
  run(guest: Guest): Promise<void>;
}

/** The parts a scenario is written in. `Started` is what `start` hands on to `expect`. */
export interface ScenarioParts<Started> {
  readonly name: string;
  readonly needs: Needs;
  /** Brings the guest into position: starts receivers and tracers, reads counters. */
  start(guest: Guest): Promise<Started>;
  /** Frames to send afterwards, and when. */
  readonly send?: { readonly frames: () => Buffer[]; readonly pacing?: Pacing };
  /** Compares; throws (node:assert) when it is not so. */
  expect(result: { readonly guest: Guest; readonly started: Started; readonly sent: Sent }): Promise<void>;
}

/** Makes a scenario of its parts. */
export function scenario<Started>(parts: ScenarioParts<Started>): Scenario {
  return {
    name: parts.name,
    needs: parts.needs,
    run: async (guest) => {
      const started = await parts.start(guest);
      const sent =
        parts.send === undefined
          ? { count: 0, bytes: 0, times: [] }
          : await guest.injector.send(parts.send.frames(), parts.send.pacing);
      await parts.expect({ guest, started, sent });
    },
  };
}
