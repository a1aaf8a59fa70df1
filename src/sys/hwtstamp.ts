/**
 * What a NIC can stamp, and what it is set to: ETHTOOL_GET_TS_INFO, SIOCGHWTSTAMP, SIOCSHWTSTAMP. Layouts:
 * include/uapi/linux/ethtool.h, net_tstamp.h.
 */
import { type Answer, known, unknown } from '../base/answer.js';
import { ethtoolCalls } from './ethtool-ioctl.js';
import { interfaceIoctl } from './ioctl.js';
import { errnoText } from './libc.js';

const SIOCSHWTSTAMP = 0x89b0;
const SIOCGHWTSTAMP = 0x89b1;
const ETHTOOL_GET_TS_INFO = 0x41;
const TS_INFO_BYTES = 44;
/** SOF_TIMESTAMPING_RX_HARDWARE. */
const RX_HARDWARE = 4;

/** What an interface's driver says about its own timestamps. */
export interface TimestampInfo {
  /** The NIC can stamp received frames. */
  readonly receives: boolean;
  /** N of /dev/ptpN; undefined: it has no clock that can be read. */
  readonly phc: number | undefined;
  /** Bit n: receive filter n of enum hwtstamp_rx_filters can be set. */
  readonly filters: number;
}

/** The NIC's setting: struct hwtstamp_config. */
export interface HwtstampConfig {
  readonly flags: number;
  /** One of enum hwtstamp_tx_types. */
  readonly txType: number;
  /** One of enum hwtstamp_rx_filters. */
  readonly rxFilter: number;
}

/** Asks the driver what it can stamp. Needs no privilege. */
export function timestampInfo(iface: string): Answer<TimestampInfo> {
  const view = new DataView(new ArrayBuffer(TS_INFO_BYTES));
  view.setUint32(0, ETHTOOL_GET_TS_INFO, true);
  const errno = ethtoolCalls(iface)(new Uint8Array(view.buffer));
  if (errno !== 0) return unknown(`the driver does not say what it can stamp (${errnoText(errno)})`);
  const phc = view.getInt32(8, true);
  return known({
    receives: (view.getUint32(4, true) & RX_HARDWARE) !== 0,
    phc: phc < 0 ? undefined : phc,
    filters: view.getUint32(28, true),
  });
}

/** The setting as it is; why not, where the driver does not tell. */
export function readHwtstamp(iface: string): Answer<HwtstampConfig> {
  const view = new DataView(new ArrayBuffer(12));
  const errno = interfaceIoctl(iface, SIOCGHWTSTAMP, new Uint8Array(view.buffer));
  if (errno !== 0) return unknown(`the driver does not tell its setting (${errnoText(errno)})`);
  return known({
    flags: view.getInt32(0, true),
    txType: view.getInt32(4, true),
    rxFilter: view.getInt32(8, true),
  });
}

/**
 * Changes the setting: needs CAP_NET_ADMIN.
 * @returns the setting that the driver made of it (it may widen the filter), or why it refused
 */
export function writeHwtstamp(iface: string, config: HwtstampConfig): Answer<HwtstampConfig> {
  const view = new DataView(new ArrayBuffer(12));
  view.setInt32(0, config.flags, true);
  view.setInt32(4, config.txType, true);
  view.setInt32(8, config.rxFilter, true);
  const errno = interfaceIoctl(iface, SIOCSHWTSTAMP, new Uint8Array(view.buffer));
  if (errno !== 0) return unknown(errnoText(errno));
  return known({
    flags: view.getInt32(0, true),
    txType: view.getInt32(4, true),
    rxFilter: view.getInt32(8, true),
  });
}
