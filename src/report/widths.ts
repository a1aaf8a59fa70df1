/**
 * Widths of error bars, measured: how many, the largest, and the median out of a histogram of fixed size. Its cells are
 * at most 1/32 of their value wide and give their upper edge, so a median is never told too small.
 */

/** Cells per power of two; times up to 2^53. */
const CELLS = 32;
const CELL_BITS = 5;

function cellOf(width: number): number {
  if (width < CELLS) return Math.ceil(width);
  const power = Math.floor(Math.log2(width)) - CELL_BITS;
  return power * CELLS + Math.floor(width / 2 ** power);
}

/** Upper edge of a cell, ns. */
function edgeOf(cell: number): number {
  if (cell < 2 * CELLS) return cell;
  const power = Math.floor(cell / CELLS) - 1;
  return (cell - power * CELLS + 1) * 2 ** power - 1;
}

/** The widths of one class. */
export class Widths {
  /** Widths that were added. */
  count = 0;
  /** Packets whose width is not known: nothing is known about the time before their arrival. */
  unknown = 0;
  max = 0;
  private readonly cells = new Float64Array(CELLS * 50);

  /** @param width notAfter - notBefore, ns; NaN: not known */
  add(width: number): void {
    if (Number.isNaN(width)) {
      this.unknown++;
      return;
    }
    const cell = cellOf(width);
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
