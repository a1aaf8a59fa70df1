/** `stack` and `explain` on the other kernels and NICs: with RXSTAMP_LONG=1, a boot for both. */
import { afterAll, beforeAll, describe } from 'vitest';
import { Guest } from '../../../lab/guest.js';
import { explainChecks } from './explain-checks.js';
import { stackChecks } from './stack-checks.js';

const INTEL = { nic: 'igb,queues=2', second: 'e1000e', handlers: ['igb_msix_ring', 'e1000_intr_msix_rx'] };
const VIRTUAL = { nic: 'virtio', second: 'vmxnet3', handlers: ['vring_interrupt', 'vmxnet3_msix_rx'] };
const BOOTS = [
  { kernel: '6.12', ...VIRTUAL },
  ...['5.10', '6.1', '7'].flatMap((kernel) => [
    { kernel, ...INTEL },
    { kernel, ...VIRTUAL },
  ]),
];

describe.runIf(process.env['RXSTAMP_LONG'] === '1').each(BOOTS)(
  '$kernel, $nic and $second',
  ({ kernel, nic, second, handlers }) => {
    const guest = new Guest({ kernel, nic, second, cpus: 2 });
    beforeAll(() => guest.boot());
    afterAll(() => guest.close());
    describe('stack', () => stackChecks(guest, kernel, handlers));
    describe('explain', () => explainChecks(guest, kernel));
  },
);
