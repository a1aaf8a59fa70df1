/** Where the installed package lies, and its version. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RxError } from '../base/errors.js';

function findRoot(from: string): string {
  for (let folder = from; ; folder = dirname(folder)) {
    try {
      const text = readFileSync(join(folder, 'package.json'), 'utf8');
      if ((JSON.parse(text) as { name?: string }).name === 'rxstamp') return folder;
    } catch {
      if (dirname(folder) === folder) throw new Error('package.json of rxstamp not found');
    }
  }
}

/** Folder that holds package.json, from source and from dist/ alike. */
export const packageRoot: string = findRoot(dirname(fileURLToPath(import.meta.url)));

/** Version in package.json. */
export function version(): string {
  return (JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string }).version;
}

/**
 * Bytes of a BPF object. `RXSTAMP_BPF_DIR` names another folder to take it from.
 * @throws RxError RXS_BAD_OBJECT when the file is not there.
 */
export function readObject(name: string): Buffer {
  const path = join(process.env['RXSTAMP_BPF_DIR'] ?? join(packageRoot, 'dist/bpf'), name);
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new RxError('RXS_BAD_OBJECT', {
      doing: 'reading the BPF object',
      subject: path,
      why: 'the file is not there or not readable',
      hint: 'build it with `npm run build` (needs clang), or reinstall rxstamp',
      cause,
    });
  }
}
