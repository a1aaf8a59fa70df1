/** The cells of the matrix: every kernel line of the lab with every NIC. */
import { RxError } from '../../src/base/errors.js';
import type { StageName } from '../../src/stages.js';
import { KERNELS, kernelNamed } from '../kernels.js';
import { NICS } from '../nics.js';

/** One cell. */
export interface Cell {
  readonly kernel: string;
  /** As `--nic` of `rxstamp lab` takes it. */
  readonly nic: string;
}

/** CPUs of every cell's guest. */
export const CELL_CPUS = 2;

/** The NICs, each with as many receive queues as it can have on two CPUs. */
export const MATRIX_NICS: readonly string[] = NICS.map(({ name, unasked, maxQueues }) =>
  unasked === 'one' && maxQueues > 1 ? `${name},queues=${CELL_CPUS}` : name,
);

/** The kernels of the matrix: one of each line. Flavours of a line have tests of their own. */
export const MATRIX_KERNELS = KERNELS.filter(({ name }) => !name.includes('-'));

/** Stages that a kernel has no hook for. Every other one must be reached in every cell of that kernel. */
export const UNREACHED: Readonly<Record<string, readonly StageName[]>> = {
  // __napi_poll() is a function of its own since 5.12.
  '5.10': ['poll'],
  // Compiled as __napi_poll.constprop.0, which has no type information.
  '6.12-rt': ['poll'],
};

/** All cells, kernel by kernel. */
export const CELLS: readonly Cell[] = MATRIX_KERNELS.flatMap(({ name: kernel }) =>
  MATRIX_NICS.map((nic) => ({ kernel, nic })),
);

/** Each kernel once, each NIC at least once: what every test run looks at. */
export const DIAGONAL: readonly Cell[] = MATRIX_KERNELS.map(({ name: kernel }, index) => ({
  kernel,
  nic: MATRIX_NICS[(index + 2) % MATRIX_NICS.length] ?? '',
}));

/** The model's name of a NIC as asked for. */
export const modelOf = (nic: string): string => nic.split(',')[0] ?? nic;

/**
 * The cells of these kernels and NICs; no names: of all.
 * @throws RXS_LAB_NO_KERNEL, RXS_LAB_NO_NIC for a name that is none
 */
export function selectCells(kernels: readonly string[], nics: readonly string[]): Cell[] {
  for (const kernel of kernels) kernelNamed(kernel);
  const models = MATRIX_NICS.map(modelOf);
  for (const nic of nics) {
    if (models.includes(nic)) continue;
    throw new RxError('RXS_LAB_NO_NIC', {
      doing: 'choosing cells of the matrix',
      subject: `"${nic}"`,
      why: 'the matrix has no such NIC',
      hint: `pick one of: ${models.join(', ')}`,
    });
  }
  return CELLS.filter(
    ({ kernel, nic }) =>
      (kernels.length === 0 || kernels.includes(kernel)) &&
      (nics.length === 0 || nics.includes(modelOf(nic))),
  );
}
