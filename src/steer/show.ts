/** What `steer --show` prints: everything that decides about queues, as the NIC has it now. */
import type { Nic } from '../nic/nic.js';
import type { Answer } from '../base/answer.js';
import { tableLines } from '../base/table.js';
import type { NicSettings, Rss } from '../sys/nic-settings.js';
import { HASHED_TYPES, HASH_FUNCTIONS, fieldsText } from './hash-fields.js';
import { tableText } from './step-text.js';
import { decodeRule, ruleText } from './rules.js';
import type { Steering } from './state.js';

/** `IRQ 31 (eth0-rx-1) → CPU 0`, or why there is none. */
export function irqText(nic: Nic, queue: number): string {
  const irqs = nic.irqs.filter((irq) => irq.queue === queue && (irq.role === 'rx' || irq.role === 'rxtx'));
  if (irqs.length === 0) return nic.noIrqs ?? 'no interrupt is known for it';
  return irqs
    .map(({ irq, actions, effectiveCpu, affinity }) => {
      const cpu = effectiveCpu === undefined ? `CPUs ${affinity}` : `CPU ${effectiveCpu}`;
      return `IRQ ${irq} (${actions.join(', ')}) → ${cpu}`;
    })
    .join(', ');
}

const TRANSFORMS: Readonly<Record<number, string>> = {
  0: 'none',
  1: 'symmetric by XOR',
  2: 'symmetric by OR and XOR',
};

function rssLines(rss: Answer<Rss>): string[] {
  if (!rss.known) return [rss.why];
  const { table, key, hashFunction, transform } = rss.value;
  const hex = [...key].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
  const lines = [`RSS table: ${table.length === 0 ? 'the driver gives none' : tableText(table)}`];
  for (let at = 0; at < table.length; at += 16) {
    lines.push(`  ${String(at).padStart(4)}: ${table.slice(at, at + 16).join(' ')}`);
  }
  lines.push(`hash key: ${hex === '' ? 'the driver does not give it' : hex}`);
  lines.push(`hash function: ${HASH_FUNCTIONS[hashFunction] ?? `number ${hashFunction}`}`);
  lines.push(`hash input transformation: ${TRANSFORMS[transform] ?? `number ${transform}`}`);
  return lines;
}

/** The lines of `--show`. */
export function showLines(nic: Nic, settings: NicSettings, steerings: readonly Steering[]): string[] {
  const ntuple = settings.ntuple();
  const rules = settings.rules();
  const lines = [
    `${nic.name}: ${nic.driver ?? 'no driver'}, ${nic.rxQueues} receive queue${nic.rxQueues === 1 ? '' : 's'}`,
    ...Array.from({ length: nic.rxQueues }, (_, queue) => `  queue ${queue} → ${irqText(nic, queue)}`),
    ntuple.known
      ? `n-tuple rules: ${ntuple.value.on ? 'on' : 'off'}${ntuple.value.changeable ? '' : ', fixed by the driver'}`
      : `n-tuple rules: ${ntuple.why}`,
  ];
  if (!rules.known) lines.push(`  ${rules.why}`);
  else if (rules.value.rules.length === 0) lines.push('  none');
  else lines.push(...rules.value.rules.map((rule) => `  ${ruleText(decodeRule(rule))}`));
  lines.push(...rssLines(settings.rss()));
  const fields = HASHED_TYPES.map(([name, type]) => {
    const answer = settings.hashFields(type);
    return [`  ${name}`, answer.known ? fieldsText(answer.value) : answer.why.replace(/^hash fields: /, '')];
  });
  lines.push('hashed fields:', ...tableLines([{ title: '' }, { title: '' }], fields).slice(1));
  if (steerings.length > 0) lines.push('changed by rxstamp, oldest first:', ...steerings.map(steeringText));
  return lines;
}

/** A steering in one line. */
export function steeringText({ flow, queue, way, at, phase, owner, ended }: Steering): string {
  const until =
    phase === 'kept'
      ? 'until --undo'
      : ended
        ? 'ended, waits for the newer one'
        : `for the run of process ${owner.pid}`;
  return `  ${flow} → queue ${queue} by ${way}, ${at}, ${until}`;
}
