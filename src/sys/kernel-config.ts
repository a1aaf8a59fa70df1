/** The options that the running kernel was built with: /proc/config.gz or /boot/config-RELEASE. */
import { gunzipSync } from 'node:zlib';
import { HOST, type KernelFiles } from './files.js';

/** Option -> `y`, `m`, `n` or its text. */
export type KernelConfig = ReadonlyMap<string, string>;

/** Parses a .config. */
export function parseKernelConfig(text: string): KernelConfig {
  const config = new Map<string, string>();
  for (const [, on, value, off] of text.matchAll(/^(?:(CONFIG_\w+)=(.*)|# (CONFIG_\w+) is not set)$/gm)) {
    if (off !== undefined) config.set(off, 'n');
    else config.set(on ?? '', value ?? '');
  }
  return config;
}

/** Release of the running kernel, as `uname -r` prints it; an empty text when /proc does not say. */
export function kernelRelease(files: KernelFiles = HOST): string {
  return files.text('/proc/sys/kernel/osrelease') ?? '';
}

/** Reads the configuration; undefined where the kernel keeps none that this user can read. */
export function kernelConfig(files: KernelFiles = HOST): KernelConfig | undefined {
  const packed = files.bytes('/proc/config.gz');
  if (packed !== undefined) {
    try {
      return parseKernelConfig(gunzipSync(packed).toString());
    } catch {
      // Not gzip: fall through to /boot.
    }
  }
  const text = files.text(`/boot/config-${kernelRelease(files)}`);
  return text === undefined ? undefined : parseKernelConfig(text);
}
