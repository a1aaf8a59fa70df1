/**
 * libpcap through koffi, for one purpose: to compile filter expressions, so that they mean what they mean in tcpdump.
 * It is loaded when it is first needed. Names of hosts and services are looked up while it compiles, which may send
 * queries and wait for their answers.
 */
import koffi from 'koffi';
import { cText } from '../base/c-text.js';
import { RxError } from '../base/errors.js';

/** Link types that a filter can be compiled for (pcap-linktype(7)). */
const LINK = { ethernet: 1, raw: 12 } as const;

/** How packets of an interface begin: with an Ethernet header, or with the IP header. */
export type LinkType = keyof typeof LINK;

/** Like tcpdump's default: as long as a packet can be. Only the value that a filter returns depends on it. */
const SNAPLEN = 262_144;
const NETMASK_UNKNOWN = 0xffffffff;
const ERROR_BYTES = 256;
/** Debian's name first, the upstream one second. */
const NAMES = ['libpcap.so.0.8', 'libpcap.so.1'];

type Pointer = bigint | null;

function load(): ReturnType<typeof koffi.load> {
  let cause: unknown;
  for (const name of NAMES) {
    try {
      return koffi.load(name);
    } catch (error) {
      cause = error;
    }
  }
  throw new RxError('RXS_NO_LIBPCAP', {
    doing: 'loading libpcap',
    subject: NAMES.join(' or '),
    why: 'the library is not installed',
    hint: 'apt-get install libpcap0.8, or leave the filter expression out',
    cause,
  });
}

function functions() {
  const library = load();
  return {
    openDead: library.func('void *pcap_open_dead(int linktype, int snaplen)'),
    create: library.func('void *pcap_create(const char *device, void *error)'),
    setSnaplen: library.func('int pcap_set_snaplen(void *handle, int snaplen)'),
    setBufferSize: library.func('int pcap_set_buffer_size(void *handle, int bytes)'),
    activate: library.func('int pcap_activate(void *handle)'),
    dataLink: library.func('int pcap_datalink(void *handle)'),
    statusText: library.func('const char *pcap_statustostr(int status)'),
    errorText: library.func('const char *pcap_geterr(void *handle)'),
    lookUpNet: library.func(
      'int pcap_lookupnet(const char *device, _Out_ uint32_t *net, _Out_ uint32_t *mask, void *error)',
    ),
    compile: library.func(
      'int pcap_compile(void *handle, void *program, const char *text, int optimize, uint32_t netmask)',
    ),
    offlineFilter: library.func(
      'int pcap_offline_filter(void *program, const void *header, const void *packet)',
    ),
    freeCode: library.func('void pcap_freecode(void *program)'),
    close: library.func('void pcap_close(void *handle)'),
  };
}

let loaded: ReturnType<typeof functions> | undefined;
/** @throws RxError RXS_NO_LIBPCAP */
const pcap = (): ReturnType<typeof functions> => (loaded ??= functions());

/** Netmask of an interface, as `ip broadcast` needs it. */
function netmaskOf(device: string): number {
  const mask = [0];
  const error = new Uint8Array(ERROR_BYTES);
  return pcap().lookUpNet(device, [0], mask, error) === 0 ? (mask[0] as number) : NETMASK_UNKNOWN;
}

/** What to compile for. */
export interface FilterTarget {
  readonly link: LinkType;
  /** For its netmask, and for {@link FilterTarget.live}. */
  readonly device: string | undefined;
  /**
   * True: as for capturing on `device`, where Linux keeps a VLAN tag and a direction beside the packet's bytes. libpcap
   * knows that only of an open interface, so a packet socket is opened and closed.
   */
  readonly live: boolean;
}

/** The result of a compilation: the bytes of `struct bpf_insn[]`, or libpcap's words against it. */
export type Compilation =
  | { readonly ok: true; readonly instructions: Uint8Array }
  | { readonly ok: false; readonly error: string };

/** A compiled filter inside libpcap; free it with close(). For tests: what libpcap itself says about a packet. */
export class PcapFilter {
  /** `struct bpf_program`: a count and, at 8, a pointer. */
  private readonly program = new Uint8Array(16);

  private constructor() {}

  /** @throws RxError RXS_NO_LIBPCAP */
  static compile(text: string, target: FilterTarget): PcapFilter | string {
    const handle = target.live ? openLive(target) : (pcap().openDead(LINK[target.link], SNAPLEN) as Pointer);
    if (typeof handle === 'string') return handle;
    const filter = new PcapFilter();
    const netmask = target.device === undefined ? NETMASK_UNKNOWN : netmaskOf(target.device);
    const failed = (pcap().compile(handle, filter.program, text, 1, netmask) as number) !== 0;
    const error = failed ? (pcap().errorText(handle) as string) : '';
    pcap().close(handle);
    return failed ? error : filter;
  }

  instructions(): Uint8Array {
    const view = new DataView(this.program.buffer);
    const [length, address] = [view.getUint32(0, true), view.getBigUint64(8, true)];
    return new Uint8Array(koffi.view(address, length * 8)).slice();
  }

  /** bpf_filter() over a packet of `length` bytes of which `bytes` were kept. */
  matches(bytes: Uint8Array, length: number): boolean {
    // struct pcap_pkthdr: a timeval of 16 bytes, caplen, len.
    const header = new DataView(new ArrayBuffer(24));
    header.setUint32(16, bytes.length, true);
    header.setUint32(20, length, true);
    return (pcap().offlineFilter(this.program, new Uint8Array(header.buffer), bytes) as number) !== 0;
  }

  close(): void {
    pcap().freeCode(this.program);
  }
}

/** A packet socket's handle, or why there is none. */
function openLive({ device, link }: FilterTarget): Pointer | string {
  const error = new Uint8Array(ERROR_BYTES);
  const handle = pcap().create(device ?? 'any', error) as Pointer;
  if (handle === null) return cText(error);
  pcap().setSnaplen(handle, SNAPLEN);
  pcap().setBufferSize(handle, 1 << 19);
  const status = pcap().activate(handle) as number;
  const why =
    status < 0
      ? (pcap().errorText(handle) as string) || (pcap().statusText(status) as string)
      : pcap().dataLink(handle) === LINK[link]
        ? undefined
        : `libpcap captures on it with link type ${pcap().dataLink(handle) as number}`;
  if (why === undefined) return handle;
  pcap().close(handle);
  return `${device ?? 'any'}: ${why}`;
}

/** Compiles an expression, optimised. @throws RxError RXS_NO_LIBPCAP */
export function compileFilter(text: string, target: FilterTarget): Compilation {
  const filter = PcapFilter.compile(text, target);
  if (typeof filter === 'string') return { ok: false, error: filter };
  const instructions = filter.instructions();
  filter.close();
  return { ok: true, instructions };
}
