/** Needs CAP_BPF and CAP_PERFMON: the real kernel against what it prints elsewhere. Nothing is changed or sent. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openLooker, reportIrqs } from '../../src/nic/irq-report.js';
import { listNics } from '../../src/nic/resolve.js';
import { Inspector } from '../../src/sys/inspect.js';

const shown = readdirSync('/sys/kernel/irq').map(Number);

function withInspector<T>(use: (inspector: Inspector) => T): T {
  const inspector = Inspector.open();
  try {
    return use(inspector);
  } finally {
    inspector.close();
  }
}

describe('the inspector', () => {
  it('agrees with sysfs on the handlers of every interrupt of this machine', () => {
    withInspector((inspector) => {
      for (const irq of shown) {
        const actions = readFileSync(`/sys/kernel/irq/${irq}/actions`, 'utf8').trim();
        const detail = inspector.irq(irq);
        expect(detail?.actions.map((action) => action.name).join(','), `IRQ ${irq}`).toBe(actions);
        if (actions !== '') expect(detail?.actions[0]?.handler, `IRQ ${irq}`).toMatch(/^[A-Za-z_]\w*/);
      }
    });
  });

  it('agrees with procfs on the CPU that has the vector, and gives no vector twice on one CPU', () => {
    withInspector((inspector) => {
      const seen = new Map<string, number>();
      for (const irq of shown) {
        const detail = inspector.irq(irq);
        if (detail?.vector === undefined) continue;
        const file = `/proc/irq/${irq}/effective_affinity_list`;
        if (existsSync(file))
          expect(String(detail.cpu), `IRQ ${irq}`).toBe(readFileSync(file, 'utf8').trim());
        // 0x20 is the first vector of a device, 0xff the last there is (arch/x86/include/asm/irq_vectors.h).
        expect(detail.vector).toBeGreaterThanOrEqual(0x20);
        expect(detail.vector).toBeLessThan(0x100);
        const place = `${detail.cpu}/${detail.vector}`;
        expect(seen.get(place), `IRQ ${irq} on ${place}`).toBeUndefined();
        seen.set(place, irq);
      }
      expect(seen.size).toBeGreaterThan(0);
    });
  });

  it('knows no interrupt that does not exist, and an interface only by its right number', () => {
    withInspector((inspector) => {
      expect(inspector.irq(999_999)).toBeUndefined();
      expect(inspector.napis('lo', 1)?.napis).toEqual([]);
      expect(inspector.napis('lo', 999_999)).toBeUndefined();
      expect(inspector.napis('rxstamp-none', 1)).toBeUndefined();
    });
  });

  it('ties every receive interrupt to a NAPI instance with an id and a ground', async () => {
    const nics = listNics().filter((nic) => nic.irqs.length > 0);
    const looked = await openLooker();
    if (!('looker' in looked)) throw new Error(looked.why);
    try {
      const document = reportIrqs(nics, looked, new Map(), null);
      const receiving = document.interfaces
        .flatMap((nic) => nic.irqs)
        .filter((irq) => irq.role === 'rx' || irq.role === 'rxtx');
      for (const irq of receiving) expect(irq.napi, `IRQ ${irq.irq}: ${irq.unknown['napi']}`).not.toBeNull();
      const ids = receiving.map((irq) => irq.napi?.id);
      expect(new Set(ids).size).toBe(ids.length);
    } finally {
      looked.looker.close();
    }
  });

  it('leaves no program behind', () => {
    const before = readdirSync('/proc/self/fd').length;
    for (let i = 0; i < 3; i++) withInspector((inspector) => inspector.irq(shown[0] ?? 0));
    expect(readdirSync('/proc/self/fd').length).toBe(before);
  });
});
