import { afterAll, beforeAll, describe } from 'vitest';
import { Guest } from '../../../lab/guest.js';
import { explainChecks } from './explain-checks.js';

describe('explain on 6.12, igb', () => {
  const guest = new Guest({ kernel: '6.12', nic: 'igb,queues=2', cpus: 2 });
  beforeAll(() => guest.boot());
  afterAll(() => guest.close());
  explainChecks(guest, '6.12');
});
