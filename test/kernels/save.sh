#!/bin/sh
# Prints the kernel files that rxstamp reads as one text, for the unit tests: sh test/kernels/save.sh > 6.12-igb.txt
# The format is that of src/sys/saved-files.ts. Hardware addresses and routes other than defaults are left out.
set -u

file() { # one file, when it can be read
  [ -f "$1" ] && text=$(cat "$1" 2>/dev/null) || return 0
  case $text in
  *"
"*) printf '%s:\n' "$1"; printf '%s\n' "$text" | sed 's/^/\t/' ;;
  *) printf '%s = %s\n' "$1" "$text" ;;
  esac
}
link() { [ ! -L "$1" ] || printf '%s -> %s\n' "$1" "$(readlink "$1")"; }
target() { [ ! -e "$1" ] || printf '%s/\n' "$(readlink -f "$1")"; }

echo "# Linux $(uname -r | sed 's/-fc.*//') $(uname -m), saved by test/kernels/save.sh"
printf '/proc/interrupts:\n'
sed 's/^/\t/' /proc/interrupts
printf '/proc/net/route:\n'
awk 'NR == 1 || $2 == "00000000" { print "\t" $0 }' /proc/net/route
if [ -r /proc/net/ipv6_route ]; then
  printf '/proc/net/ipv6_route:\n'
  awk '$1 == "00000000000000000000000000000000" && $2 == "00" && $NF != "lo" { print "\t" $0 }' /proc/net/ipv6_route
fi
for f in kernel/unprivileged_bpf_disabled kernel/kptr_restrict kernel/perf_event_paranoid net/core/bpf_jit_enable \
  net/core/busy_poll net/core/busy_read net/core/rps_sock_flow_entries kernel/bpf_stats_enabled; do
  file "/proc/sys/$f"
done
for f in kernel/security/lockdown devices/system/clocksource/clocksource0/current_clocksource \
  devices/system/cpu/online; do file "/sys/$f"; done

for net in /sys/class/net/*; do
  [ -d "$net" ] || continue
  link "$net"
  real=$(readlink -f "$net")
  for f in ifindex flags uevent threaded gro_flush_timeout napi_defer_hard_irqs; do file "$real/$f"; done
  for queue in "$real"/queues/*; do
    echo "$queue/"
    for f in rps_cpus rps_flow_cnt; do file "$queue/$f"; done
  done
  for lower in "$real"/lower_*; do link "$lower"; done
  [ -e "$real/device" ] || continue
  link "$real/device"
  device=$(readlink -f "$real/device")
  for name in driver subsystem; do link "$device/$name"; target "$device/$name"; done
done
for pci in /sys/bus/pci/devices/*; do
  [ -e "$pci/driver" ] || continue
  link "$pci"
  real=$(readlink -f "$pci")
  for f in class irq; do file "$real/$f"; done
  for name in driver subsystem; do link "$real/$name"; target "$real/$name"; done
  for irq in "$real"/msi_irqs/*; do file "$irq"; done
done
for irq in /proc/irq/[0-9]*; do
  for f in smp_affinity_list effective_affinity_list node; do file "$irq/$f"; done
done
