/**
 * Widths of error bars, measured: how many, the largest, and the median out of a histogram of fixed size. A cell is at
 * most 1/32 of its value wide and stands for its upper edge, so a median is never told too small.
 */

/** Cells per power of two, as many as the upper bits of a double's fraction tell apart; times up to 2^53. */
const CELLS = 32;
const POWERS = 54;
/** Behind these bits of a double's upper half lie its exponent and the five upper bits of its fraction. */
const FRACTION_REST = 15;

const double = new Float64Array(1);
const halves = new Uint32Array(double.buffer);

function upperBits(value: number): number {
  double[0] = value;
  return (halves[1] as number) >>> FRACTION_REST;
}

/** What the bits of 1 are, the first cell behind that of 0. */
const ONE = upperBits(1) - 1;

/** Largest whole number in a cell. */
function edgeOf(cell: number): number {
  if (cell === 0) return 0;
  halves[0] = 0;
  halves[1] = ((ONE + cell + 1) << FRACTION_REST) >>> 0;
  return Math.ceil(double[0] as number) - 1;
}

/** The widths of one class. */
export class Widths {
  /** Widths that were added. */
  count = 0;
  /** Packets whose width is not known: nothing is known about the time before their arrival. */
  unknown = 0;
  max = 0;
  private readonly cells = new Float64Array(CELLS * POWERS + 1);

  /** @param width notAfter - notBefore, whole ns; NaN: not known */
  add(width: number): void {
    if (Number.isNaN(width)) {
      this.unknown++;
      return;
    }
    const cell = width < 1 ? 0 : upperBits(width) - ONE;
    this.cells[cell] = (this.cells[cell] as number) + 1;
    this.count++;
    if (width > this.max) this.max = width;
  }

  /** At least half of the widths are not larger; at most 1/32 more than the true median. NaN of nothing. */
  get median(): number {
    const half = this.count / 2;
    let sum = 0;
    for (let cell = 0; cell < this.cells.length; cell++) {
      sum += this.cells[cell] as number;
      if (sum >= half && sum > 0) return Math.min(edgeOf(cell), this.max);
    }
    return Number.NaN;
  }
}
