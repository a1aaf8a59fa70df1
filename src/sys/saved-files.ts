/**
 * Kernel files of another machine out of one text file, so that the readers run on kernels we do not have. The text
 * is made by test/kernels/save.sh and is easy to read, to review and to write by hand:
 *
 *     # a comment
 *     /proc/irq/24/node = -1                          a file with one line
 *     /proc/interrupts:                               a file; its lines follow, indented by a tab
 *     /sys/class/net/eth0 -> ../../devices/…/eth0     a link
 *     /sys/devices/…/queues/rx-0/                     an empty folder
 */
import { posix } from 'node:path';
import { known, unknown } from '../base/answer.js';
import type { KernelFiles } from './files.js';

type Node = { readonly kind: 'file'; text: string } | { readonly kind: 'link'; readonly to: string } | Folder;
interface Folder {
  readonly kind: 'folder';
  readonly entries: Map<string, Node>;
}

const folder = (): Folder => ({ kind: 'folder', entries: new Map() });

/** The files described by `text`, with the same answers as the real machine's. */
export function savedFiles(text: string): KernelFiles {
  const root = parse(text);
  const read = (path: string): string | undefined => {
    const node = find(root, path)?.node;
    return node?.kind === 'file' ? node.text : undefined;
  };
  return {
    text: read,
    bytes: (path) => {
      const found = read(path);
      return found === undefined ? undefined : Buffer.from(found);
    },
    ask: (path) => {
      const found = read(path);
      return found === undefined ? unknown(`${path}: does not exist here`) : known(found);
    },
    list: (path) => {
      const node = find(root, path)?.node;
      return node?.kind === 'folder' ? [...node.entries.keys()].sort() : [];
    },
    real: (path) => find(root, path)?.path,
    has: (path) => find(root, path) !== undefined,
  };
}

function parse(text: string): Folder {
  const root = folder();
  let open: { text: string } | undefined;
  for (const line of text.split('\n')) {
    if (line.startsWith('\t')) {
      if (open !== undefined) open.text += `${open.text === '' ? '' : '\n'}${line.slice(1)}`;
      continue;
    }
    const match = /^(\/.*?)(?: = (.*)| -> (.*)|(:)|(\/))$/.exec(line);
    if (match === null) continue;
    const [, path = '', value, target, block] = match;
    const node: Node =
      target !== undefined
        ? { kind: 'link', to: target }
        : value !== undefined || block !== undefined
          ? { kind: 'file', text: value ?? '' }
          : folder();
    put(root, path, node);
    open = block !== undefined && node.kind === 'file' ? node : undefined;
  }
  return root;
}

function put(root: Folder, path: string, node: Node): void {
  const parts = path.split('/').filter(Boolean);
  let at = root;
  for (const part of parts.slice(0, -1)) {
    const next = at.entries.get(part);
    const below = next?.kind === 'folder' ? next : folder();
    if (below !== next) at.entries.set(part, below);
    at = below;
  }
  const name = parts.at(-1) ?? '';
  // A folder may be named after its content was.
  if (node.kind !== 'folder' || !at.entries.has(name)) at.entries.set(name, node);
}

/** Follows the links of `path`; like the kernel it gives up after 40. */
function find(root: Folder, path: string): { node: Node; path: string } | undefined {
  let rest = path.split('/').filter(Boolean);
  let done: string[] = [];
  let node: Node = root;
  for (let links = 0; rest.length > 0; ) {
    const [part = '', ...more]: string[] = rest;
    if (node.kind !== 'folder') return undefined;
    const next: Node | undefined = node.entries.get(part);
    if (next === undefined) return undefined;
    if (next.kind === 'link') {
      if (++links > 40) return undefined;
      const target = posix.resolve(`/${done.join('/')}`, next.to);
      rest = [...target.split('/').filter(Boolean), ...more];
      done = [];
      node = root;
      continue;
    }
    done = [...done, part];
    rest = more;
    node = next;
  }
  return { node, path: `/${done.join('/')}` };
}
