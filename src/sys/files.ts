/**
 * The kernel's text files under one root folder. The real machine is `/`; tests give a folder of saved files with
 * the same paths inside (test/kernels/), so that every reader above runs on any kernel's text without that kernel.
 */
import { existsSync, readFileSync, readdirSync, realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Answer, known, unknown } from '../base/answer.js';

/** Read-only access to kernel files by their absolute path on the machine. */
export interface KernelFiles {
  /** Whole text without the last newline; undefined when it is absent or the kernel refuses it. */
  text(path: string): string | undefined;
  /** As {@link text}, with the reason when it cannot be read. */
  ask(path: string): Answer<string>;
  /** Raw bytes; undefined when absent or refused. */
  bytes(path: string): Buffer | undefined;
  /** Names in a folder, sorted; empty when absent or refused. */
  list(path: string): readonly string[];
  /** The path with all links resolved; undefined when it does not exist. */
  real(path: string): string | undefined;
  /** True when something is there, readable or not. */
  has(path: string): boolean;
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist here',
  EACCES: 'permission denied',
  EPERM: 'not permitted (privilege or lockdown)',
  EINVAL: 'the kernel has no value for it',
  EOPNOTSUPP: 'the driver does not support it',
  ENODEV: 'no such device',
  EIO: 'input/output error',
};

function reason(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? (REASONS[code] ?? code) : String(error);
}

/** Kernel files below `root`; links in a saved folder must be relative, as sysfs makes them. */
export function kernelFiles(root = '/'): KernelFiles {
  const base = resolve(root);
  const at = (path: string): string => join(base, path);
  const bytes = (path: string): Buffer | undefined => {
    try {
      return readFileSync(at(path));
    } catch {
      return undefined;
    }
  };
  return {
    bytes,
    text: (path) => bytes(path)?.toString('utf8').replace(/\n$/, ''),
    ask: (path) => {
      try {
        return known(readFileSync(at(path), 'utf8').replace(/\n$/, ''));
      } catch (error) {
        return unknown(`${path}: ${reason(error)}`);
      }
    },
    list: (path) => {
      try {
        return readdirSync(at(path)).sort();
      } catch {
        return [];
      }
    },
    real: (path) => {
      try {
        const found = realpathSync(at(path));
        return base === '/' ? found : found.slice(base.length) || '/';
      } catch {
        return undefined;
      }
    },
    has: (path) => existsSync(at(path)),
  };
}

/** The machine rxstamp runs on. */
export const HOST: KernelFiles = kernelFiles('/');
