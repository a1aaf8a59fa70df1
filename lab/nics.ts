/** The emulated NICs of the lab, and what each can do there. */
import { RxError } from '../src/base/errors.js';

/** One kind of NIC. */
export interface NicModel {
  /** What `--nic` takes. */
  readonly name: string;
  /** QEMU's device with its own options. */
  readonly device: string;
  /** Kernel modules of its driver. */
  readonly modules: readonly string[];
  /** How the number of receive queues is set: by ethtool -L, by the number of CPUs, or not at all. */
  readonly queues: 'ethtool' | 'cpus' | 'one';
  /** Most receive queues the lab can give it. */
  readonly maxQueues: number;
  /** Queues when none are asked for: as many as it has CPUs for, or one where more need root. */
  readonly unasked: 'most' | 'one';
  /** How frames get in: over a unix socket that anybody can use, or, for several queues, by a tap: root. */
  readonly severalBy: 'socket' | 'tap';
  /** True where `ethtool -N rx-flow-hash udp4 sdfn` spreads UDP flows by their ports. */
  readonly hashesPorts: boolean;
  /** Receive descriptors per queue, where the default is too few: the NIC drops instead of letting the sender wait. */
  readonly rxRing?: number;
  readonly about: string;
}

/** A NIC as asked for. */
export interface NicSpec {
  readonly model: NicModel;
  /** Receive queues. */
  readonly queues: number;
  readonly by: 'socket' | 'tap';
}

/** All NICs. */
export const NICS: readonly NicModel[] = [
  {
    name: 'igb',
    device: 'igb',
    modules: ['igb'],
    queues: 'ethtool',
    maxQueues: 8,
    unasked: 'most',
    severalBy: 'socket',
    hashesPorts: true,
    rxRing: 4096,
    about: 'Intel 82576, MSI-X, one interrupt per queue, RSS over UDP ports',
  },
  {
    name: 'e1000e',
    device: 'e1000e',
    modules: ['e1000e'],
    queues: 'one',
    maxQueues: 1,
    unasked: 'most',
    severalBy: 'socket',
    hashesPorts: false,
    about: 'Intel 82574L, MSI-X, own vectors for receive and transmit',
  },
  {
    name: 'vmxnet3',
    device: 'vmxnet3',
    modules: ['vmxnet3'],
    queues: 'cpus',
    maxQueues: 8,
    unasked: 'most',
    severalBy: 'socket',
    hashesPorts: false,
    about: 'VMware, one vector per queue pair; the emulation puts every frame on queue 0',
  },
  {
    name: 'virtio',
    device: 'virtio-net-pci',
    modules: ['virtio_net'],
    queues: 'ethtool',
    maxQueues: 8,
    unasked: 'one',
    severalBy: 'tap',
    hashesPorts: false,
    about: 'virtio-net, own vectors for input and output, RSS over UDP ports; several queues need root',
  },
];

/** `1 queue`, `1-8 queues`. */
export function range(maxQueues: number): string {
  return maxQueues === 1 ? '1 queue' : `1-${maxQueues} queues`;
}

/** The NIC taken when none is named. */
export const DEFAULT_NIC = 'igb';

function refuse(subject: string, why: string, hint: string): RxError {
  return new RxError('RXS_LAB_NO_NIC', {
    doing: 'choosing the NIC of the lab',
    subject: `"${subject}"`,
    why,
    hint,
  });
}

/**
 * Parses `MODEL[,queues=N]`. Without queues, as many as the CPUs and the NIC allow; one of virtio.
 * @throws RXS_LAB_NO_NIC for a NIC or a number of queues the lab cannot give
 */
export function parseNic(text: string, cpus: number): NicSpec {
  const [name = '', ...options] = text.split(',');
  const model = NICS.find((nic) => nic.name === name || nic.device === name || nic.modules.includes(name));
  if (model === undefined) {
    throw refuse(name, 'the lab has no such NIC', `pick one of: ${NICS.map((nic) => nic.name).join(', ')}`);
  }
  const most = Math.min(model.maxQueues, cpus);
  let queues = model.unasked === 'one' ? 1 : most;
  for (const option of options) {
    const match = /^queues=(\d+)$/.exec(option);
    if (match === null) throw refuse(text, `no option "${option}"`, 'write it as igb,queues=2');
    queues = Number(match[1]);
  }
  if (queues < 1 || queues > model.maxQueues) {
    const several = NICS.filter((nic) => nic.maxQueues >= queues).map((nic) => nic.name);
    const cure = several.length > 0 ? `for ${queues} queues take ${several.join(' or ')}` : 'ask for fewer';
    throw refuse(text, `${model.name} has ${range(model.maxQueues)} in the lab`, cure);
  }
  if (queues > cpus) {
    throw refuse(text, `${queues} queues need as many CPUs, the guest has ${cpus}`, `add --cpus ${queues}`);
  }
  if (model.queues === 'cpus' && queues !== most) {
    throw refuse(text, `${model.name} has as many queues as CPUs`, `use --cpus ${queues}`);
  }
  return { model, queues, by: queues > 1 ? model.severalBy : 'socket' };
}
