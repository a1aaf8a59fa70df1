import { describe, expect, it } from 'vitest';
import { newOwnerName } from './owner-name.js';
import { findLoads } from './veth-load.js';

describe('namespaces of made traffic', () => {
  it('are told from others’, and those of running processes from abandoned ones', () => {
    const own = newOwnerName();
    const found = findLoads(['mine', own, 'rxstamp_1_1_0', 'rxstamp_x']);
    expect(found).toEqual([
      { name: own, pid: process.pid, state: 'lives' },
      // Process 1 did not begin at the first tick of the machine.
      { name: 'rxstamp_1_1_0', pid: 1, state: 'gone' },
    ]);
  });
});
