/** Keeps fetched things: made in a staging folder, moved into place in one step, so that a half thing never shows. */
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder, cached } from './cache.js';
import { takeLock } from './lock.js';
import type { Say } from './progress.js';

const STAMP = 'stamp.json';

/** What was written down when a thing was made. */
export type Facts = Readonly<Record<string, string>>;

/** A kept thing. */
export interface Kept {
  readonly folder: string;
  readonly facts: Facts;
}

function readFacts(file: string): Facts {
  const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
  const pairs = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  return Object.fromEntries(pairs.map(([name, fact]) => [name, String(fact)]));
}

/** The kept thing `name` (a path under the cache folder), undefined when it is not there. No network, no waiting. */
export function kept(name: string): Kept | undefined {
  const folder = join(cacheFolder(), name);
  const stamp = join(folder, STAMP);
  if (!existsSync(stamp)) return undefined;
  return { folder, facts: readFacts(stamp) };
}

/**
 * The kept thing `name`, made by `make` in an empty folder when it is not there. Two processes that want the same
 * wait for each other.
 */
export async function keep(name: string, make: (folder: string) => Promise<Facts>, say: Say): Promise<Kept> {
  const here = kept(name);
  if (here !== undefined) return here;
  const release = await takeLock(join(cached(), 'fetch.lock'), `fetching ${name}`, say);
  // Only who has the lock makes something here: what is there was left by a run that was killed.
  rmSync(cached('staging'), { recursive: true, force: true });
  const staging = mkdtempSync(join(cached('staging'), 'new-'));
  try {
    const meanwhile = kept(name);
    if (meanwhile !== undefined) return meanwhile;
    const facts = await make(staging);
    writeFileSync(join(staging, STAMP), `${JSON.stringify(facts, null, 1)}\n`);
    const folder = join(cacheFolder(), name);
    cached(name, '..');
    rmSync(folder, { recursive: true, force: true });
    renameSync(staging, folder);
    return { folder, facts };
  } finally {
    rmSync(staging, { recursive: true, force: true });
    release();
  }
}
