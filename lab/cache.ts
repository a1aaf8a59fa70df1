/** Where the lab keeps what it fetched: outside the repository, shared by all clones of a user. */
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** How many run folders (console logs, exchange files) are kept for a look afterwards. */
const RUNS_KEPT = 12;

/** `$RXSTAMP_CACHE`, else rxstamp/ in the XDG cache folder. Absolute. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const own = env['RXSTAMP_CACHE'];
  if (own) return resolve(own);
  return join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'rxstamp');
}

/** A folder inside the cache, made when missing. */
export function cached(...parts: string[]): string {
  const folder = join(cacheFolder(), ...parts);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** True while the process that made the run folder (its name says which) is alive. */
function inUse(name: string): boolean {
  return existsSync(join('/proc', name.split('-')[1] ?? 'none'));
}

/** A new folder for one run of a guest; the oldest runs beyond {@link RUNS_KEPT} go. */
export function runFolder(label: string): string {
  const runs = cached('runs');
  // Names start with the time, so their order is their age.
  const old = readdirSync(runs).sort().slice(0, -RUNS_KEPT);
  for (const name of old) if (!inUse(name)) rmSync(join(runs, name), { recursive: true, force: true });
  const time = new Date().toISOString().replace(/[-:]/g, '').slice(0, 18);
  return cached('runs', `${time}-${process.pid}-${label}`);
}
