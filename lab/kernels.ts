/** The kernels of the lab: stock Debian amd64 packages. The newest package of a row is looked up when it is fetched. */
import { RxError } from '../src/base/errors.js';

/** One kernel line. */
export interface Kernel {
  /** What `--kernel` takes. */
  readonly name: string;
  /** Debian suites that carry it, any of them. */
  readonly suites: readonly string[];
  /** Matches the image package: the plain flavour, or the real-time one; not cloud, dbg or unsigned. */
  readonly image: RegExp;
}

/** All kernels, oldest first. */
export const KERNELS: readonly Kernel[] = [
  { name: '5.10', suites: ['bullseye'], image: /^linux-image-5\.10\.0-\d+-amd64$/ },
  { name: '6.1', suites: ['bookworm', 'bookworm-security'], image: /^linux-image-6\.1\.0-\d+-amd64$/ },
  {
    name: '6.12',
    suites: ['bookworm-backports', 'bookworm-security'],
    image: /^linux-image-6\.12\.[\d.]+\+deb12[\d.]*-amd64$/,
  },
  {
    // PREEMPT_RT: interrupt handlers and softirqs run in threads.
    name: '6.12-rt',
    suites: ['bookworm-backports', 'bookworm-security'],
    image: /^linux-image-6\.12\.[\d.]+\+deb12[\d.]*-rt-amd64$/,
  },
  { name: '6.18', suites: ['trixie-backports'], image: /^linux-image-6\.18\.[\d.]+\+deb13[\d.]*-amd64$/ },
  { name: '7', suites: ['trixie-backports'], image: /^linux-image-7\.[\d.]+\+deb13[\d.]*-amd64$/ },
];

/** The kernel taken when none is named. */
export const DEFAULT_KERNEL = '6.12';

/** The row of a kernel. Throws RXS_LAB_NO_KERNEL. */
export function kernelNamed(name: string): Kernel {
  const row = KERNELS.find((kernel) => kernel.name === name);
  if (row !== undefined) return row;
  throw new RxError('RXS_LAB_NO_KERNEL', {
    doing: 'choosing the kernel of the lab',
    subject: `"${name}"`,
    why: 'the lab has no such kernel',
    hint: `pick one of: ${KERNELS.map((kernel) => kernel.name).join(', ')}`,
  });
}

const numbersIn = (name: string): number[] => (name.replace(/-amd64$/, '').match(/\d+/g) ?? []).map(Number);

/** Orders package names by the numbers in them, oldest first. */
export function byVersion(a: string, b: string): number {
  const [left, right] = [numbersIn(a), numbersIn(b)];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? -1) - (right[i] ?? -1);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The newest image package of a row among package names; undefined when there is none. */
export function newestImage(kernel: Kernel, names: readonly string[]): string | undefined {
  return names
    .filter((name) => kernel.image.test(name))
    .sort(byVersion)
    .at(-1);
}

/**
 * Packages that hold the kernel's files: the image itself, and where Debian splits it (7.x: linux-binary-,
 * linux-modules-, linux-base-) the parts its Depends line pins to the same version.
 */
export function kernelParts(image: string, depends: string): string[] {
  const pinned = [...depends.matchAll(/\b(linux-(?:binary|modules|base)-\d[^\s,(]*)\s*\(=/g)];
  return [image, ...pinned.map((match) => match[1] ?? '')];
}
