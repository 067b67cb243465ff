import { list, type ObjectStatus } from "@ipc/address";
import { about } from "../_failure.ts";
import { bytes, count } from "../_format.ts";
import { print } from "../io.ts";
import { flag } from "../_options.ts";
import { processName, userName } from "../_people.ts";
import { style } from "../_style.ts";
import { table } from "../_table.ts";
import { verb } from "../_verb.ts";

export default verb({
  text: [
    "KIND is sysv-msg, sysv-sem, sysv-shm, mq, sem or shm; unix, unix-seqpacket or unix-dgram for the sockets that can " +
    "be connected or sent to, tcp and udp for those of the network; fifo:FOLDER for the FIFOs below a folder, file:FOLDER for the logs, mmap:FOLDER for the " +
    "files there that somebody has mapped and shares. Without any it is all that needs no folder; POSIX queues are in " +
    "it where their file system is mounted, and ls mq says how. Everybody's objects are listed, and nobody is " +
    "disturbed. The addresses are those that the other verbs take; stat tells all there is to see of one.",
  ],
  options: { json: flag("print an object for each, one a line, with plain numbers") },
  examples: [
    ["ipc ls", "everything"],
    ["ipc ls unix tcp", "who listens at which unix socket, and at which port"],
    ["ipc ls shm fifo:/run", "POSIX memory, and the FIFOs below /run"],
    [
      "ipc ls sysv-shm --json | jq -r 'select(.attachCount == 0).address' | xargs ipc rm",
      "remove memory that nobody has attached",
    ],
  ],
  async run({ operands, options, io }) {
    const found = operands.length === 0
      ? list()
      : (await Promise.all(operands.map((kind) => about(kind, () => list([kind]))))).flat();
    const { dim } = style(io.stdout);
    if (options.json) {
      await print(io.stdout, found.map((status) => `${JSON.stringify(status)}\n`).join(""));
    } else if (found.length > 0) {
      await print(io.stdout, table(io.stdout, HEADINGS, found.map(cells), ["id"]));
    } else if (io.stdout.terminal) {
      await print(io.stdout, `${dim("there are none")}\n`);
    }
  },
});

const HEADINGS = ["address", "id", "owner", "mode", "holds", "last used"];

function cells(status: ObjectStatus): string[] {
  return [
    // A path may have control characters in it, and this goes to a terminal.
    status.address.replace(/\p{Cc}/gu, "?"),
    "id" in status ? String(status.id) : "",
    status.uid === undefined ? "" : userName(status.uid),
    status.mode === undefined ? "" : status.mode.toString(8).padStart(4, "0"),
    contents(status).filter((part) => part !== "").join(", "),
    lastUse(status),
  ];
}

function contents(status: ObjectStatus): string[] {
  switch (status.type) {
    case "fifo": {
      const { available, readers, writers } = status;
      return [
        available === undefined ? "" : bytes(available),
        count(readers.length, "reader"),
        count(writers.length, "writer"),
      ];
    }
    case "sysv-msg":
      return [count(status.messages, "message"), `${bytes(status.bytes)} of ${bytes(status.maxBytes)}`];
    case "sysv-sem":
      return [count(status.semaphores, "semaphore")];
    case "sysv-shm":
      return [
        bytes(status.size),
        status.attachCount === 0 ? "not attached" : `attached ${count(status.attachCount, "time")}`,
        status.locked ? "locked" : "",
        status.removalPending ? "removed with the last" : "",
      ];
    case "mq": {
      const { messages, maxMessages, bytes: inAll } = status;
      if (messages === undefined) return ["not for this user"];
      return [
        `${count(messages)} of ${count(maxMessages!, "message")}`,
        inAll === undefined ? "" : bytes(inAll),
      ];
    }
    case "sem":
      return [status.value === undefined ? "" : count(status.value, "unit")];
    case "shm":
      return [bytes(status.size)];
    case "unix":
    case "unix-seqpacket":
      return [count(status.connections, "connection"), ...status.holders.slice(0, 1).map(processName)];
    case "unix-dgram":
      return status.holders.slice(0, 1).map(processName);
    case "tcp":
      return [count(status.connections!, "connection"), ...status.holders.slice(0, 1).map(processName)];
    case "udp":
      return [bytes(status.available!), ...status.holders.slice(0, 1).map(processName)];
    case "file": {
      const { first, last, bytes: inAll, consumers } = status;
      return [
        count(last - first + 1, "message"),
        bytes(inAll),
        consumers.length === 0 ? "" : count(consumers.length, "consumer"),
      ];
    }
    case "mmap":
      return [bytes(status.size), `mapped by ${processes(status.holders.length)}`];
  }
}

function processes(number: number): string {
  return number === 1 ? "1 process" : `${count(number)} processes`;
}

/** When it was used last and, where that is known, by whom. */
function lastUse(status: ObjectStatus): string {
  switch (status.type) {
    case "sysv-msg": {
      const { lastSendTime, lastReceiveTime, lastSendPid, lastReceivePid } = status;
      const received = (lastReceiveTime ?? 0) > (lastSendTime ?? 0);
      return used(received ? lastReceiveTime : lastSendTime, received ? lastReceivePid : lastSendPid);
    }
    case "sysv-sem":
      return used(status.lastOperationTime);
    case "sysv-shm": {
      const { lastAttachTime = status.changeTime, lastDetachTime = lastAttachTime, lastPid } = status;
      return used(lastDetachTime > lastAttachTime ? lastDetachTime : lastAttachTime, lastPid);
    }
    case "mmap":
    case "file":
      return used(status.modifyTime);
    default:
      return "";
  }
}

function used(time: Date | undefined, pid = 0): string {
  if (time === undefined) return "never";
  return `${ago(Date.now() - time.getTime())}${pid === 0 ? "" : ` by ${processName(pid)}`}`;
}

function ago(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 100) return `${seconds} s ago`;
  if (seconds < 6000) return `${Math.floor(seconds / 60)} min ago`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h ago` : `${Math.floor(seconds / 86_400)} d ago`;
}
