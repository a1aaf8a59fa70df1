import { afterAll, beforeAll, describe } from 'vitest';
import { Guest } from '../../../lab/guest.js';
import { stackChecks } from './stack-checks.js';

describe('stack on 6.12, igb and e1000e', () => {
  const guest = new Guest({ kernel: '6.12', nic: 'igb,queues=2', second: 'e1000e', cpus: 2 });
  beforeAll(() => guest.boot());
  afterAll(() => guest.close());
  stackChecks(guest, '6.12', ['igb_msix_ring', 'e1000_intr_msix_rx']);
});
