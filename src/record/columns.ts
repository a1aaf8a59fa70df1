/** Tables as columns: what rows of packets and of polls have in common. */

type Column = Float64Array | Uint32Array | Int32Array | Uint16Array | Uint8Array;

/** A table whose fields that are typed arrays, or lists of them, are its columns: one value per row, or some. */
export abstract class Columns {
  /** Rows that there is room for. */
  capacity: number;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  /** What the rows of a column hold that nobody has filled. */
  protected abstract blank(name: string): number;

  /** Doubles the room of every column. */
  grow(): void {
    this.replace((column, name) => {
      const bigger = new (column.constructor as new (size: number) => Column)(column.length * 2);
      bigger.set(column);
      return bigger.fill(this.blank(name), column.length);
    });
    this.capacity *= 2;
  }

  /** Moves rows [from, to) to the front. */
  moveToFront(from: number, to: number): void {
    this.replace((column) => {
      const perRow = column.length / this.capacity;
      return column.copyWithin(0, from * perRow, to * perRow);
    });
  }

  /** Fills all columns with their blanks; once, when they are there. */
  protected clear(): void {
    this.replace((column, name) => column.fill(this.blank(name)));
  }

  private replace(change: (column: Column, name: string) => Column): void {
    for (const [name, value] of Object.entries(this) as [string, unknown][]) {
      if (ArrayBuffer.isView(value)) Object.assign(this, { [name]: change(value as Column, name) });
      else if (Array.isArray(value))
        Object.assign(
          value,
          (value as Column[]).map((column) => change(column, name)),
        );
    }
  }
}
