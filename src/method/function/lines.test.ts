import { describe, expect, it } from 'vitest';
import { type HandledLine, certainLine, lineNotes, placesText } from './lines.js';

const line = (irq: number, handler: string, cpu: number | undefined): HandledLine => ({
  irq,
  handlers: [handler],
  threaded: false,
  cpu,
});

/** Two queues and a link interrupt of one driver, and a disk. */
const LINES = [
  line(24, 'igb_msix_other', 0),
  line(25, 'igb_msix_ring', 0),
  line(26, 'igb_msix_ring', 1),
  line(30, 'nvme_irq', 0),
];

describe('certainLine', () => {
  it('is certain where no other line has the handler, wherever it runs', () => {
    expect(certainLine(LINES, 'igb_msix_other', 1)).toBe(24);
  });

  it('is certain where no other line with the handler goes to this CPU', () => {
    expect(certainLine(LINES, 'igb_msix_ring', 0)).toBe(25);
    expect(certainLine(LINES, 'igb_msix_ring', 1)).toBe(26);
    expect(certainLine(LINES, 'igb_msix_ring', 2), 'nobody goes there: it has moved').toBe(-1);
  });

  it('is not certain with two on one CPU, or with one that may go anywhere', () => {
    expect(certainLine([...LINES, line(31, 'igb_msix_ring', 1)], 'igb_msix_ring', 1)).toBe(-1);
    expect(certainLine([...LINES, line(31, 'igb_msix_ring', 1)], 'igb_msix_ring', 0)).toBe(25);
    expect(certainLine([...LINES, line(31, 'igb_msix_ring', undefined)], 'igb_msix_ring', 0)).toBe(-1);
  });

  it('knows nothing of a function that handles no line', () => {
    expect(certainLine(LINES, 'do_exit', 0)).toBe(-1);
  });
});

describe('what is said of lines', () => {
  it('names the ground', () => {
    expect(lineNotes(LINES, ['igb_msix_other'], [24])).toEqual([
      'igb_msix_other handles IRQ 24 and no other: every call of it is that interrupt',
    ]);
    expect(lineNotes(LINES, ['igb_msix_ring'], [25, 26])).toEqual([
      'igb_msix_ring handles IRQ 25, 26; certain, as long as affinities stay: IRQ 25 on CPU 0, IRQ 26 on CPU 1',
    ]);
  });

  it('says that calls of other lines may be among them', () => {
    const more = [...LINES, line(31, 'igb_msix_ring', 1)];
    expect(lineNotes(more, ['igb_msix_ring'], [25, 26])).toEqual([
      'igb_msix_ring handles IRQ 25, 26, 31; certain, as long as affinities stay: IRQ 25 on CPU 0; calls for IRQ 31, which was not asked for, may be among those without a line',
    ]);
  });

  it('changes when a line moves', () => {
    expect(placesText(LINES)).toBe('24:0 25:0 26:1 30:0');
    expect(placesText([line(24, 'x', undefined)])).toBe('24:?');
  });
});
