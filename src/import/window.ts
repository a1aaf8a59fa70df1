/** Puts what comes nearly in order into the order of time, per CPU, with bounded memory. */

/** Something with a CPU and a time. */
export interface Timed {
  readonly cpu: number;
  readonly time: number;
}

/** Holds so many before the first leaves: what is out of its place by less than that finds it. */
export const WINDOW = 4096;

interface Waiting<Item> {
  readonly items: Item[];
  /** Rows before it have left. */
  head: number;
  /** Time of the last one that left. */
  left: number;
}

/** A window over all CPUs; each CPU's items leave in the order of time. */
export class Window<Item extends Timed> {
  private readonly cpus = new Map<number, Waiting<Item>>();
  /** CPUs in the order in which their items came: one item of that CPU leaves for each. */
  private readonly turns: Uint16Array;
  private first = 0;
  private count = 0;
  private readonly leave: (item: Item) => void;
  private readonly late: (item: Item) => void;

  /**
   * @param leave gets the items in order
   * @param late gets those that came when later ones of their CPU had left
   */
  constructor(leave: (item: Item) => void, late: (item: Item) => void, size = WINDOW) {
    this.turns = new Uint16Array(size);
    this.leave = leave;
    this.late = late;
  }

  add(item: Item): void {
    if (this.count === this.turns.length) this.oldest();
    let waiting = this.cpus.get(item.cpu);
    if (waiting === undefined) {
      waiting = { items: [], head: 0, left: Number.NEGATIVE_INFINITY };
      this.cpus.set(item.cpu, waiting);
    }
    if (item.time < waiting.left) {
      this.late(item);
      return;
    }
    const { items, head } = waiting;
    let at = items.length;
    while (at > head && (items[at - 1] as Item).time > item.time) at--;
    if (at === items.length) items.push(item);
    else items.splice(at, 0, item);
    this.turns[(this.first + this.count) % this.turns.length] = item.cpu;
    this.count++;
  }

  private oldest(): void {
    const waiting = this.cpus.get(this.turns[this.first] as number) as Waiting<Item>;
    this.first = (this.first + 1) % this.turns.length;
    this.count--;
    const item = waiting.items[waiting.head++] as Item;
    if (waiting.head > 1024 && waiting.head * 2 > waiting.items.length) {
      waiting.items.splice(0, waiting.head);
      waiting.head = 0;
    }
    waiting.left = item.time;
    this.leave(item);
  }

  /** Lets all go. */
  end(): void {
    while (this.count > 0) this.oldest();
  }
}
