/**
 * What drivers do that decides how sure an arrival is. Read from their source; a driver that is not listed is taken to
 * have the worse habit.
 */

/** Habits of a driver. */
export interface DriverHabits {
  /**
   * It may raise its receive interrupts by itself. igb, igbvf, e1000 and e1000e do so every 2 s to be sure that the ring
   * is cleaned (igb_watchdog_task writes EICS, e1000_watchdog_task ICS), ixgbe where transmit hangs
   * (ixgbe_check_hang_subtask).
   */
  readonly selfRaised: boolean;
  /**
   * Its poll hands over each packet before it looks for the next one, so that the last look comes after the last
   * packet's driver stamp. Not so: sfc (a pipeline of one packet, efx_rx_flush_packet behind the last look), mvneta and
   * mvpp2 (count what is there first, then take it).
   */
  readonly looksAgain: boolean;
}

/** Drivers without a software interrupt in a watchdog. */
const QUIET: readonly string[] = ['virtio_net', 'vmxnet3'];

/** Drivers whose receive loop reads the next descriptor behind napi_gro_receive or netif_receive_skb. */
const LOOKS_AGAIN: readonly string[] = [
  'e1000',
  'e1000e',
  'i40e',
  'iavf',
  'ice',
  'igb',
  'igc',
  'ixgbe',
  'ixgbevf',
  'r8169',
  'tg3',
  'virtio_net',
  'vmxnet3',
];

/** The habits of a driver; undefined: a software interface. */
export function driverHabits(driver: string | undefined): DriverHabits {
  const has = (list: readonly string[]): boolean => driver !== undefined && list.includes(driver);
  return { selfRaised: !has(QUIET), looksAgain: has(LOOKS_AGAIN) };
}
