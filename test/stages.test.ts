import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { STAGES, STAGE_NAMES, isStage, stageIndex } from '../src/stages.js';

const bpf = ['irq', 'thread', 'schedule', 'poll', 'packet', 'stack', 'socket', 'end']
  .map((part) => readFileSync(new URL(`../bpf/${part}.bpf.h`, import.meta.url), 'utf8'))
  .join('\n');
const hooks = STAGES.flatMap((stage) => stage.ways.flatMap((way) => [...way.hooks, ...(way.helpers ?? [])]));

/** `SEC("fentry/x")` and `BPF_PROG(name` in bpf/, and the pairs that PACKET_HOOK makes: program -> section. */
function programs(): Map<string, string> {
  const found = new Map<string, string>();
  for (const match of bpf.matchAll(/SEC\("([^"]+)"\)\s*int BPF_PROG\((\w+)/g)) {
    if (match[2] !== 'name') found.set(match[2] ?? '', match[1] ?? '');
  }
  for (const match of bpf.matchAll(/SEC\("([^"]+)"\)\s*int (\w+)\(u64 \*args\)/g))
    found.set(match[2] ?? '', match[1] ?? '');
  for (const match of bpf.matchAll(/^STAGE_HOOK\("([^"]+)", (\w+),/gm))
    found.set(match[2] ?? '', match[1] ?? '');
  for (const match of bpf.matchAll(/^PACKET_HOOK\((\w+), (\w+),/gm))
    found.set(match[2] ?? '', `tp_btf/${match[1]}`);
  return found;
}

describe('the table of stages', () => {
  it('names every stage once', () => {
    expect(new Set(STAGE_NAMES).size).toBe(STAGE_NAMES.length);
    expect(new Set(STAGES.map((stage) => stage.label)).size).toBe(STAGES.length);
  });

  it('has labels of at most seven characters, so that columns fit', () => {
    expect(STAGES.filter((stage) => stage.label.length > 7)).toEqual([]);
  });

  it('says in one sentence what a stamp means: no full stop, no line break, not empty', () => {
    for (const { name, sentence } of STAGES) {
      expect(sentence.length, name).toBeGreaterThan(20);
      expect(sentence, name).not.toMatch(/[.\n]$|\n/);
    }
  });

  it('begins with the NIC, which no hook stamps; then come the poll’s stages, then the packet’s', () => {
    expect(STAGES.filter((stage) => stage.ways.length === 0).map((stage) => stage.name)).toEqual(['hw']);
    const [first, ...rest] = STAGES.map((stage) => stage.per);
    expect(first).toBe('packet');
    expect(rest).toEqual(rest.toSorted().toReversed());
  });

  it('gives every other stage a way, and every way a label and a hook', () => {
    for (const stage of STAGES.slice(1)) {
      expect(stage.ways.length, stage.name).toBeGreaterThan(0);
      for (const way of stage.ways) {
        expect(way.hooks.length, way.label).toBeGreaterThan(0);
        expect(way.label).not.toBe('');
      }
    }
  });

  it('hangs only programs that bpf/ has, on the symbol that bpf/ says', () => {
    const built = programs();
    for (const { kind, target, program } of hooks)
      expect(built.get(program), program).toBe(`${kind}/${target}`);
  });

  it('finds a stage by its name, and nothing by another', () => {
    for (const [index, name] of STAGE_NAMES.entries()) {
      expect(stageIndex(name)).toBe(index);
      expect(isStage(name)).toBe(true);
    }
    expect(isStage('nirq')).toBe(false);
    expect(isStage('constructor')).toBe(false);
  });
});
