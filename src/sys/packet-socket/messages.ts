/**
 * Packets as recvmmsg(2) gives them, with control messages: PACKET_AUXDATA (linux/if_packet.h) and SCM_TIMESTAMPING
 * (Documentation/networking/timestamping.rst), which has the software's stamp and the NIC's side by side. Layouts are
 * those of 64-bit Linux. Where the bytes come from (the kernel, or a test) is not known here.
 */
import { PacketFrame, SNAP_BYTES } from './frames.js';

/** Messages per call. */
export const BATCH = 64;

const SOL_SOCKET = 1;
const SOL_PACKET = 263;
const SCM_TIMESTAMPING = 37;
const PACKET_AUXDATA = 8;
const AUX_VLAN_VALID = 0x10;

/** struct mmsghdr: a struct msghdr of 56 bytes, and how many bytes came. */
const HEADER = { name: 0, nameLength: 8, vector: 16, vectors: 24, control: 32, controlLength: 40, flags: 48 };
const HEADER_BYTES = 64;
const NAME_BYTES = 32;
const VECTOR_BYTES = 16;
/** SCM_TIMESTAMPING takes 64, PACKET_AUXDATA 40. */
const CONTROL_BYTES = 128;
/** struct cmsghdr. */
const CONTROL_HEAD = 16;

/** Room for a batch. @param address where the kernel finds the bytes of an array */
export class MessageBatch {
  /** `struct mmsghdr[]`. */
  readonly headers: Uint8Array = new Uint8Array(BATCH * HEADER_BYTES);
  readonly names: Uint8Array = new Uint8Array(BATCH * NAME_BYTES);
  readonly packets: Uint8Array = new Uint8Array(BATCH * SNAP_BYTES);
  readonly controls: Uint8Array = new Uint8Array(BATCH * CONTROL_BYTES);
  private readonly vectors = new Uint8Array(BATCH * VECTOR_BYTES);
  private readonly view = new DataView(this.headers.buffer);
  private readonly control = new DataView(this.controls.buffer);
  private readonly frame = new PacketFrame();

  constructor(address: (bytes: Uint8Array) => bigint) {
    this.frame.view = new DataView(this.packets.buffer);
    const vectors = new DataView(this.vectors.buffer);
    const [names, packets, controls, table] = [this.names, this.packets, this.controls, this.vectors].map(
      address,
    ) as [bigint, bigint, bigint, bigint];
    for (let i = 0; i < BATCH; i++) {
      const at = i * HEADER_BYTES;
      vectors.setBigUint64(i * VECTOR_BYTES, packets + BigInt(i * SNAP_BYTES), true);
      vectors.setBigUint64(i * VECTOR_BYTES + 8, BigInt(SNAP_BYTES), true);
      this.view.setBigUint64(at + HEADER.name, names + BigInt(i * NAME_BYTES), true);
      this.view.setBigUint64(at + HEADER.vector, table + BigInt(i * VECTOR_BYTES), true);
      this.view.setBigUint64(at + HEADER.vectors, 1n, true);
      this.view.setBigUint64(at + HEADER.control, controls + BigInt(i * CONTROL_BYTES), true);
    }
    this.clear(BATCH);
  }

  /** Makes the first messages ready to be filled again. */
  clear(count: number): void {
    for (let i = 0; i < count; i++) {
      const at = i * HEADER_BYTES;
      this.view.setUint32(at + HEADER.nameLength, NAME_BYTES, true);
      this.view.setBigUint64(at + HEADER.controlLength, BigInt(CONTROL_BYTES), true);
      this.view.setInt32(at + HEADER.flags, 0, true);
    }
  }

  /** The packet of a message; its seconds are 0 where it has no stamp. The object is used again. */
  read(index: number): PacketFrame {
    const { frame } = this;
    frame.seconds = frame.nanoseconds = frame.length = frame.vlan = 0;
    frame.hardware = undefined;
    frame.early = true;
    const name = new DataView(this.names.buffer, index * NAME_BYTES);
    frame.protocol = name.getUint16(2, false);
    const bytes = this.view.getUint32(index * HEADER_BYTES + 56, true);
    const size = Number(this.view.getBigUint64(index * HEADER_BYTES + HEADER.controlLength, true));
    let link = 0;
    const from = index * CONTROL_BYTES;
    const end = from + Math.min(size, CONTROL_BYTES);
    for (let at = from; at + CONTROL_HEAD <= end; ) {
      const length = Number(this.control.getBigUint64(at, true));
      if (length < CONTROL_HEAD || at + length > end) break;
      const level = this.control.getInt32(at + 8, true);
      const type = this.control.getInt32(at + 12, true);
      const data = at + CONTROL_HEAD;
      if (level === SOL_SOCKET && type === SCM_TIMESTAMPING) this.stamps(data);
      if (level === SOL_PACKET && type === PACKET_AUXDATA) link = this.auxiliary(data);
      at += (length + 7) & ~7;
    }
    frame.length -= link;
    frame.at = index * SNAP_BYTES + link;
    frame.captured = Math.max(0, Math.min(bytes, SNAP_BYTES) - link);
    return frame;
  }

  /** Three timespecs: the software's, one that is not used, the NIC's. */
  private stamps(at: number): void {
    const { control, frame } = this;
    frame.seconds = Number(control.getBigInt64(at, true));
    frame.nanoseconds = Number(control.getBigInt64(at + 8, true));
    const hardware = control.getBigInt64(at + 32, true) * 1_000_000_000n + control.getBigInt64(at + 40, true);
    frame.hardware = hardware === 0n ? undefined : hardware;
  }

  /** struct tpacket_auxdata. @returns bytes of the link header */
  private auxiliary(at: number): number {
    const { control, frame } = this;
    frame.length = control.getUint32(at + 4, true);
    if ((control.getUint32(at, true) & AUX_VLAN_VALID) !== 0) frame.vlan = control.getUint16(at + 16, true);
    return Math.max(0, control.getUint16(at + 14, true) - control.getUint16(at + 12, true));
  }
}
