/** An event's fields as its text has them: `irq=25 name=eth0-rx-0`. */
import type { Fields } from '../method/events/table.js';

/** `napi poll on napi struct 00000000abcd for device eth0 work 1 budget 64` has no names. */
const NAPI_POLL = /^napi poll on napi struct (\S+) for device (.+) work (-?\d+) budget (-?\d+)\s*$/;

/** The text of an address: with 0x or without; hashed where the kernel hides it. Its lower 48 bits, exact in a double. */
export function addressOf(text: string): number {
  const digits = text.startsWith('0x') ? text.slice(2) : text;
  return /^[0-9a-f]{1,16}$/i.test(digits) ? Number.parseInt(digits.slice(-12), 16) : Number.NaN;
}

/** Fields by name. What is not there is 0 or empty, as {@link Fields} wants it; {@link has} says whether it is. */
export class TextFields implements Fields {
  readonly pid: number;
  private readonly values: Map<string, string>;

  constructor(pid: number, values: Map<string, string>) {
    this.pid = pid;
    this.values = values;
  }

  number(name: string): number {
    const value = Number(this.values.get(name) ?? 0);
    return Number.isFinite(value) ? value : 0;
  }

  address(name: string): number {
    const value = addressOf(this.values.get(name) ?? '0');
    return Number.isNaN(value) ? 0 : value;
  }

  text(name: string): string {
    return this.values.get(name) ?? '';
  }

  /** True where it is there and a whole number that is not negative. */
  hasNumber(name: string): boolean {
    return /^(?:0x[0-9a-f]{1,12}|\d{1,15})$/i.test(this.values.get(name) ?? '');
  }

  hasAddress(name: string): boolean {
    return !Number.isNaN(addressOf(this.values.get(name) ?? '-'));
  }

  hasText(name: string): boolean {
    return this.text(name) !== '';
  }
}

function pairs(text: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const match of text.matchAll(/(?:^|\s)([A-Za-z_]\w{0,40})=(\S*)/g))
    values.set(match[1] as string, match[2] as string);
  // The network events print the field `name` as `dev`.
  const device = values.get('dev');
  if (device !== undefined) values.set('name', device);
  return values;
}

type Check = (fields: TextFields) => boolean;

const numbers =
  (...names: string[]): Check =>
  (fields) =>
    names.every((name) => fields.hasNumber(name));
const packet: Check = (fields) =>
  fields.hasText('name') && fields.hasAddress('skbaddr') && fields.hasNumber('len');

/** What must be in the text of an event that is used. */
const NEEDED: Readonly<Record<string, Check>> = {
  irq_handler_entry: numbers('irq'),
  irq_handler_exit: numbers('irq'),
  softirq_raise: numbers('vec'),
  softirq_entry: numbers('vec'),
  softirq_exit: numbers('vec'),
  napi_poll: (fields) => fields.hasAddress('napi') && fields.hasText('dev_name'),
  napi_gro_receive_entry: packet,
  napi_gro_frags_entry: packet,
  netif_receive_skb_entry: packet,
  netif_receive_skb_list_entry: packet,
  netif_rx_entry: packet,
  netif_receive_skb: (fields) => fields.hasText('name') && fields.hasAddress('skbaddr'),
};

/** Reads the text behind an event's name; undefined: something that is needed is not there. */
export function textFields(event: string, pid: number, text: string): TextFields | undefined {
  const poll = event === 'napi_poll' ? NAPI_POLL.exec(text) : null;
  const values =
    poll === null
      ? pairs(text)
      : new Map([
          ['napi', poll[1] ?? ''],
          ['dev_name', poll[2] ?? ''],
          ['work', poll[3] ?? ''],
          ['budget', poll[4] ?? ''],
        ]);
  const fields = new TextFields(pid, values);
  return NEEDED[event]?.(fields) === false ? undefined : fields;
}
