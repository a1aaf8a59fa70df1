/** The interface that is steered, with the door to its settings and to what was changed. */
import { RxError } from '../../base/errors.js';
import type { Nic } from '../../nic/nic.js';
import { resolveNic } from '../../nic/resolve.js';
import { SteerState } from '../../steer/state.js';
import { effectiveCapabilities } from '../../sys/caps.js';
import { type ChangedInterface, interfacesHere, ofStateFile } from '../../sys/changed-interface.js';
import { ethtoolCalls } from '../../sys/ethtool-ioctl.js';
import { networkNamespace } from '../../sys/netns.js';
import { EthtoolSettings, type NicSettings } from '../../sys/nic-settings.js';
import { StateFolder } from '../../sys/state-folder.js';

/** What every steer command works on. */
export interface SteerTarget {
  readonly nic: Nic;
  readonly settings: NicSettings;
  readonly folder: StateFolder;
  readonly about: ChangedInterface;
}

/** Resolves the interface. @throws RxError RXS_NO_IFACE */
export function steerTarget(iface: string): SteerTarget {
  const nic = resolveNic(iface);
  return {
    nic,
    settings: new EthtoolSettings(ethtoolCalls(nic.name)),
    folder: new StateFolder('steer'),
    about: { name: nic.name, ifindex: nic.ifindex, netns: networkNamespace(), bus: nic.bus },
  };
}

/** Fails without the privilege to change a NIC. @throws RxError RXS_NO_PRIVILEGE */
export function checkMayChange(): void {
  const have = effectiveCapabilities();
  if (have === undefined || have.has('CAP_NET_ADMIN')) return;
  throw new RxError('RXS_NO_PRIVILEGE', {
    doing: 'changing the settings of a NIC',
    why: 'this process lacks CAP_NET_ADMIN',
    hint: 'run it with sudo',
  });
}

/** The steerings of the interface. @throws RxError RXS_STATE */
export function loadState({ folder, about }: SteerTarget): SteerState {
  return SteerState.load(folder, about);
}

/** Forgets the steerings of interfaces that are gone: the changes went with them. For who may write. */
export function forgetGone({ folder, about }: SteerTarget): void {
  const present = new Set(interfacesHere().map(({ ifindex }) => ifindex));
  for (const name of folder.names()) {
    const { netns, ifindex } = ofStateFile(name) ?? {};
    if (netns === about.netns && ifindex !== undefined && !present.has(ifindex))
      folder.write(name, undefined);
  }
}
