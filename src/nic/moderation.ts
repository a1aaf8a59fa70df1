/**
 * How long a NIC may hold back an interrupt: what `ethtool -c` prints, in the meaning of each driver. The numbers are
 * upper ends, because a stamp's error bar needs the worst case, and because an adaptive driver does not tell where
 * it stands now.
 */
import type { Coalescing } from '../sys/ethtool.js';

/** Interrupt moderation of an interface. */
export interface Moderation {
  /** `none`: the interrupt comes at once. `unknown`: the driver does not tell. */
  readonly mode: 'none' | 'fixed' | 'adaptive' | 'unknown';
  /** Longest time that an interrupt is held back, µs; undefined where nobody tells. */
  readonly maxUsecs: number | undefined;
  /** What the number of `rx-usecs` means here, where it is not microseconds. */
  readonly meaning: string | undefined;
}

/** Drivers in which a small `rx-usecs` is not a time but the name of an adaptive mode. */
const ADAPTIVE_CODES: readonly {
  readonly drivers: readonly string[];
  readonly codes: readonly number[];
  readonly maxUsecs: number;
}[] = [
  // igb_set_itr, igc_set_itr: bulk_latency is 980 quarter microseconds, about 4000 interrupts per second.
  { drivers: ['igb', 'igc'], codes: [1, 3], maxUsecs: 245 },
  // e1000_set_itr: bulk_latency is 4000 interrupts per second.
  { drivers: ['e1000', 'e1000e'], codes: [1, 3], maxUsecs: 250 },
  // Mode 4 ("simplified balancing") goes down to 2000 interrupts per second.
  { drivers: ['e1000', 'e1000e'], codes: [4], maxUsecs: 500 },
  // IXGBE_ITR_ADAPTIVE_MAX_USECS.
  { drivers: ['ixgbe', 'ixgbevf'], codes: [1], maxUsecs: 126 },
];

/** Longest time in adaptive mode, µs, by driver. */
const ADAPTIVE_MAX: readonly { readonly drivers: readonly string[]; readonly maxUsecs: number }[] = [
  // I40E_ITR_ADAPTIVE_MAX_USECS and IAVF_ITR_ADAPTIVE_MAX_USECS are 0x7e.
  { drivers: ['i40e', 'iavf'], maxUsecs: 126 },
  // rx_profile of ice_main.c ends at 128, later at 126.
  { drivers: ['ice'], maxUsecs: 128 },
  // NET_DIM_RX_EQE_PROFILES of lib/dim ends at 256.
  { drivers: ['mlx5_core', 'bnxt_en', 'ena', 'virtio_net'], maxUsecs: 256 },
];

/** What the settings mean for an interface with this driver. */
export function moderationOf(driver: string | undefined, settings: Coalescing): Moderation {
  const { rxUsecs, adaptiveRx, rxUsecsHigh } = settings;
  const has = (drivers: readonly string[]): boolean => driver !== undefined && drivers.includes(driver);
  const coded = ADAPTIVE_CODES.find(
    (row) => has(row.drivers) && rxUsecs !== null && row.codes.includes(rxUsecs),
  );
  if (coded !== undefined) {
    const meaning = `in ${driver} an rx-usecs of ${rxUsecs} is not a time but an adaptive mode`;
    return { mode: 'adaptive', maxUsecs: coded.maxUsecs, meaning };
  }
  if (adaptiveRx === true) {
    const told = rxUsecsHigh === null || rxUsecsHigh === 0 ? undefined : rxUsecsHigh;
    const usual = ADAPTIVE_MAX.find((row) => has(row.drivers))?.maxUsecs;
    return { mode: 'adaptive', maxUsecs: told ?? usual, meaning: undefined };
  }
  if (rxUsecs === null) return { mode: 'unknown', maxUsecs: undefined, meaning: undefined };
  if (rxUsecs === 0) return { mode: 'none', maxUsecs: 0, meaning: undefined };
  return { mode: 'fixed', maxUsecs: rxUsecs, meaning: undefined };
}
