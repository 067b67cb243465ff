import { make } from "@ipc/address";
import { about, STATUS } from "../_failure.ts";
import { print } from "../io.ts";
import { duration, integer, integers, mode, oneOf, size } from "../_options.ts";
import { verb } from "../_verb.ts";

const FSYNC = ["always", "interval", "never"] as const;

export default verb({
  text: [
    "The mode is exact: the umask takes nothing from it. Memory and a file to be mapped need a size, and have room " +
    "for all of it from then on.",
    "A log is a folder of files, each of so many bytes. It keeps all messages unless it is told how much or how long; " +
    "what a named consumer has not used stays in any case.",
    "A System V object of key 0 is private: only who knows its id finds it. Its address is printed.",
  ],
  options: {
    mode: mode("MODE", "permissions in octal, 600 unless told"),
    "max-bytes": size("N", "the most bytes in a System V queue, the system's limit unless told"),
    "max-messages": integer("N", "the most messages in a POSIX queue, the system's default unless told", 1),
    "max-message-size": size(
      "N",
      "bytes of the longest message, the system's default unless told",
    ),
    fsync: oneOf("WHEN", "a log forces messages to disk always, each interval of 1s, or never", FSYNC),
    "segment-bytes": size("N", "bytes of each file of a log, 16M unless told"),
    "retain-bytes": size("N", "bytes of all files of a log, the oldest go first"),
    "retain-age": duration("T", "how old a log's messages may become"),
    size: size("N", "bytes of memory; semaphores in a set, 1 unless told"),
    initial: integers("N[,N…]", "what each semaphore begins with, 0 unless told"),
  },
  examples: [
    ["ipc make fifo:/run/in --mode 620", "one group may write"],
    ["ipc make sysv-msg:0x4d2", "a System V queue"],
    ["ipc make mq:/jobs --max-messages 10 --max-message-size 256", "a POSIX queue"],
    ["ipc make file:/var/lib/jobs --fsync always", "a log whose messages survive a loss of power"],
    ["ipc make sem:/busy --initial 1", "a semaphore that one at a time can hold"],
    [
      "ipc make 'sysv-shm:/etc/app.conf?proj=65' --size 64K",
      "memory, with the key that ftok gives a C program",
    ],
  ],
  async run({ operands, options, io }) {
    const [address] = operands as [string];
    const made = await about(address, () =>
      make(address, {
        mode: options.mode,
        maxBytes: options["max-bytes"],
        maxMessages: options["max-messages"],
        maxMessageSize: options["max-message-size"],
        fsync: options.fsync,
        segmentBytes: options["segment-bytes"],
        retainBytes: options["retain-bytes"],
        retainAge: options["retain-age"],
        size: options.size,
        initial: options.initial,
      }));
    if (made !== address) await print(io.stdout, `${made}\n`);
    return STATUS.done;
  },
});
