/**
 * The NIC's own stamps on their way into the lanes: decoded in the NIC's clock, converted when the clocks have been read
 * behind them, so that every stamp lies between two readings and none has to wait.
 */
import { RxError } from '../base/errors.js';
import { HardwareClock } from '../record/hardware-clock.js';
import type { Lane } from '../record/lane.js';
import type { StageWay } from '../record/source.js';
import type { CrossClock } from '../sys/ptp.js';

/** The clocks are read this often, and after each drain that brought stamps. */
const READ_EVERY_NS = 1e9;

/** What the NIC's stamps are to a session. */
export interface HardwareOptions {
  /** How they are read, or why not. */
  readonly way: Omit<StageWay, 'stage'>;
  /** The NIC's clock, open for as long as the session runs; undefined: they are not read. */
  readonly clock: CrossClock | undefined;
}

/** Stamps that were decoded and are to be converted. */
export class HardwareStamps {
  /** Called when the NIC's clock was set, with the nanoseconds. */
  onStep: (step: number) => void = () => {};
  /** The clock had just been set when it was last read: read it again at once, so that little time is unknown. */
  private again = false;
  /** Packets whose stamp could not be converted since they were last asked for. */
  private lost = 0;
  private readonly device: CrossClock;
  private readonly clock: HardwareClock;
  private readonly baseHigh: number;
  private readonly baseLow: number;
  private readonly lanes: Lane[] = [];
  private readonly rows: number[] = [];

  /**
   * Reads the clocks for the first time.
   * @param base what times are relative to, nanoseconds of CLOCK_MONOTONIC
   * @throws RxError RXS_SYS when the NIC's clock cannot be read
   */
  constructor(base: bigint, device: CrossClock) {
    const first = device.crossTimestamp();
    if (first === undefined) {
      throw new RxError('RXS_SYS', {
        doing: "reading the NIC's clock",
        why: 'it answered a moment ago and does no more',
        hint: 'is the interface going down? try again',
      });
    }
    this.device = device;
    this.clock = new HardwareClock(base, first);
    this.baseHigh = Number(this.clock.nicBase >> 32n);
    this.baseLow = Number(this.clock.nicBase & 0xffff_ffffn);
  }

  /** Takes the stamp at word `at` of a record for a packet; its column holds the NIC's time until {@link convert}. */
  take(lane: Lane, row: number, words: Uint32Array, at: number): void {
    lane.packets.hardware[row] =
      ((words[at + 1] as number) - this.baseHigh) * 4_294_967_296 + ((words[at] as number) - this.baseLow);
    this.lanes.push(lane);
    this.rows.push(row);
  }

  /** Call after each drain, before a row moves. @param now relative to base */
  convert(now: number): void {
    const due = this.again || now - this.clock.lastReading >= READ_EVERY_NS;
    if (this.rows.length === 0 && !due) return;
    const reading = this.device.crossTimestamp();
    const step = reading === undefined ? 0 : this.clock.add(reading);
    if (step !== 0) this.onStep(step);
    this.again = step !== 0 && !this.again;
    for (const [index, lane] of this.lanes.entries()) {
      const row = this.rows[index] as number;
      const { hardware, hardwareError } = lane.packets;
      hardware[row] = this.clock.convert(hardware[row] as number);
      hardwareError[row] = this.clock.error;
      if (Number.isNaN(this.clock.error)) this.lost++;
    }
    this.lanes.length = this.rows.length = 0;
  }

  /** How many packets lost their stamp since the last call. */
  takeLost(): number {
    const { lost } = this;
    this.lost = 0;
    return lost;
  }
}
