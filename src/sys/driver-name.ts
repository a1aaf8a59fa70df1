/** ETHTOOL_GDRVINFO: who drives an interface. Software interfaces answer with their kind. */
import { cText } from '../base/c-text.js';
import { ethtoolCalls } from './ethtool-ioctl.js';

const ETHTOOL_GDRVINFO = 3;
/** struct ethtool_drvinfo of include/uapi/linux/ethtool.h: the driver's name is its first text. */
const DRVINFO = { size: 196, driver: 4, text: 32 } as const;

/** `igb`, `macvlan`, `bridge`; undefined where the interface does not tell. Needs no privilege. */
export function driverName(iface: string): string | undefined {
  const bytes = new Uint8Array(DRVINFO.size);
  new DataView(bytes.buffer).setUint32(0, ETHTOOL_GDRVINFO, true);
  if (ethtoolCalls(iface)(bytes) !== 0) return undefined;
  const name = cText(bytes.subarray(DRVINFO.driver, DRVINFO.driver + DRVINFO.text));
  return name === '' ? undefined : name;
}
