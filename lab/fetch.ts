/** Fetches kernels, QEMU and busybox as Debian packages into the cache. Everything here is quick when it is there. */
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { RxError } from '../src/base/errors.js';
import { codename, fetchInto, hasPackage, missingFor, openApt, packageField, packageNames } from './apt.js';
import { type Kernel, kernelNamed, kernelParts, newestImage } from './kernels.js';
import { type Say, since } from './progress.js';
import { run } from './programs.js';
import { type Facts, type Kept, keep, kept } from './store.js';

/** Where a kernel's files are. */
export interface KernelFiles {
  /** Debian package it came in. */
  readonly package: string;
  /** `uname -r` of it. */
  readonly release: string;
  readonly vmlinuz: string;
  /** The folder with kernel/ and modules.builtin. */
  readonly modules: string;
}

/** A QEMU that can run the lab. */
export interface Qemu {
  readonly program: string;
  /** Folder for -L; undefined for the machine's own QEMU. */
  readonly data?: string;
  /** Folders for LD_LIBRARY_PATH. */
  readonly libraries: readonly string[];
  readonly version: string;
}

/** The emulated igb appeared in QEMU 8. */
const OLDEST_QEMU = 8;

/** Module folders no guest of the lab needs: three quarters of a kernel package. */
const DROPPED = [
  'sound',
  ...['gpu', 'media', 'staging', 'infiniband', 'iio', 'usb', 'hid', 'scsi', 'input', 'net/wireless'].map(
    (name) => `drivers/${name}`,
  ),
];

const kernelPath = (name: string): string => join('kernels', name);

/** The kernel image among a package's files: in boot/, or since 7.x beside its modules. */
function vmlinuzIn(folder: string, release: string): string | undefined {
  const places = [`boot/vmlinuz-${release}`, `lib/modules/${release}/vmlinuz`];
  return places.map((place) => join(folder, place)).find((file) => existsSync(file));
}

function filesOf({ folder, facts }: Kept): KernelFiles {
  const release = facts['release'] ?? '';
  return {
    package: facts['package'] ?? '',
    release,
    vmlinuz: vmlinuzIn(folder, release) ?? '',
    modules: join(folder, 'lib/modules', release),
  };
}

/** The kernel of that row if it is in the cache. Throws RXS_LAB_NO_KERNEL for a name that is no row. */
export function cachedKernel(name: string): KernelFiles | undefined {
  const here = kept(kernelPath(kernelNamed(name).name));
  return here === undefined ? undefined : filesOf(here);
}

/** The kernel of that row, fetched when missing. Throws RXS_LAB_NO_KERNEL, RXS_LAB. */
export async function ensureKernel(name: string, say: Say): Promise<KernelFiles> {
  const row = kernelNamed(name);
  return filesOf(await keep(kernelPath(name), (folder) => fetchKernel(row, folder, say), say));
}

async function fetchKernel(row: Kernel, folder: string, say: Say): Promise<Facts> {
  const from = performance.now();
  const apt = await openApt(row.suites, say);
  const image = newestImage(row, await packageNames(apt, 'linux-image-'));
  if (image === undefined) {
    throw new RxError('RXS_LAB_NO_KERNEL', {
      doing: 'looking for the kernel',
      subject: row.name,
      why: `no package like ${row.image.source} in ${row.suites.join(', ')} on this machine's mirror`,
      hint: 'pick another kernel of: rxstamp lab --list',
    });
  }
  const parts: string[] = [];
  // The archive drops parts that hold no files we need (linux-base- of 6.18) sooner than the image.
  for (const part of kernelParts(image, await packageField(apt, image, 'Depends'))) {
    if (await hasPackage(apt, part)) parts.push(part);
  }
  await fetchInto(apt, parts, folder, say);
  // Since the /usr merge a package may carry its modules under /usr/lib.
  if (!existsSync(join(folder, 'lib/modules')) && existsSync(join(folder, 'usr/lib/modules'))) {
    symlinkSync('usr/lib', join(folder, 'lib'));
  }
  const release = readdirSync(join(folder, 'lib/modules'))[0] ?? '';
  const builtin = join(folder, 'lib/modules', release, 'modules.builtin');
  if (vmlinuzIn(folder, release) === undefined || !existsSync(builtin)) {
    throw new RxError('RXS_LAB', {
      doing: 'unpacking the kernel',
      subject: image,
      why: `${parts.join(', ')} have no kernel image or no modules.builtin for ${release}`,
      hint: 'report it: Debian has changed how it splits its kernel packages',
    });
  }
  for (const name of DROPPED) {
    rmSync(join(folder, 'lib/modules', release, 'kernel', name), { recursive: true, force: true });
  }
  say(`lab: kernel ${row.name} is ${release} (${image}), ready after ${since(from)}`);
  return { package: image, release };
}

async function versionOf(qemu: Omit<Qemu, 'version'>): Promise<string | undefined> {
  const env = { ...process.env, LD_LIBRARY_PATH: qemu.libraries.join(':') };
  const done = await run(qemu.program, ['--version'], qemu.libraries.length > 0 ? { env } : {});
  return done.code === 0 ? /version (\S+)/.exec(done.stdout.toString())?.[1] : undefined;
}

const newEnough = (version: string | undefined): boolean =>
  Number.parseInt(version ?? '0', 10) >= OLDEST_QEMU;

/** The first `program` on PATH. */
function onPath(program: string): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(':')
    .map((folder) => join(folder, program))
    .find((path) => statSync(path, { throwIfNoEntry: false })?.isFile());
}

function privateQemu(folder: string): Omit<Qemu, 'version'> {
  const libraries = ['usr/lib/x86_64-linux-gnu', 'lib/x86_64-linux-gnu']
    .map((name) => join(folder, name))
    .filter((path) => existsSync(path));
  return { program: join(folder, 'usr/bin/qemu-system-x86_64'), data: join(folder, 'data'), libraries };
}

/**
 * A QEMU of at least version 8: `$RXSTAMP_QEMU`, the machine's own, else Debian's backport unpacked in the cache with
 * the libraries this machine lacks. Nothing is installed. Throws RXS_NEEDS_PROGRAM, RXS_LAB.
 */
export async function ensureQemu(say: Say): Promise<Qemu> {
  const named = process.env['RXSTAMP_QEMU'];
  const program = named ?? onPath('qemu-system-x86_64');
  if (program !== undefined) {
    const own = { program, libraries: [] };
    const version = await versionOf(own);
    if (newEnough(version)) return { ...own, version: version ?? '' };
    if (named !== undefined) {
      throw new RxError('RXS_NEEDS_PROGRAM', {
        doing: 'starting the QEMU named by RXSTAMP_QEMU',
        subject: named,
        why: version === undefined ? 'it does not tell its version' : `it is QEMU ${version}`,
        hint: `name a qemu-system-x86_64 of version ${OLDEST_QEMU} or newer, or unset RXSTAMP_QEMU`,
      });
    }
  }
  const { folder, facts } = await keep('qemu', (into) => fetchQemu(into, say), say);
  return { ...privateQemu(folder), version: facts['version'] ?? '' };
}

async function fetchQemu(folder: string, say: Say): Promise<{ version: string }> {
  const from = performance.now();
  const own = codename();
  const suites = [own, `${own}-updates`, `${own}-security`, `${own}-backports`];
  const apt = await openApt(suites, say);
  const packages = await missingFor(apt, 'qemu-system-x86', `${own}-backports`);
  await fetchInto(apt, packages, folder, say);
  // One folder for -L: firmware of seabios and qemu's own data live side by side.
  mkdirSync(join(folder, 'data'));
  for (const place of ['usr/share/qemu', 'usr/share/seabios', 'usr/lib/ipxe/qemu']) {
    const source = join(folder, place);
    if (!existsSync(source)) continue;
    for (const name of readdirSync(source)) {
      const link = join(folder, 'data', name);
      rmSync(link, { force: true });
      symlinkSync(join('..', place, name), link);
    }
  }
  const version = await versionOf(privateQemu(folder));
  if (version !== undefined && newEnough(version)) {
    say(`lab: QEMU ${version} (unpacked in the cache, not installed), ready after ${since(from)}`);
    return { version };
  }
  throw new RxError('RXS_LAB', {
    doing: 'fetching QEMU',
    why: `the packages of ${own} give ${version ?? 'no program that starts'}, the lab needs ${OLDEST_QEMU} or newer`,
    hint: 'install a newer QEMU and name it: RXSTAMP_QEMU=/path/to/qemu-system-x86_64',
  });
}

/** True for an ELF program without an interpreter: it runs alone in an initramfs. */
function isStatic(file: string): boolean {
  const elf = readFileSync(file);
  const offset = Number(elf.readBigUInt64LE(32));
  const [size, count] = [elf.readUInt16LE(54), elf.readUInt16LE(56)];
  const PT_INTERP = 3;
  for (let i = 0; i < count; i++) if (elf.readUInt32LE(offset + i * size) === PT_INTERP) return false;
  return true;
}

/** A static busybox: the machine's, else Debian's busybox-static unpacked in the cache. */
export async function ensureBusybox(say: Say): Promise<string> {
  const own = onPath('busybox');
  if (own !== undefined && isStatic(own)) return own;
  const { folder } = await keep(
    'busybox',
    async (into) => {
      const apt = await openApt([codename()], say);
      await fetchInto(apt, ['busybox-static'], into, say);
      return { package: 'busybox-static' };
    },
    say,
  );
  return ['usr/bin/busybox', 'bin/busybox'].map((path) => join(folder, path)).find(existsSync) ?? '';
}
