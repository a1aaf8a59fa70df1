/** The filter expression of `trace`: which words it is, what it compiles to, what to say when it does not. */
import { resolve } from 'node:path';
import { RxError } from '../../base/errors.js';
import { nearestFirst } from '../../base/nearest.js';
import { readClassic } from '../../filter/classic.js';
import { convert } from '../../filter/convert.js';
import { encodeExtended } from '../../filter/extended.js';
import type { KernelFilter } from '../../method/ebpf/filter.js';
import { LIMITS } from '../../method/ebpf/layout.gen.js';
import { SLOT_ROOM } from '../../method/ebpf/slot.js';
import { HOST } from '../../sys/files.js';
import { interfaceNames, linkTypeOf } from '../../sys/interfaces.js';
import { type Compilation, type FilterTarget, compileFilter } from '../../sys/libpcap.js';

/** The positional words of `trace`, told apart. */
export interface Words {
  readonly interface: string | undefined;
  /** The expression, its words joined by spaces as tcpdump does; undefined: none. */
  readonly expression: string | undefined;
  /** The first word of the expression could have been meant as an interface. */
  readonly guessed: boolean;
}

/**
 * Tells interface and expression apart: the first word is the interface when there is one of that name and none was
 * named with -i; all else is the expression.
 * @throws RxError RXS_USAGE when -i names one interface and the only word another
 */
export function splitWords(
  words: readonly string[],
  named: string | undefined,
  exists: (name: string) => boolean,
): Words {
  const [first, ...rest] = words;
  const join = (list: readonly string[]): string | undefined =>
    list.length === 0 ? undefined : list.join(' ');
  if (first === undefined) return { interface: named, expression: undefined, guessed: false };
  if (named === undefined) {
    return exists(first)
      ? { interface: first, expression: join(rest), guessed: false }
      : { interface: undefined, expression: join(words), guessed: true };
  }
  if (first === named) return { interface: named, expression: join(rest), guessed: false };
  if (rest.length === 0 && exists(first)) {
    throw new RxError('RXS_USAGE', {
      doing: 'choosing an interface',
      subject: `${first}, ${named}`,
      why: 'two different ones were given',
      hint: 'give one, as argument or with -i',
    });
  }
  return { interface: named, expression: join(words), guessed: false };
}

/** Comments from `#` to the end of the line are left out, as tcpdump -F does. @throws RxError RXS_USAGE */
export function readExpression(path: string): string {
  const answer = HOST.ask(resolve(path));
  if (answer.known) return answer.value.replace(/#.*$/gm, '').replace(/\s+/g, ' ').trim();
  throw new RxError('RXS_USAGE', {
    doing: 'reading the filter expression in',
    subject: path,
    why: answer.why,
    hint: 'name a file that holds one expression',
  });
}

/** The expression of the words or of -F. @throws RxError RXS_USAGE for both, and together with --interrupts */
export function expressionOf(
  words: Words,
  file: string | undefined,
  interrupts: boolean,
): string | undefined {
  if (file !== undefined && words.expression !== undefined) {
    throw new RxError('RXS_USAGE', {
      doing: 'reading the filter expression',
      subject: JSON.stringify(words.expression),
      why: 'there is one in -F as well',
      hint: words.guessed ? 'give one; name the interface with -i' : 'give one',
    });
  }
  const expression = file === undefined ? words.expression : readExpression(file);
  if (interrupts && expression !== undefined) {
    throw new RxError('RXS_USAGE', {
      doing: 'filtering with',
      subject: JSON.stringify(expression),
      why: words.guessed
        ? 'no such interface, and as a filter expression it looks at packets, which --interrupts does not have'
        : 'a filter expression looks at packets, and --interrupts shows interrupts',
      hint: 'leave one of the two out; --irq and --queue choose interrupts',
    });
  }
  return expression === '' ? undefined : expression;
}

/** What Linux keeps beside the bytes of a packet: libpcap must compile as for a capture on the interface. */
const BESIDE_THE_BYTES = /\b(vlan|inbound|outbound)\b/;

/** True when libpcap compiles the expression to something else for a live interface than for a file. */
export const needsLive = (expression: string): boolean => BESIDE_THE_BYTES.test(expression);

/** The first word is no interface, and it cannot have been meant otherwise, because of `but`. */
export function noInterface(expression: string, but: string): RxError {
  const first = expression.split(' ')[0] ?? '';
  return new RxError('RXS_NO_IFACE', {
    doing: 'resolving the interface',
    subject: JSON.stringify(first),
    why: 'no such network interface in this network namespace',
    hint: `pick one of: ${nearestFirst(first, interfaceNames()).join(', ')}; ${but}`,
  });
}

/** How an error speaks of an expression. */
interface Wording {
  readonly doing: string;
  /** The cure, where it is not another expression. */
  readonly hint?: string;
}

const TYPED: Wording = { doing: 'compiling the filter expression' };

/** Wording for an expression that nobody typed: what tells the packets of `upper` from the others of the NICs below it. */
export function shareOf(upper: string, below: readonly string[]): Wording {
  return {
    doing: `telling the packets of ${upper} from others by`,
    hint: `trace ${below.join(' or ')} instead: its packets arrive there; an interface must be up for that`,
  };
}

function refuse(
  expression: string,
  guessed: boolean,
  error: string,
  wording: Wording,
  recompile: (text: string) => Compilation,
): never {
  const [first = '', ...rest] = expression.split(' ');
  const said = `libpcap: ${error}`;
  const names = nearestFirst(first, interfaceNames()).join(', ');
  if (guessed && (rest.length === 0 || recompile(rest.join(' ')).ok)) {
    throw noInterface(expression, `as a filter expression it was refused too (${said})`);
  }
  throw new RxError('RXS_FILTER', {
    doing: wording.doing,
    subject: JSON.stringify(expression),
    why: said,
    hint:
      wording.hint ??
      (needsLive(expression)
        ? 'vlan, inbound and outbound are compiled as for a capture on the interface, which must be up; see pcap-filter(7)'
        : guessed
          ? `see pcap-filter(7); if ${JSON.stringify(first)} is meant as the interface, pick one of: ${names}`
          : 'see pcap-filter(7)'),
  });
}

/** A single word that is no interface and that nobody can compile is taken for a mistyped interface. */
function compileOrSay(expression: string, guessed: boolean, target: FilterTarget): Compilation {
  try {
    return compileFilter(expression, target);
  } catch (error) {
    if (!guessed || !/^[\w.@-]+$/.test(expression) || !(error instanceof RxError)) throw error;
    return { ok: false, error: error.message };
  }
}

/**
 * Compiles an expression for interfaces.
 * @param guessed the first word could have been meant as an interface
 * @param wording of errors; as for an expression that was typed unless given
 * @throws RxError RXS_FILTER with libpcap's words, RXS_NO_IFACE, RXS_NO_LIBPCAP
 */
export function kernelFilter(
  expression: string,
  guessed: boolean,
  interfaces: readonly string[],
  wording: Wording = TYPED,
): KernelFilter {
  const links = interfaces.map((name) => linkTypeOf(name));
  const [link] = links;
  if (link === undefined || links.some((other) => other !== link)) {
    throw new RxError('RXS_FILTER', {
      doing: wording.doing,
      subject: JSON.stringify(expression),
      why: `no link type that filters can be compiled for: ${interfaces.join(', ')}`,
      hint:
        wording.hint ??
        'filters are for Ethernet and loopback, and for interfaces whose packets begin with the IP header (tun, wireguard, ppp, ip tunnels)',
    });
  }
  const target: FilterTarget = { link, device: interfaces[0], live: needsLive(expression) };
  const compiled = compileOrSay(expression, guessed, target);
  if (!compiled.ok) {
    return refuse(expression, guessed, compiled.error, wording, (text) =>
      compileFilter(text, { ...target, live: false }),
    );
  }
  const { program, reach } = convert(readClassic(compiled.instructions), {
    window: LIMITS.FILTER_BYTES,
    instructions: SLOT_ROOM,
  });
  return { expression, code: encodeExtended(program), reach, ethernet: link === 'ethernet' };
}
