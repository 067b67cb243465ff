/** What is left out under emulation, and why: files by their paths, tests by any part of "FILE: NAME". */

/** Some files or tests, and why they are left out. */
export interface Skipped {
  readonly reason: string;
  readonly names: readonly string[];
}

/** What cannot be right there. */
export const IMPOSSIBLE: readonly Skipped[] = [
  {
    reason: "qemu answers an unknown ioctl with ENOSYS, and strace sees qemu's own calls",
    names: ["CORE-005 errno is the true one"],
  },
  {
    reason: "qemu shows the program itself where /proc/self/exe is a link",
    names: ["stat knows pipes, sockets, links"],
  },
  { reason: "qemu looks for / in the folder of the cross libraries first", names: ["ftok is"] },
  {
    reason: "libc lies where the cross libraries are, not where an aarch64 machine has it",
    names: [
      "--allow-ffi is all the permission there has to be",
      "permissions: FFI of a path is enough",
    ],
  },
  {
    reason: "qemu makes up /proc/self/maps and /proc/self/stat, and a Deno is called qemu in /proc",
    names: [
      "CORE-007 Mapping",
      "processIdentity is what /proc says",
      "the creator of a segment is known to live",
      "Doorbell: another process changes the memory",
      "Doorbell: one waits at a time",
      "stat tells who has it open and what waits",
      "ls and stat show POSIX objects in words",
      "the peer is told, as it was when it connected",
      "with passes signals on",
      "unix: methods know the process that calls",
      "unix-seqpacket: methods know the process that calls",
    ],
  },
  {
    reason: "qemu catches every signal, so that /proc does not tell which are ignored",
    names: [
      "a signal that the shell told it to ignore is ignored",
      "a command finds the signals as the caller has left them",
    ],
  },
  {
    reason: "qemu takes real-time signals for itself, so that others are free",
    names: ["signals: one that is in use already is left alone"],
  },
  {
    reason: "a signal that was heard is sometimes said to be blocked from then on there",
    names: [
      "signals: timeout, abort, close and the blocking form",
      "signals: a shell and python send to us",
      "onReload: never two at once",
    ],
  },
  {
    reason: "qemu gives real-time signals other numbers where they are sent and where they are blocked",
    names: [
      "a C program gets the value and the sender",
      "signals: blocked at the start, each",
      "signals under faults: none that was sent is lost",
      "senders that are killed at any moment: their values",
      "too many waiting signals are a LimitError",
    ],
  },
  {
    reason: "qemu lays out the process numbers of msqid_ds as longs",
    names: [
      "SVM-028",
      "MessageQueue: stat tells what is in it and who used it last",
      "a queue that C created is used",
      "a queue that perl created is used",
      "a queue that python created is used",
      "a queue that php created is used",
      "a queue that we created is used and removed",
      "ipcs and lsipc show a queue of ours",
    ],
  },
  {
    reason: "qemu makes a fork of every vfork, whose copy is the last to let go of shared memory",
    names: ["ipcs and lsipc show shared memory of ours"],
  },
  {
    reason: "qemu makes a fork of every vfork, which cannot tell its parent that there is nothing to execute",
    names: ["with says when there is no command, and gives a POSIX"],
  },
  { reason: "qemu answers a semop of nothing with EFAULT", names: ["SVS-015"] },
  {
    reason: "qemu does not know MSG_STAT_ANY, SEM_STAT_ANY and SHM_STAT_ANY",
    names: [
      "list has everybody's objects",
      "sysv/message_queue_test.ts: MessageQueue: somebody else's is not trusted unless allowed",
      "a user without permission sees all but the values",
      "who owns it can give back a mode",
      "another user looks without permission",
      "looking by index does not take",
    ],
  },
  {
    reason: "cc compiles for the machine itself",
    names: ["sizes and constants are those of the C compiler here"],
  },
  { reason: "qemu has no huge pages", names: ["hugePages are exact in size"] },
  { reason: "qemu has no futex_waitv", names: ["who waits is counted as libc counts"] },
  {
    reason: "qemu does not tell the kernel of robust mutexes, so that no death of an owner is told",
    names: [
      "Condition with PthreadMutex: an owner that died",
      "Condition with PthreadMutex: consumers that are killed",
      "PthreadMutex: an owner that is killed",
      "PthreadMutex: what is unlocked without being made consistent",
      "PthreadMutex: a process that ends while it holds it",
      "an owner in C that is killed is told of here",
      "LOCK-001",
      "LOCK-002",
    ],
  },
  {
    reason: "qemu has no mq_notify",
    names: [
      "packages/posix/notify_test.ts",
      "PMQ-033",
      "PMQ-034",
      "a C program is notified by its signal",
      "listMessageQueues has every queue",
      "POSIX message queue under faults: notify",
      "notify keeps a process alive",
    ],
  },
  {
    reason: "qemu takes descriptors for which there is no room, and leaves them open",
    names: ["SOCK-009", "hostile datagrams: as many descriptors as before"],
  },
  {
    reason: "qemu gives the kernel another interface than the one to join a group on",
    names: [
      "tcp under faults: a datagram answered, and a group",
      "multicast: members of a group",
      "a closed socket is not taken for the one that has its number now",
    ],
  },
  {
    reason: "holds the pool for 0.8 s, and as long take 64 calls into it and 100 turns of the loop there",
    names: ["conformance: a channel that holds a pool thread for each receive"],
  },
  {
    reason: "measures, which would be qemu",
    names: ["invite():", "bench without cc", "run: ours is compared"],
  },
];

/** What waits for words in a process that was started for it, over and over. */
const KINDS = ["greedy Semaphore", "manual Event", "auto Event", "Barrier", "SeqLock", "Condition"];
const BETWEEN_PROCESSES = [
  "who waits goes on, asynchronously and blocked",
  "another process lets one go on",
  "a Worker is like a process",
  "one that is killed while it waits keeps nobody",
  "an open handle does not keep the process alive",
];

/** What takes minutes there, and is left out without `--slow`. */
export const SLOW: readonly Skipped[] = [
  {
    reason: "starts a Deno for each command",
    names: [
      "packages/bench/",
      "packages/cli/bench/run_test.ts",
      "packages/cli/terminal_test.ts",
      "packages/cli/verbs/",
    ],
  },
  {
    reason: "starts a Deno dozens of times",
    names: [
      "packages/address/meeting_test.ts",
      "killed before each call",
      "killed after each call",
      "killed before each of its calls",
      "under torture: kill -9",
      "strace: ",
      "under faults: spawnWithChannel",
      "eight processes, of which whoever holds it is killed",
      "killed at any moment: it",
      "killed at any store",
    ],
  },
  {
    reason: "starts a Deno for each, and what a semaphore does there says the same",
    names: KINDS.flatMap((kind) => BETWEEN_PROCESSES.map((title) => `${kind}: ${title}`)),
  },
  { reason: "collects garbage all the time", names: ["under torture: garbage collection"] },
  {
    reason: "the contract once more, in the other direction, or over other words in memory",
    names: [
      ", back: promise",
      "semaphores alone: promise",
      "a mapped file with POSIX semaphores in it: promise",
    ],
  },
  {
    reason: "the same service once more, over another framing",
    names: [": two pipes, ", ": a unix socket, one message a line", ": a TCP connection, one message a line"],
  },
  {
    reason: "the faults once more, over another framing",
    names: [
      "pipe of packets under faults",
      "fifo with a length prefix under faults",
      "unix-seqpacket under faults",
      "unix, open for handles under faults: send",
      "unix, open for handles under faults: receive",
    ],
  },
];
