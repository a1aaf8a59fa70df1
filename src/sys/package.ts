/** Where the installed package lies, and its version. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

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
