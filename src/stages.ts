/**
 * THE table of stages: every place on the receive path that rxstamp can stamp, in path order, and how each kernel
 * lets us reach it. Attaching, decoding, printing, the docs and the tests read this table; nobody types a stage name
 * a second time.
 *
 * A stage has ways, best first. A way is a set of BPF programs that only work together. The first way whose programs
 * all attach wins; the reasons against the earlier ones travel into the output. Facts behind the order: instruction
 * counts and kernel coverage in docs/stages.md.
 */

/** How a program hangs on the kernel. Only kinds that never lose a hit to another tool's program are here. */
export type HookKind = 'fentry' | 'fexit' | 'tp_btf';

/** One BPF program of the object file and the kernel symbol it hangs on. */
export interface Hook {
  readonly kind: HookKind;
  /** Kernel function (fentry, fexit) or tracepoint (tp_btf). */
  readonly target: string;
  /** Name of the program in bpf/. */
  readonly program: string;
  /** Its program is of no use where it cannot tell interrupts from what they interrupted. */
  readonly needsPreemptCount?: boolean;
}

/** One way to reach a stage: all of `hooks` must attach. */
export interface Way {
  /** How the output names it. */
  readonly label: string;
  readonly hooks: readonly Hook[];
  /** True where any one of the hooks is enough: the per-packet entries, of which a driver uses one. */
  readonly anyOf?: boolean;
  /** Sees an interrupt only when its handler runs: for packets, not for a record of every interrupt. */
  readonly packetsOnly?: boolean;
  /** Attached beside the hooks where they can be; without one the stage is stamped all the same, and less is known. */
  readonly helpers?: readonly Helper[];
}

/** A hook that adds to what a stage tells. */
export interface Helper extends Hook {
  /** What is not known without it. */
  readonly without: string;
}

/** A stage of the receive path. */
export interface Stage {
  readonly name: string;
  /** Column heading, at most 7 characters. */
  readonly label: string;
  /** One sentence: what a stamp here means. */
  readonly sentence: string;
  /** Whose stamp it is: each packet's own, or one of the interrupt or NAPI poll that all packets of that poll share. */
  readonly per: 'packet' | 'poll';
  /** Best first. Empty: no hook stamps it, the NIC itself does. */
  readonly ways: readonly Way[];
}

const fentry = (target: string, program: string): Hook => ({ kind: 'fentry', target, program });
const fexit = (target: string, program: string): Hook => ({ kind: 'fexit', target, program });
const tracepoint = (target: string, program: string): Hook => ({ kind: 'tp_btf', target, program });

const stages = [
  {
    name: 'hw',
    label: 'hw',
    sentence: 'the NIC itself stamped the packet as it came in: its own clock, converted',
    per: 'packet',
    ways: [],
  },
  {
    name: 'entry',
    label: 'entry',
    sentence: 'hard-IRQ entry: the CPU took the interrupt, before the kernel knows whose it is',
    per: 'poll',
    ways: [
      {
        label: 'fentry irq_enter_rcu, claimed by irq_handler_entry',
        hooks: [
          fentry('irq_enter_rcu', 'irq_enter'),
          { ...tracepoint('irq_handler_entry', 'isr_claim'), needsPreemptCount: true },
          fentry('napi_schedule_prep', 'napi_prep'),
          tracepoint('vector_update', 'irq_moved'),
        ],
        packetsOnly: true,
      },
      {
        label: 'fentry irq_enter_rcu, claimed by __common_interrupt',
        hooks: [fentry('irq_enter_rcu', 'irq_enter'), fentry('__common_interrupt', 'irq_vector')],
      },
      { label: 'fentry __common_interrupt', hooks: [fentry('__common_interrupt', 'irq_vector')] },
      {
        label: 'fentry irq_enter_rcu, claimed by the flow handler',
        hooks: [
          fentry('irq_enter_rcu', 'irq_enter'),
          fentry('handle_edge_irq', 'irq_edge'),
          fentry('handle_fasteoi_irq', 'irq_fasteoi'),
        ],
      },
      {
        label: 'fentry flow handler',
        hooks: [fentry('handle_edge_irq', 'irq_edge'), fentry('handle_fasteoi_irq', 'irq_fasteoi')],
      },
    ],
  },
  {
    name: 'isr',
    label: 'isr',
    sentence: "the driver's interrupt handler is about to run",
    per: 'poll',
    ways: [{ label: 'tracepoint irq_handler_entry', hooks: [tracepoint('irq_handler_entry', 'isr_entry')] }],
  },
  {
    name: 'raise',
    label: 'raise',
    sentence: 'the handler schedules NAPI, which raises the NET_RX softirq',
    per: 'poll',
    ways: [
      { label: 'fentry napi_schedule_prep', hooks: [fentry('napi_schedule_prep', 'napi_prep')] },
      {
        label: 'tracepoint softirq_raise inside the handler',
        hooks: [tracepoint('softirq_raise', 'softirq_raise'), tracepoint('irq_handler_exit', 'isr_exit')],
      },
    ],
  },
  {
    name: 'softirq',
    label: 'softirq',
    sentence: 'the NET_RX softirq starts on this CPU',
    per: 'poll',
    ways: [{ label: 'tracepoint softirq_entry', hooks: [tracepoint('softirq_entry', 'softirq_entry')] }],
  },
  {
    name: 'poll',
    label: 'poll',
    sentence: 'this NAPI instance is polled',
    per: 'poll',
    ways: [{ label: 'fentry __napi_poll', hooks: [fentry('__napi_poll', 'napi_poll_start')] }],
  },
  {
    name: 'driver',
    label: 'driver',
    sentence: 'the driver hands this packet to the stack: the first point that sees a packet',
    per: 'packet',
    ways: [
      {
        label:
          'tracepoints napi_gro_receive_entry, napi_gro_frags_entry, netif_receive_skb_*entry, netif_rx_entry',
        anyOf: true,
        hooks: [
          tracepoint('napi_gro_receive_entry', 'packet_gro'),
          tracepoint('napi_gro_frags_entry', 'packet_frags'),
          tracepoint('netif_receive_skb_entry', 'packet_receive'),
          tracepoint('netif_receive_skb_list_entry', 'packet_list'),
          tracepoint('netif_rx_entry', 'packet_netif_rx'),
        ],
      },
    ],
  },
  {
    name: 'stack',
    label: 'stack',
    sentence: '__netif_receive_skb_core: protocol handlers and packet sockets see the packet',
    per: 'packet',
    ways: [
      {
        label: 'tracepoint netif_receive_skb',
        hooks: [tracepoint('netif_receive_skb', 'stack_core')],
        helpers: [
          {
            ...fexit('skb_gro_receive', 'merge_gro'),
            without: 'packets that GRO merged into others are not told from ones that were not seen again',
          },
          {
            ...fexit('skb_gro_receive_list', 'merge_gro_list'),
            without: 'packets that GRO put into lists are not told from ones that were not seen again',
          },
        ],
      },
    ],
  },
  {
    name: 'ip',
    label: 'ip',
    sentence: 'the IP layer takes the packet, before its header is checked',
    per: 'packet',
    ways: [
      {
        label: 'fentry ip_rcv_core, ip6_rcv_core',
        hooks: [fentry('ip_rcv_core', 'ip_v4_core'), fentry('ip6_rcv_core', 'ip_v6_core')],
      },
      {
        label: 'fentry ip_rcv, ipv6_rcv (packets that come one by one)',
        anyOf: true,
        hooks: [fentry('ip_rcv', 'ip_v4'), fentry('ipv6_rcv', 'ip_v6')],
      },
    ],
  },
  {
    name: 'transport',
    label: 'transp',
    sentence:
      'TCP, UDP, ICMP or IGMP takes the packet: it is for this machine, and whole again if it was fragmented',
    per: 'packet',
    ways: [
      {
        label: 'fentry udp_rcv, tcp_v4_rcv, icmp_rcv, igmp_rcv and those of IPv6',
        anyOf: true,
        hooks: [
          fentry('udp_rcv', 'transport_udp_v4'),
          fentry('udpv6_rcv', 'transport_udp_v6'),
          fentry('tcp_v4_rcv', 'transport_tcp_v4'),
          fentry('tcp_v6_rcv', 'transport_tcp_v6'),
          fentry('icmp_rcv', 'transport_icmp_v4'),
          fentry('icmpv6_rcv', 'transport_icmp_v6'),
          fentry('igmp_rcv', 'transport_igmp'),
        ],
      },
      {
        label: 'tracepoint tcp_probe (only TCP, when an established connection takes the segment)',
        hooks: [tracepoint('tcp_probe', 'transport_probe')],
      },
    ],
  },
  {
    name: 'socket',
    label: 'socket',
    sentence: 'queued on its socket; whoever waits there is woken next',
    per: 'packet',
    ways: [
      {
        label: 'fentry __udp_enqueue_schedule_skb, tcp_queue_rcv',
        hooks: [
          fexit('__udp_enqueue_schedule_skb', 'socket_udp_done'),
          fentry('__udp_enqueue_schedule_skb', 'socket_udp'),
          fentry('tcp_queue_rcv', 'socket_tcp'),
        ],
        helpers: [
          {
            ...fentry('tcp_data_queue', 'socket_tcp_slow'),
            without: 'TCP segments that came out of order are not stamped',
          },
          {
            ...fexit('tcp_add_backlog', 'merge_backlog'),
            without: 'TCP segments that the backlog joined are not stamped',
          },
          {
            ...fentry('__sock_queue_rcv_skb', 'socket_other'),
            without: 'packets of ping sockets are not stamped',
          },
          { ...fexit('tcp_data_ready', 'socket_tcp_done'), without: 'whom a TCP segment woke is not known' },
          {
            ...tracepoint('sched_waking', 'socket_woken'),
            without: 'who was woken is not known',
            needsPreemptCount: true,
          },
        ],
      },
      {
        label: 'tracepoint sk_data_ready (only TCP, when the segment is queued and its reader is woken)',
        hooks: [tracepoint('sk_data_ready', 'socket_ready'), tracepoint('tcp_probe', 'transport_probe')],
      },
    ],
  },
  {
    name: 'read',
    label: 'read',
    sentence: 'a program has copied the packet (TCP: its last byte)',
    per: 'packet',
    ways: [
      {
        label: 'fentry skb_consume_udp, tracepoint tcp_rcv_space_adjust',
        hooks: [fentry('skb_consume_udp', 'read_udp'), tracepoint('tcp_rcv_space_adjust', 'read_tcp')],
        helpers: [
          {
            ...fentry('tcp_close', 'close_tcp'),
            without: 'TCP sockets closed with bytes unread are not told from ones that nobody reads',
          },
          {
            ...fentry('inet_sock_destruct', 'close_unaccepted'),
            without: 'TCP connections that nobody accepted are not told from ones that nobody reads',
          },
        ],
      },
      {
        label:
          'tracepoints tcp_rcv_space_adjust; consume_skb (only datagrams that the reading task frees itself, which kernels from 6.18 on leave to others)',
        hooks: [
          tracepoint('tcp_rcv_space_adjust', 'read_tcp'),
          tracepoint('consume_skb', 'released'),
          tracepoint('softirq_entry', 'softirq_begun'),
          tracepoint('softirq_exit', 'softirq_over'),
        ],
      },
    ],
  },
  {
    name: 'drop',
    label: 'drop',
    sentence: 'freed unused, with the kernel’s reason',
    per: 'packet',
    ways: [
      {
        label: 'tracepoint kfree_skb',
        hooks: [tracepoint('kfree_skb', 'drop')],
        helpers: [
          {
            ...tracepoint('consume_skb', 'consumed'),
            without: 'packets that the kernel used up are not told from ones that were not seen again',
          },
          {
            ...tracepoint('net_dev_queue', 'forwarded'),
            without: 'forwarded packets are not told from ones that were not seen again',
          },
        ],
      },
    ],
  },
] as const satisfies readonly Stage[];

/** Name of a stage. */
export type StageName = (typeof stages)[number]['name'];

/** All stages in path order. */
export const STAGES: readonly (Stage & { readonly name: StageName })[] = stages;

/** The stages that hooks of the kernel stamp: all but the NIC's own. */
export const HOOKED_STAGES = STAGES.filter((stage) => stage.ways.length > 0);

/** The stage names in path order, for option parsing and columns. */
export const STAGE_NAMES: readonly StageName[] = stages.map((stage) => stage.name);

/** Position of a stage in the ladder, 0 = earliest. */
export function stageIndex(name: StageName): number {
  return STAGE_NAMES.indexOf(name);
}

/** True for the name of a stage. */
export function isStage(name: string): name is StageName {
  return (STAGE_NAMES as readonly string[]).includes(name);
}
