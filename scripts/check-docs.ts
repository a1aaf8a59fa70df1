/** Docs against code: every error code and stage explained, no dead relative link. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { CODES } from '../src/base/errors.js';
import { kernelsDocProblems } from '../lab/matrix/table.js';
import { STAGES } from '../src/stages.js';
import { sourceFiles } from './source-files.js';

const TOP = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md'];

function read(root: string, path: string): string {
  const file = join(root, path);
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

/** One sentence per disagreement. */
export function checkDocs(root: string): string[] {
  const problems: string[] = [];
  const errors = read(root, 'docs/errors.md');
  for (const [code, exit] of Object.entries(CODES)) {
    if (!new RegExp(`^\\| \`${code}\` \\| ${exit} \\|`, 'm').test(errors)) {
      problems.push(`docs/errors.md: no row for ${code} with exit code ${exit}`);
    }
  }
  for (const [, code] of errors.matchAll(/^\| `(RXS_\w+)`/gm)) {
    if (code !== undefined && !(code in CODES)) problems.push(`docs/errors.md: ${code} is not a code`);
  }
  const stages = read(root, 'docs/stages.md');
  for (const { name, sentence } of STAGES) {
    if (!stages.includes(`| \`${name}\` | ${sentence} |`))
      problems.push(`docs/stages.md: no row "${name}" with its sentence`);
  }
  for (const problem of kernelsDocProblems(read(root, 'docs/kernels.md'))) {
    problems.push(`docs/kernels.md: ${problem}: npm run lab:matrix`);
  }
  const pages = [...TOP.map((page) => join(root, page)), ...sourceFiles(root, /\.md$/)];
  for (const page of pages) {
    if (!existsSync(page)) {
      problems.push(`${relative(root, page)} is missing`);
      continue;
    }
    for (const [, target] of readFileSync(page, 'utf8').matchAll(/\]\(([^)#\s]+)[^)]*\)/g)) {
      if (target === undefined || /^[a-z]+:/.test(target)) continue;
      if (!existsSync(join(dirname(page), target)))
        problems.push(`${relative(root, page)}: dead link ${target}`);
    }
  }
  return problems;
}
