/** What lab tests need, as the sentence that a skipped test shows. */
import { parseNic } from '../../lab/nics.js';
import { noTap } from '../../lab/tap.js';

const CPUS = 2;

/** Why this user cannot start a guest with this NIC; undefined when it can. */
export const cannotBoot = (nic: string): string | undefined =>
  parseNic(nic, CPUS).by === 'tap' && noTap() !== undefined
    ? 'several virtio queues need a tap, and that needs root'
    : undefined;
