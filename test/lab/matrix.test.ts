/** The diagonal of the matrix: each kernel of the lab once, each NIC at least once. The whole of it: npm run lab:matrix. */
import { describe, expect, it } from 'vitest';
import { DIAGONAL } from '../../lab/matrix/cells.js';
import { runCell } from '../../lab/matrix/run-cell.js';
import { toStderr } from '../../lab/progress.js';
import { titled } from '../support/titled.js';
import { cannotBoot } from './needs.js';

describe.each(DIAGONAL)('$kernel with $nic', (cell) => {
  const why = cannotBoot(cell.nic);
  const title = titled('accounts for 1,000 datagrams and a TCP transfer of 1 MiB, with stages in order', why);
  it.skipIf(why !== undefined)(title, async () => {
    const result = await runCell(cell, toStderr);
    const hows = Object.entries(result.classes).map(([how, { count }]) => `${count} ${how}`);
    toStderr(`${cell.kernel} ${cell.nic}: ${result.packets} packets: ${hows.join(', ')}`);
    expect(result.failures).toEqual([]);
  });
});
