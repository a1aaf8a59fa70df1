/** Records pages of ftrace's ring buffer in the lab, and what the kernel prints of them: `node dist/test/kernels/save-trace-pages.js`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SINK_PORT, sequencePayload, udpFrame } from '../../lab/frames.js';
import type { Guest } from '../../lab/guest.js';
import { withGuest } from '../../lab/with-guest.js';
import { packageRoot } from '../../src/sys/package.js';

const KERNEL = '6.12';
const ROOT = '/sys/kernel/tracing';
const INSTANCE = `${ROOT}/instances/record`;
const MISSED_STORED = 1 << 30;
const LENGTH_MASK = (1 << 27) - 1;
const HEAD = 16;

/** Events with their filters; IRQS stands for the receive interrupts. */
const EVENTS: Readonly<Record<string, string>> = {
  'irq/irq_handler_entry': 'IRQS',
  'irq/irq_handler_exit': 'IRQS',
  'irq/softirq_entry': 'vec==3',
  'irq/softirq_exit': 'vec==3',
  'irq/softirq_raise': 'vec==3',
  'napi/napi_poll': 'dev_name=="eth0"',
  'net/napi_gro_receive_entry': 'name=="eth0"',
  'net/netif_receive_skb': 'name=="eth0"',
  'rec/flow': 'IRQS',
};
const KEPT = ['irq', 'vec', 'name', 'len', 'queue_mapping', 'dev_name', 'work', 'budget'];

const frames = (count: number): Buffer[] =>
  Array.from({ length: count }, (_, index) =>
    udpFrame({
      sourcePort: 20_000 ^ (1 << (index % 15)),
      port: SINK_PORT,
      payload: sequencePayload(index, 64),
    }),
  );

/** Lines of a CPU as `seconds thread event field=value …`, of the fields that tests compare. */
function shortened(trace: string, cpu: number): string[] {
  const lines = trace.matchAll(/^\s*.{1,16}-(\d+)\s+\[(\d+)\] \S+\s+(\d+\.\d+): (\w+)(.*)$/gm);
  return [...lines].flatMap(([, pid, where, time, event = '', rest = '']) => {
    if (Number(where) !== cpu) return [];
    if (!rest.startsWith(': ')) return [`${time} ${pid} function`];
    const poll = /for device (\S+) work (\d+) budget (\d+)/.exec(rest);
    const text = poll === null ? rest : ` dev_name=${poll[1]} work=${poll[2]} budget=${poll[3]}`;
    const fields = [...text.matchAll(/ (\w+)=(\S+)/g)]
      .map(([, key = '', value]) => [key === 'dev' ? 'name' : key, value] as const)
      .filter(([key]) => KEPT.includes(key));
    return [[time, pid, event, ...fields.map(([key, value]) => `${key}=${value}`)].join(' ')];
  });
}

/** A page without what lies behind its last event, but for the count of lost ones. */
function trimmed(base64: string): string {
  const page = Buffer.from(base64, 'base64');
  const commit = page.readUInt32LE(8);
  const stored = (commit & MISSED_STORED) === 0 ? 0 : 8;
  return page.subarray(0, HEAD + (commit & LENGTH_MASK) + stored).toString('base64');
}

async function shell(guest: Guest, text: string): Promise<string> {
  const { code, stdout, stderr } = await guest.run(['sh', '-c', text]);
  if (code !== 0) throw new Error(`${text}: ${stderr}`);
  return stdout;
}

async function pageOf(guest: Guest, part: string, cpu: number) {
  const text = shortened(await shell(guest, `cat ${INSTANCE}/trace`), cpu);
  const stats = await shell(guest, `cat ${INSTANCE}/per_cpu/cpu${cpu}/stats`);
  const lost = Number(/^overrun: (\d+)$/m.exec(stats)?.[1]);
  const pipe = `${INSTANCE}/per_cpu/cpu${cpu}/trace_pipe_raw`;
  const page = await shell(guest, `dd if=${pipe} bs=4096 count=1 iflag=nonblock 2>/dev/null | base64 -w0`);
  return { part, cpu, lost, page: trimmed(page), text };
}

async function record(guest: Guest, count: number, gapUs: number): Promise<void> {
  for (const event of Object.keys(EVENTS)) await shell(guest, `echo 1 > ${INSTANCE}/events/${event}/enable`);
  await guest.injector.send(frames(count), { gapUs });
  await shell(guest, `sleep 0.3; echo 0 > ${INSTANCE}/events/enable`);
}

await withGuest({ kernel: KERNEL, nic: 'igb,queues=2', cpus: 2 }, async (guest) => {
  await shell(guest, 'ethtool -N eth0 rx-flow-hash udp4 sdfn');
  const probe = 'p:rec/flow handle_edge_irq irq=+44($arg1):u32';
  await shell(
    guest,
    `mkdir ${INSTANCE}; echo mono > ${INSTANCE}/trace_clock; echo '${probe}' >> ${ROOT}/kprobe_events`,
  );
  const numbers = (await shell(guest, 'grep eth0-rx /proc/interrupts')).matchAll(/^ *(\d+):/gm);
  const irqs = [...numbers].map(([, irq]) => `irq==${irq}`).join('||');
  for (const [event, filter] of Object.entries(EVENTS)) {
    await shell(guest, `echo '${filter.replace('IRQS', irqs)}' > ${INSTANCE}/events/${event}/filter`);
  }
  const formats: Record<string, string> = {};
  for (const event of [...Object.keys(EVENTS), 'ftrace/function'])
    formats[event] = (await shell(guest, `cat ${ROOT}/events/${event}/format`)).replace(
      /\nprint fmt[^]*/,
      '',
    );
  const header = await shell(guest, `cat ${ROOT}/events/header_page`);

  await record(guest, 8, 3000);
  const pages = [await pageOf(guest, 'whole', 0), await pageOf(guest, 'whole', 1)];
  await shell(guest, `echo 4 > ${INSTANCE}/buffer_size_kb; echo > ${INSTANCE}/trace`);
  await record(guest, 120, 500);
  pages.push(await pageOf(guest, 'lost', 0));
  await shell(
    guest,
    `cd ${INSTANCE}; echo igb_msix_ring > set_ftrace_filter; echo > trace; echo function > current_tracer`,
  );
  await guest.injector.send(frames(8), { gapUs: 2000 });
  await shell(guest, `echo 0 > ${INSTANCE}/tracing_on`);
  pages.push(await pageOf(guest, 'function', 0));
  const kernel = (await shell(guest, 'uname -r')).trim();
  const path = join(packageRoot, `test/kernels/${KERNEL}-trace-pages.json`);
  writeFileSync(path, `${JSON.stringify({ kernel, header, formats, pages }, null, 2)}\n`);
});
