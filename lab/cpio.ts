/** Writes cpio archives in the "newc" format: what the kernel unpacks as its first root file system. */

/** One entry. Folders end in no slash and must come before what is in them. */
export interface CpioEntry {
  readonly path: string;
  /** `S_IFREG`, `S_IFDIR` or `S_IFCHR` with permissions. */
  readonly mode: number;
  readonly data?: Buffer;
  /** Device numbers of a character device. */
  readonly device?: readonly [major: number, minor: number];
}

export const S_IFDIR = 0o040000;
export const S_IFREG = 0o100000;
export const S_IFCHR = 0o020000;

const MAGIC = '070701';
const TRAILER = 'TRAILER!!!';

const hex = (value: number): string => value.toString(16).padStart(8, '0');
const padding = (length: number): Buffer => Buffer.alloc((4 - (length % 4)) % 4);

function member(entry: CpioEntry, inode: number): Buffer[] {
  const data = entry.data ?? Buffer.alloc(0);
  const [major, minor] = entry.device ?? [0, 0];
  const nameSize = Buffer.byteLength(entry.path) + 1;
  const links = (entry.mode & S_IFDIR) === S_IFDIR ? 2 : 1;
  // ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
  const fields = [inode, entry.mode, 0, 0, links, 0, data.length, 0, 0, major, minor, nameSize, 0];
  const head = Buffer.from(`${MAGIC}${fields.map(hex).join('')}${entry.path}\0`);
  return [head, padding(head.length), data, padding(data.length)];
}

/** The archive of the entries, in their order. Times and owners are zero: the same entries give the same bytes. */
export function cpioArchive(entries: readonly CpioEntry[]): Buffer {
  const trailer: CpioEntry = { path: TRAILER, mode: 0 };
  const parts = [...entries, trailer].flatMap((entry, index) =>
    member(entry, entry === trailer ? 0 : index + 1),
  );
  return Buffer.concat(parts);
}
