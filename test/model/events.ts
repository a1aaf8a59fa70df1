/** What happens when: a heap of events in the order of their time, first come first served at the same nanosecond. */

/** The clock of the model and what is still to come. */
export class Events {
  /** Nanoseconds. */
  now = 0;
  private readonly times: number[] = [];
  private readonly orders: number[] = [];
  private readonly runs: (() => void)[] = [];
  private order = 0;

  /** Runs `run` at `time`, which is not before now. */
  at(time: number, run: () => void): void {
    if (time < this.now) throw new Error(`event at ${time} before now, ${this.now}`);
    let i = this.times.length;
    const order = this.order++;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if ((this.times[parent] as number) <= time) break;
      this.move(parent, i);
      i = parent;
    }
    this.put(i, time, order, run);
  }

  /** Runs the next event. @returns false when there is none */
  step(): boolean {
    const [run] = this.runs;
    if (run === undefined) return false;
    this.now = this.times[0] as number;
    const time = this.times.pop() as number;
    const order = this.orders.pop() as number;
    const last = this.runs.pop() as () => void;
    if (this.times.length > 0) this.sink(time, order, last);
    run();
    return true;
  }

  private sink(time: number, order: number, run: () => void): void {
    const { length } = this.times;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= length) break;
      if (child + 1 < length && this.before(child + 1, child)) child++;
      const at = this.times[child] as number;
      if (time < at || (time === at && order < (this.orders[child] as number))) break;
      this.move(child, i);
      i = child;
    }
    this.put(i, time, order, run);
  }

  private before(a: number, b: number): boolean {
    const [first, second] = [this.times[a] as number, this.times[b] as number];
    return first < second || (first === second && (this.orders[a] as number) < (this.orders[b] as number));
  }

  private move(from: number, to: number): void {
    this.times[to] = this.times[from] as number;
    this.orders[to] = this.orders[from] as number;
    this.runs[to] = this.runs[from] as () => void;
  }

  private put(i: number, time: number, order: number, run: () => void): void {
    this.times[i] = time;
    this.orders[i] = order;
    this.runs[i] = run;
  }
}
