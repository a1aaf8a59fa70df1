import { describe, expect, it } from 'vitest';
import { newOwnerName, ownerOf, ownerState, type ProcessView } from './owner-name.js';
import { savedFiles } from './saved-files.js';

const INITIAL = '4026531836';
const STAT = `/proc/77/stat = 77 (a) b) S ${Array.from({ length: 18 }, () => 0).join(' ')} 1234 0 0`;

function view(more: Partial<ProcessView> = {}): ProcessView {
  return { files: savedFiles(STAT), namespace: INITIAL, inUse: () => false, ...more };
}

const stateOf = (name: string, seen = view()): string | undefined => {
  const owner = ownerOf(name);
  return owner === undefined ? undefined : ownerState(owner, seen);
};

describe('names of what rxstamp puts into the kernel', () => {
  it('says whose they are, each once, and this process lives', () => {
    const [first, second] = [newOwnerName(), newOwnerName()];
    expect(first).not.toBe(second);
    expect(first).toMatch(/^[a-z0-9_]{1,60}$/);
    expect(ownerOf(first)).toMatchObject({ pid: process.pid });
    const owner = ownerOf(first);
    expect(owner && ownerState(owner)).toBe('lives');
  });

  it('tells a process from a later one with its number', () => {
    expect(stateOf('rxstamp_77_1234_0')).toBe('lives');
    expect(stateOf('rxstamp_77_1233_0')).toBe('gone');
    expect(stateOf('rxstamp_78_1234_12')).toBe('gone');
  });

  it('does not know of processes that count otherwise, unless their namespace is gone', () => {
    expect(stateOf('rxstamp_77_1234_0_4026532999', view({ inUse: () => true }))).toBe('hidden');
    expect(stateOf('rxstamp_77_1234_0_4026532999')).toBe('gone');
    const inside = view({ namespace: '4026532999', inUse: () => false });
    expect(stateOf('rxstamp_77_1_0_4026532999', inside)).toBe('gone');
    expect(stateOf('rxstamp_77_1_0', inside), 'the host’s processes cannot be seen').toBe('hidden');
  });

  it.each(['rxstamp', 'rxstamp_1', 'rxstamp_1_2', 'my_rxstamp_1_2_3', 'rxstamp_1_2_3x', 'kprobes', ''])(
    'takes %j for nobody’s of ours',
    (name) => {
      expect(ownerOf(name)).toBeUndefined();
    },
  );
});
