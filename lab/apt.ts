/**
 * A private apt: own lists and own downloads in the cache, the mirror and keys of the machine. It installs nothing and
 * leaves the machine's apt state alone; only dpkg's status is read, to know which libraries are here already.
 */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { RxError } from '../src/base/errors.js';
import { type AptSource, parseDeb822, parseSourcesList, sourceFor, stanzaFor } from './apt-sources.js';
import { cached } from './cache.js';
import { type Say, megabytes, since } from './progress.js';
import { mustRun, run } from './programs.js';

/** Package lists younger than this are not fetched again, in milliseconds. */
const FRESH_MS = 3_600_000;
/** A mirror that is in the middle of its own update gives lists that do not fit together: pauses before asking again. */
const AGAIN_MS = [5000, 20_000, 60_000];

/** An apt set up for some suites. */
export interface Apt {
  readonly env: NodeJS.ProcessEnv;
  /** Its folder in the cache. */
  readonly root: string;
}

/** VERSION_CODENAME of this machine: `bookworm`. */
export function codename(): string {
  const text = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  return /^VERSION_CODENAME="?([\w.-]+)/m.exec(text)?.[1] ?? 'stable';
}

function machineSources(): AptSource[] {
  const found: AptSource[] = [];
  const folder = '/etc/apt/sources.list.d';
  const files = ['/etc/apt/sources.list'];
  if (existsSync(folder)) files.push(...readdirSync(folder).map((name) => join(folder, name)));
  for (const file of files) {
    if (!existsSync(file)) continue;
    if (file.endsWith('.list')) found.push(...parseSourcesList(readFileSync(file, 'utf8')));
    if (file.endsWith('.sources')) found.push(...parseDeb822(readFileSync(file, 'utf8')));
  }
  return found;
}

/** Stanzas for the suites; a suite nobody on this machine carries is left out unless it is the only one. */
function stanzas(suites: readonly string[]): string {
  const sources = machineSources();
  const known = suites.flatMap((suite) => {
    const source = sourceFor(suite, sources, codename());
    return source === undefined ? [] : [stanzaFor(suite, source)];
  });
  if (known.length > 0) return known.join('\n');
  throw new RxError('RXS_LAB', {
    doing: 'looking for a Debian mirror for',
    subject: suites.join(', '),
    why: 'no source of this machine lists Debian',
    hint: 'add your Debian mirror to /etc/apt/sources.list.d, or use the lab on Debian',
  });
}

/** How this machine reaches mirrors (proxies, certificates, date checks), taken over into the private set-up. */
async function transport(): Promise<string> {
  const dump = await run('apt-config', ['dump']);
  const lines = dump.stdout.toString().split('\n');
  return lines
    .filter((line) => /^Acquire::(https?|ftp|Check-\S+|Retries|ForceIPv[46]|Proxy\S*)\b/.test(line))
    .filter((line) => !line.endsWith('"";'))
    .join('\n');
}

/** Prepares a private apt for the suites and brings its lists up to date. */
export async function openApt(suites: readonly string[], say: Say): Promise<Apt> {
  const sources = stanzas(suites);
  const key = createHash('sha256').update(sources).digest('hex').slice(0, 12);
  const root = cached('apt', `${suites[0]}-${key}`);
  for (const part of ['lists/partial', 'archives/partial']) {
    mkdirSync(join(root, part), { recursive: true });
  }
  const config = join(root, 'apt.conf');
  writeFileSync(join(root, 'debian.sources'), sources);
  writeFileSync(
    config,
    [
      'Dir::Etc::Parts "/dev/null";',
      'Dir::Etc::Main "/dev/null";',
      `Dir::Etc::sourcelist "${join(root, 'debian.sources')}";`,
      'Dir::Etc::sourceparts "/dev/null";',
      'Dir::Etc::preferences "/dev/null";',
      'Dir::Etc::preferencesparts "/dev/null";',
      `Dir::State::lists "${join(root, 'lists')}";`,
      `Dir::Cache "${root}";`,
      'Acquire::Languages "none";',
      // The unprivileged download user cannot enter a cache in root's home.
      'APT::Sandbox::User "root";',
      // A connection that breaks is taken up again; the machine's own wish comes behind.
      'Acquire::Retries "3";',
      await transport(),
      '',
    ].join('\n'),
  );
  const apt = { env: { ...process.env, APT_CONFIG: config, LC_ALL: 'C' }, root };
  await update(apt, suites, say);
  return apt;
}

/** When the lists of an apt were read. */
const stampOf = (apt: Apt): string => join(apt.root, 'updated');

async function update(apt: Apt, suites: readonly string[], say: Say): Promise<void> {
  const stamp = stampOf(apt);
  if (existsSync(stamp) && Date.now() - statSync(stamp).mtimeMs < FRESH_MS) return;
  say(`lab: reading the package lists of ${suites.join(', ')}`);
  await readLists(apt, say);
}

async function readLists(apt: Apt, say: Say): Promise<void> {
  const from = performance.now();
  const words = ['update', '-q', '--error-on=any'];
  let read = false;
  for (const pause of AGAIN_MS) {
    const { code, stderr } = await run('apt-get', words, { env: apt.env });
    read = code === 0;
    if (read) break;
    say(`lab: ${stderr.trim().split('\n')[0] ?? ''}; trying again in ${pause / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
  if (!read) {
    await mustRun('reading Debian package lists', 'apt-get', words, {
      env: apt.env,
      hint: 'check that this machine reaches its Debian mirror: apt-get update',
    });
  }
  writeFileSync(stampOf(apt), '');
  say(`lab: package lists read in ${since(from)}`);
}

/** Names of all packages that start with `prefix`. */
export async function packageNames(apt: Apt, prefix: string): Promise<string[]> {
  const text = await mustRun('listing packages', 'apt-cache', ['pkgnames', prefix], { env: apt.env });
  return text.toString().split('\n').filter(Boolean);
}

/** True when the suites really have the package; a name in another package's Depends line is no proof. */
export async function hasPackage(apt: Apt, name: string): Promise<boolean> {
  const { stdout } = await run('apt-cache', ['show', '--no-all-versions', name], { env: apt.env });
  return stdout.length > 0;
}

/** A field of a package's newest version; empty when the package has none. */
export async function packageField(apt: Apt, name: string, field: string): Promise<string> {
  const text = await mustRun('reading about the package', 'apt-cache', ['show', '--no-all-versions', name], {
    env: apt.env,
  });
  return new RegExp(`^${field}: (.*)$`, 'm').exec(text.toString())?.[1] ?? '';
}

/** Packages, as `name=version`, that installing `name` from `suite` would bring to this machine. */
export async function missingFor(apt: Apt, name: string, suite: string): Promise<string[]> {
  const args = ['install', '--print-uris', '-y', '-qq', '--no-install-recommends', '-t', suite, name];
  const text = await mustRun('resolving the packages of', 'apt-get', args, { env: apt.env });
  // 'URI' name_version_arch.deb size checksum
  return [...text.toString().matchAll(/^'[^']*' ([^_\s]+)_([^_\s]+)_[^_\s]+\.deb /gm)].map(
    (match) => `${match[1]}=${decodeURIComponent(match[2] ?? '')}`,
  );
}

/** Downloads packages (checked against the signed lists) and unpacks them into a folder; nothing of them is run. */
export async function fetchInto(apt: Apt, names: readonly string[], folder: string, say: Say): Promise<void> {
  const from = performance.now();
  const sizes = await Promise.all(names.map(async (name) => Number(await packageField(apt, name, 'Size'))));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  say(`lab: downloading ${names.length === 1 ? names[0] : `${names.length} packages`} (${megabytes(total)})`);
  const downloads = mkdtempSync(join(apt.root, 'get-'));
  const ticker = setInterval(() => {
    say(`lab: … ${megabytes(bytesIn(downloads))} of ${megabytes(total)}`);
  }, 4000);
  try {
    const words = ['download', '-q', ...names];
    if ((await run('apt-get', words, { env: apt.env, cwd: downloads })).code !== 0) {
      // The archive may have got newer packages since its lists were read, or have ended a connection early.
      say('lab: the packages could not be downloaded: reading the package lists anew');
      await readLists(apt, say);
      await mustRun('downloading Debian packages', 'apt-get', words, { env: apt.env, cwd: downloads });
    }
    clearInterval(ticker);
    say(`lab: downloaded in ${since(from)}, unpacking`);
    mkdirSync(folder, { recursive: true });
    for (const file of readdirSync(downloads).filter((name) => name.endsWith('.deb'))) {
      await mustRun('unpacking', 'dpkg-deb', ['--extract', join(downloads, file), folder]);
    }
  } finally {
    clearInterval(ticker);
    rmSync(downloads, { recursive: true, force: true });
  }
}

function bytesIn(folder: string): number {
  let sum = 0;
  for (const name of readdirSync(folder))
    sum += statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0;
  return sum;
}
