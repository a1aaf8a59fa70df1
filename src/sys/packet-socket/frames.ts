/**
 * The frames of a packet socket's receive ring, TPACKET_V2 (linux/if_packet.h): a row of slots of equal size, each with a
 * word that says whose it is. Where the words come from (a mapping of the kernel's, or a test) is not known here.
 *
 * V2 and not V3: a V3 block is ours only when it is full or its timer has run out, so nobody could say up to when all is
 * read; a V2 frame is ours when it is written.
 */

/** Bytes of a packet that are kept, from the first of its link header. */
export const SNAP_BYTES = 64;
/** struct tpacket2_hdr, sockaddr_ll, the link header to a multiple of 16, {@link SNAP_BYTES}: tpacket_rcv()'s netoff. */
export const FRAME_BYTES = 144;
/** Pieces in which the kernel allocates the ring; a frame does not lie across two. */
export const BLOCK_BYTES = 65_536;
export const FRAMES_PER_BLOCK: number = Math.floor(BLOCK_BYTES / FRAME_BYTES);

const STATUS = { user: 1, vlanValid: 0x10, softwareStamp: 0x2000_0000 } as const;
const AT = { length: 4, snap: 8, mac: 12, net: 14, seconds: 16, nanoseconds: 20, vlan: 24 } as const;
/** struct sockaddr_ll behind the header. */
const PROTOCOL = 32 + 2;

/** One received packet. One object is used again for all of them. */
export class PacketFrame {
  /** Bytes of the ring, valid during the call. */
  view: DataView = new DataView(new ArrayBuffer(0));
  /** CLOCK_REALTIME. */
  seconds = 0;
  nanoseconds = 0;
  /** Stamped in netif_receive_skb (net_timestamp_check), because some socket wants stamps; else in tpacket_rcv. */
  early = false;
  /** The NIC's own stamp, nanoseconds of its clock; undefined: none, or not asked for. */
  hardware: bigint | undefined = undefined;
  /** Of the packet from its network header on. */
  length = 0;
  /** Host order. */
  protocol = 0;
  /** VLAN tag that the NIC took out, 0: none. */
  vlan = 0;
  /** Where its network header is kept, and how many bytes from there on. */
  at = 0;
  captured = 0;
}

/** Reads frames in the order in which the kernel fills them. */
export class FrameRing {
  private readonly words: Uint32Array;
  private readonly frames: number;
  private readonly frame = new PacketFrame();
  private next = 0;

  /** @param words the mapped ring, whole blocks */
  constructor(words: Uint32Array) {
    this.words = words;
    this.frames = (words.byteLength / BLOCK_BYTES) * FRAMES_PER_BLOCK;
    this.frame.view = new DataView(words.buffer, words.byteOffset, words.byteLength);
  }

  /**
   * Visits what is there and gives it back.
   * @param visit returns false for a frame that is not wanted yet: it stays, and what is behind it
   * @returns how many
   */
  drain(visit: (frame: PacketFrame) => boolean): number {
    let visited = 0;
    // At most once round: who is faster than this reader must not hold it.
    for (; visited < this.frames; visited++) {
      const block = Math.floor(this.next / FRAMES_PER_BLOCK);
      const at = block * BLOCK_BYTES + (this.next % FRAMES_PER_BLOCK) * FRAME_BYTES;
      const status = Atomics.load(this.words, at / 4);
      if ((status & STATUS.user) === 0) break;
      this.read(at, status);
      if (!visit(this.frame)) break;
      Atomics.store(this.words, at / 4, 0);
      this.next = this.next + 1 === this.frames ? 0 : this.next + 1;
    }
    return visited;
  }

  private read(at: number, status: number): void {
    const { frame } = this;
    const { view } = frame;
    const mac = view.getUint16(at + AT.mac, true);
    const net = view.getUint16(at + AT.net, true);
    const header = Math.max(0, net - mac);
    const snapped = Math.min(view.getUint32(at + AT.snap, true), FRAME_BYTES - mac);
    frame.seconds = view.getUint32(at + AT.seconds, true);
    frame.nanoseconds = view.getUint32(at + AT.nanoseconds, true);
    frame.early = (status & STATUS.softwareStamp) !== 0;
    frame.length = Math.max(0, view.getUint32(at + AT.length, true) - header);
    frame.protocol = view.getUint16(at + PROTOCOL, false);
    frame.vlan = (status & STATUS.vlanValid) === 0 ? 0 : view.getUint16(at + AT.vlan, true);
    frame.at = at + mac + header;
    frame.captured = Math.min(SNAP_BYTES, Math.max(0, snapped - header));
  }
}
