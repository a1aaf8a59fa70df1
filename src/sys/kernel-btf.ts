/** The running kernel's type information (BTF), read through libbpf. */
import koffi from 'koffi';
import { type Pointer, dropLog, libbpf } from './libbpf.js';

/** BTF kinds that rxstamp asks for. */
const BTF_KIND = { STRUCT: 4, ENUM: 6, FUNC: 12, VAR: 14, TYPEDEF: 8 } as const;

/** Answers whether names are in the running kernel's BTF. */
export interface KernelBtf {
  has(name: string, kind: keyof typeof BTF_KIND): boolean;
  /** Type id of a name, negative when absent. */
  id(name: string, kind: keyof typeof BTF_KIND): number;
  /** The names of an enum's values; empty where the kernel has no such enum. */
  enumNames(name: string): Map<number, string>;
  /** Bytes from a struct's start to a member of that name, not one inside of another; undefined where there is none. */
  memberOffset(struct: string, member: string): number | undefined;
  close(): void;
}

/** struct btf_type, then struct btf_member of 12 bytes: name, type, and the offset in bits in its low 24 bits. */
function readMember(btf: Pointer, id: number, member: string): number | undefined {
  const type = libbpf.typeById(btf, id) as Pointer;
  const count = new DataView(koffi.view(type, 12)).getUint16(4, true);
  const words = new DataView(koffi.view(type, 12 + count * 12));
  for (let at = 12; at < words.byteLength; at += 12) {
    if (libbpf.nameByOffset(btf, words.getUint32(at, true)) === member)
      return (words.getUint32(at + 8, true) & 0xff_ffff) / 8;
  }
  return undefined;
}

/** struct btf_type (12 bytes, the count in the low half of its second word), then name and value of each enumerator. */
function readEnum(btf: Pointer, id: number): Map<number, string> {
  const type = libbpf.typeById(btf, id) as Pointer;
  const count = new DataView(koffi.view(type, 12)).getUint16(4, true);
  const words = new DataView(koffi.view(type, 12 + count * 8));
  return new Map(
    Array.from({ length: count }, (_, i) => [
      words.getInt32(12 + i * 8 + 4, true),
      libbpf.nameByOffset(btf, words.getUint32(12 + i * 8, true)) as string,
    ]),
  );
}

/** Opens the kernel's BTF; undefined where the kernel has none. Costs some 20 ms: libbpf indexes 100,000 types. */
export function openKernelBtf(): KernelBtf | undefined {
  const btf = libbpf.vmlinuxBtf() as Pointer;
  dropLog();
  if (btf === null || btf === 0n) return undefined;
  const id = (name: string, kind: keyof typeof BTF_KIND): number =>
    libbpf.findBtf(btf, name, BTF_KIND[kind]) as number;
  const enumNames = (name: string): Map<number, string> => {
    const found = id(name, 'ENUM');
    return found > 0 ? readEnum(btf, found) : new Map();
  };
  const memberOffset = (struct: string, member: string): number | undefined => {
    const found = id(struct, 'STRUCT');
    return found > 0 ? readMember(btf, found, member) : undefined;
  };
  return {
    id,
    enumNames,
    memberOffset,
    has: (name, kind) => id(name, kind) > 0,
    close: () => libbpf.freeBtf(btf),
  };
}
