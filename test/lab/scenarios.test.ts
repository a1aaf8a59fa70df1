/** Every scenario of the lab on the kernels of $RXSTAMP_LAB_KERNELS (6.12 unless said), as tests. */
import { afterAll, beforeAll, describe, it } from 'vitest';
import { DEFAULT_KERNEL, kernelNamed } from '../../lab/kernels.js';
import { toStderr } from '../../lab/progress.js';
import { SCENARIOS } from '../../lab/scenarios/all.js';
import { groupScenarios } from '../../lab/scenarios/runner.js';
import { type OpenGuest, openGuest } from '../../lab/with-guest.js';
import { titled } from '../support/titled.js';
import { cannotBoot } from './needs.js';

const KERNELS = (process.env['RXSTAMP_LAB_KERNELS'] || DEFAULT_KERNEL)
  .split(',')
  .map((name) => kernelNamed(name).name);

for (const kernel of KERNELS) {
  for (const group of groupScenarios(kernel, SCENARIOS)) {
    const { nic } = group.options;
    const why = typeof nic === 'string' ? cannotBoot(nic) : undefined;
    describe.skipIf(why !== undefined)(titled(group.label, why), () => {
      let open: OpenGuest | undefined;
      beforeAll(async () => {
        open = await openGuest({ ...group.options, say: toStderr });
      });
      afterAll(async () => open?.close());

      for (const one of group.scenarios) {
        it(one.name, async () => {
          if (open === undefined) throw new Error('no guest');
          await one.run(open.guest);
        });
      }
    });
  }
}
