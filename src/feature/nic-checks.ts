/** Checks of an interface: what stands between a packet's arrival and its first stamp. */
import { moderationOf } from '../nic/moderation.js';
import type { Nic } from '../nic/nic.js';
import { parseCoalescing, parseOffloads, parseXdp } from '../sys/ethtool.js';
import type { KernelFiles } from '../sys/files.js';
import { type Check, type Finding, type NicTexts, nicCheck } from './finding.js';
import { hardwareStamps } from './stamp-check.js';

const attribute = (nic: Nic, name: string, files: KernelFiles): string | undefined =>
  files.text(`/sys/class/net/${nic.name}/${name}`);

/** `echo 0 > FILE` and its undo for a sysfs attribute. */
function setZero(path: string, before: string): Pick<Finding, 'cure' | 'undo'> {
  return { cure: `echo 0 > ${path}`, undo: `echo ${before} > ${path}` };
}

function state(nic: Nic, _texts: NicTexts, files: KernelFiles): Finding {
  const up = (Number(attribute(nic, 'flags', files) ?? '0') & 1) === 1;
  const queues = nic.rxQueues === 1 ? '1 receive queue' : `${nic.rxQueues} receive queues`;
  if (up) return { level: 'ok', found: `up, driver ${nic.driver ?? 'none'}, ${queues}` };
  return {
    level: 'problem',
    found: 'down',
    effect: 'it receives nothing',
    cure: `ip link set ${nic.name} up`,
    undo: `ip link set ${nic.name} down`,
  };
}

function interrupts(nic: Nic): Finding | readonly Finding[] {
  if (nic.noIrqs !== undefined) {
    return {
      level: 'note',
      found: nic.noIrqs,
      effect: 'stamps start at the driver stage; there is no interrupt to stamp',
      ...(nic.lower[0] === undefined ? {} : { cure: `rxstamp trace ${nic.lower[0]}` }),
    };
  }
  const findings: Finding[] = [];
  const receiving = nic.irqs.filter((irq) => irq.role === 'rx' || irq.role === 'rxtx');
  const both = receiving.filter((irq) => irq.role === 'rxtx');
  if (both.length > 0) {
    findings.push({
      level: 'note',
      found: `IRQ ${both.map((irq) => irq.irq).join(', ')} serve receive and transmit`,
      effect: 'an interrupt may be for a sent packet: its stamp is at most "probable" as an arrival',
    });
  }
  const shared = nic.irqs.filter((irq) => irq.actions.length > 1);
  if (shared.length > 0) {
    findings.push({
      level: 'note',
      found: `IRQ ${shared.map((irq) => `${irq.irq} (${irq.actions.join(', ')})`).join('; ')} is shared`,
      effect: 'the entry stamp may belong to another device; only the handler stage knows',
    });
  }
  if (findings.length > 0) return findings;
  return { level: 'ok', found: `IRQ ${receiving.map((irq) => irq.irq).join(', ')} for receive only` };
}

function moderation(nic: Nic, { coalescing }: NicTexts): Finding {
  if (!coalescing.known) return { level: 'unknown', found: coalescing.why };
  const settings = parseCoalescing(coalescing.value);
  const { rxUsecs, rxFrames, adaptiveRx } = settings;
  const { mode, maxUsecs, meaning } = moderationOf(nic.driver, settings);
  if (mode === 'unknown') return { level: 'unknown', found: 'the driver does not say' };
  const frames = rxFrames === null || rxFrames <= 1 ? '' : ` or ${rxFrames} packets`;
  const found = `rx-usecs ${rxUsecs ?? 'not said'}${frames}, adaptive ${mode === 'adaptive' ? 'on' : 'off'}`;
  if (mode === 'none') return { level: 'ok', found: `${found}: interrupts come at once` };
  const size = maxUsecs === undefined ? 'for a time that the driver chooses' : `for up to ${maxUsecs} µs`;
  return {
    level: 'note',
    found: meaning === undefined ? found : `${found} (${meaning})`,
    effect: `the NIC holds the interrupt back ${size}: a packet may be that much older than its entry stamp`,
    cure: `ethtool -C ${nic.name}${adaptiveRx ? ' adaptive-rx off' : ''} rx-usecs 0`,
    undo: `ethtool -C ${nic.name}${adaptiveRx ? ' adaptive-rx on' : ''}${rxUsecs === null ? '' : ` rx-usecs ${rxUsecs}`}`,
  };
}

function offloads(nic: Nic, texts: NicTexts): readonly Finding[] {
  if (!texts.offloads.known) return [{ level: 'unknown', found: texts.offloads.why }];
  const features = parseOffloads(texts.offloads.value);
  const findings: Finding[] = [];
  for (const [name, word] of [
    ['large-receive-offload', 'lro'],
    ['rx-gro-hw', 'rx-gro-hw'],
  ] as const) {
    const feature = features.get(name);
    if (!feature?.on) continue;
    findings.push({
      level: 'note',
      found: `${name} on${feature.fixed ? ' (fixed)' : ''}`,
      effect:
        'the NIC may join packets of a TCP flow before the driver sees them: one stamp for several packets',
      ...(feature.fixed
        ? {}
        : { cure: `ethtool -K ${nic.name} ${word} off`, undo: `ethtool -K ${nic.name} ${word} on` }),
    });
  }
  if (features.get('generic-receive-offload')?.on) {
    findings.push({
      level: 'ok',
      found: 'generic-receive-offload on',
      effect: 'none up to the driver stage; later stages see joined TCP packets once',
    });
  }
  return findings;
}

function napi(nic: Nic, _texts: NicTexts, files: KernelFiles): readonly Finding[] {
  const folder = `/sys/class/net/${nic.name}`;
  const findings: Finding[] = [];
  const threaded = attribute(nic, 'threaded', files);
  if (threaded !== undefined && threaded !== '0') {
    findings.push({
      level: 'note',
      found: 'threaded NAPI',
      effect: 'entry to raise stay; poll and later wait until the kernel thread is scheduled',
      ...setZero(`${folder}/threaded`, threaded),
    });
  }
  const timeout = attribute(nic, 'gro_flush_timeout', files);
  const defer = attribute(nic, 'napi_defer_hard_irqs', files);
  if ((timeout ?? '0') !== '0' || (defer ?? '0') !== '0') {
    findings.push({
      level: 'note',
      found: `gro_flush_timeout ${timeout ?? '?'} ns, napi_defer_hard_irqs ${defer ?? '?'}`,
      effect:
        (defer ?? '0') === '0'
          ? `joined packets may wait up to ${timeout} ns in GRO: stack and later stages move, earlier ones do not`
          : `the interrupt stays masked after a poll and a timer polls every ${timeout} ns: such packets have no interrupt`,
      cure: `echo 0 > ${folder}/napi_defer_hard_irqs; echo 0 > ${folder}/gro_flush_timeout`,
      undo: `echo ${defer ?? 0} > ${folder}/napi_defer_hard_irqs; echo ${timeout ?? 0} > ${folder}/gro_flush_timeout`,
    });
  }
  if (findings.length > 0) return findings;
  if (threaded === undefined && timeout === undefined) return [{ level: 'unknown', found: 'not in sysfs' }];
  return [{ level: 'ok', found: 'polls in softirq, no deferral' }];
}

function steering(nic: Nic, _texts: NicTexts, files: KernelFiles): Finding {
  const queues = files.list(`/sys/class/net/${nic.name}/queues`).filter((queue) => queue.startsWith('rx-'));
  const path = (queue: string): string => `/sys/class/net/${nic.name}/queues/${queue}/rps_cpus`;
  const values = queues.map((queue) => ({ queue, mask: files.text(path(queue)) }));
  const on = values.filter(({ mask }) => mask !== undefined && /[1-9a-f]/.test(mask));
  if (queues.length > 0 && values.every(({ mask }) => mask === undefined)) {
    return { level: 'unknown', found: 'rps_cpus cannot be read' };
  }
  if (on.length === 0) return { level: 'ok', found: 'off' };
  const flows = files.text('/proc/sys/net/core/rps_sock_flow_entries') ?? '0';
  return {
    level: 'note',
    found: `RPS on ${on.map(({ queue, mask }) => `${queue} (${mask})`).join(', ')}${flows === '0' ? '' : ', RFS on'}`,
    effect:
      'packets move to another CPU between driver and stack: stack and later stages come after that hop',
    cure: on.map(({ queue }) => `echo 0 > ${path(queue)}`).join('; '),
    undo: on.map(({ queue, mask }) => `echo ${mask} > ${path(queue)}`).join('; '),
  };
}

function xdp(nic: Nic, { link }: NicTexts): Finding {
  if (!link.known) return { level: 'unknown', found: link.why };
  const ids = parseXdp(link.value);
  if (ids === undefined) return { level: 'unknown', found: 'ip did not answer in JSON' };
  if (ids.length === 0) return { level: 'ok', found: 'none attached' };
  return {
    level: 'note',
    found: `program ${ids.join(', ')} attached`,
    effect: 'packets that it drops, sends back or redirects never reach the driver stage and are not shown',
    cure: `ip link set ${nic.name} xdp off   (undo: attach it again with the program that did)`,
  };
}

/** All checks of an interface, in the order they are shown. */
export const NIC_CHECKS: readonly Check[] = [
  nicCheck('state', 'interface', state),
  nicCheck('interrupts', 'interrupts', interrupts),
  nicCheck('moderation', 'interrupt moderation', moderation),
  nicCheck('napi', 'NAPI', napi),
  nicCheck('steering', 'RPS and RFS', steering),
  nicCheck('offloads', 'receive offloads', offloads),
  nicCheck('xdp', 'XDP', xdp),
  nicCheck('hardware-stamps', 'hardware timestamps', hardwareStamps),
];
