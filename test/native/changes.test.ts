/** An interface that changes while it is traced: a veth that goes down, is renamed, and comes up. */
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Undo } from '../../bench/lib/undo.js';
import { Veth } from '../../bench/native/veth.js';
import { compile } from '../support/compile.js';
import { cannotTrace, titled } from './needs.js';
import { RunningTrace, linesOf } from './trace.js';

const COUNT = 1000;

describe.skipIf(cannotTrace !== undefined)(
  titled('a veth that changes while it is traced', cannotTrace),
  () => {
    const undo = new Undo();
    let link: Veth;
    let program = '';

    beforeAll(async () => {
      program = compile('bench/load/flood.c');
      link = await Veth.create(undo, program, 0);
    });
    afterAll(() => undo.all());

    let steps = 0;
    /** Changes the interface, and waits until the trace has noted it: two changes between two looks would be one. */
    async function ip(trace: RunningTrace, ...args: string[]): Promise<void> {
      const { status, stderr } = spawnSync('ip', ['-n', link.namespace, ...args], { encoding: 'utf8' });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      steps++;
      const noted = (_: string, said: string): boolean => (said.match(/^note: .*\n/gm) ?? []).length >= steps;
      await trace.until(`note ${steps}, on ${args.join(' ')}`, noted);
    }

    function send(): void {
      const sender = link.namespace.replace(/rx$/, 'tx');
      const words = ['198.18.0.2', '9999', COUNT, 100, 0, 0].map(String);
      const { stdout } = spawnSync('ip', ['netns', 'exec', sender, program, ...words], { encoding: 'utf8' });
      expect(stdout).toContain(`"sent":${COUNT},"failed":0`);
    }

    it('is followed, with a note on each change and every packet', { timeout: 240_000 }, async () => {
      const { name } = link;
      const trace = await new RunningTrace([name, '--format', 'ndjson'], link.namespace).ready();
      send();
      await ip(trace, 'link', 'set', name, 'down');
      await ip(trace, 'link', 'set', name, 'name', 'moved0');
      await ip(trace, 'link', 'set', 'moved0', 'up');
      send();
      await ip(trace, 'link', 'set', 'moved0', 'down');
      await ip(trace, 'link', 'set', 'moved0', 'name', name);
      await ip(trace, 'link', 'set', name, 'up');
      send();
      const { code, stdout, stderr } = await trace.interrupt();
      const lines = linesOf(stdout);
      expect(code).toBe(0);
      const notes = lines.filter(({ type }) => type === 'note');
      expect(notes.map(({ what }) => what)).toEqual(['down', 'renamed', 'up', 'down', 'renamed', 'up']);
      for (const { text } of notes) expect(stderr).toContain(`note: ${text}\n`);
      const packets = lines.filter(({ type, length }) => type === 'packet' && length === 128);
      expect(packets.length).toBe(3 * COUNT);
      expect(lines.at(-1)).toMatchObject({ type: 'summary', lost: 0 });
    });
  },
);
