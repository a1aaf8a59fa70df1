import { describe, expect, it } from 'vitest';
import { RxError } from '../../src/base/errors.js';
import { NICS, parseNic } from '../nics.js';
import { CELLS, CELL_CPUS, DIAGONAL, MATRIX_KERNELS, modelOf, selectCells } from './cells.js';

describe('CELLS', () => {
  it('has five kernel lines with every NIC, each NIC with two queues where it can have them', () => {
    expect(MATRIX_KERNELS.map(({ name }) => name)).toEqual(['5.10', '6.1', '6.12', '6.18', '7']);
    expect(CELLS).toHaveLength(20);
    const queues = CELLS.map(({ nic }) => parseNic(nic, CELL_CPUS)).map(({ model, queues: count }) => [
      model.name,
      count,
    ]);
    expect(Object.fromEntries(queues)).toEqual({ igb: 2, e1000e: 1, vmxnet3: 2, virtio: 2 });
  });
});

describe('DIAGONAL', () => {
  it('has each kernel once and each NIC at least once', () => {
    expect(DIAGONAL.map(({ kernel }) => kernel)).toEqual(MATRIX_KERNELS.map(({ name }) => name));
    expect(new Set(DIAGONAL.map(({ nic }) => modelOf(nic)))).toEqual(new Set(NICS.map(({ name }) => name)));
    for (const cell of DIAGONAL) expect(CELLS).toContainEqual(cell);
  });
});

describe('selectCells', () => {
  it('takes all, rows, columns and single cells', () => {
    expect(selectCells([], [])).toEqual(CELLS);
    expect(selectCells(['6.12'], [])).toHaveLength(NICS.length);
    expect(selectCells([], ['igb'])).toHaveLength(MATRIX_KERNELS.length);
    expect(selectCells(['5.10'], ['virtio'])).toEqual([{ kernel: '5.10', nic: 'virtio,queues=2' }]);
  });

  it('refuses names that are none', () => {
    expect(() => selectCells(['2.4'], [])).toThrow(RxError);
    expect(() => selectCells([], ['rtl8139'])).toThrow(/no such NIC/);
  });
});
