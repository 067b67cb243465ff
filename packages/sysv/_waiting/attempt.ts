import type { Slots } from "./slots.ts";

/** The calls that an attempt makes, and the errno of this thread, to be read at once. */
export interface Calls {
  msgrcv(id: number, header: BigInt64Array, size: bigint, type: bigint, flags: number): number;
  msgctl(id: number, operation: number, status: BigInt64Array): number;
  semop(id: number, operations: Int16Array, count: bigint): number;
  errno(): number;
}

/** Makes the function that asks the kernel whether a wait is over. The workers carry its text, so it brings all it needs. */
export function attempts(slots: Slots, Table: typeof Slots, calls: Calls): (slot: number) => boolean {
  const { words, longs } = slots;
  const header = new BigInt64Array(1);
  const status = new BigInt64Array(15);
  const counts = Array.from({ length: Table.MOST_OPERATIONS + 1 }, (_, count) => BigInt(count));
  const [IPC_STAT, EINTR, EAGAIN, ENOMSG] = [2, 4, 11, 42];
  // Where struct msqid_ds has them, in units of eight bytes.
  const [CBYTES, QNUM, QBYTES] = [9, 10, 11];

  /**
   * A message longer than the room given, which is none, stays in the queue: E2BIG. An empty one is taken.
   */
  function message(at: number): boolean {
    const type = longs[(at + Table.TYPE) / 2]!;
    if (calls.msgrcv(words[at + Table.ID]!, header, 0n, type, words[at + Table.FLAGS]!) === -1) {
      const code = calls.errno();
      return code !== ENOMSG && code !== EINTR;
    }
    longs[(at + Table.TYPE) / 2] = header[0]!;
    words[at + Table.TOOK] = 1;
    return true;
  }

  /** The operations are followed by their opposites, so that together they change nothing; or they are to be done. */
  function semaphore(at: number, slot: number): boolean {
    const count = counts[words[at + Table.LENGTH]!]!;
    if (calls.semop(words[at + Table.ID]!, slots.operations(slot), count) === -1) {
      const code = calls.errno();
      return code !== EAGAIN && code !== EINTR;
    }
    if (words[at + Table.KIND] === Table.TAKING) words[at + Table.TOOK] = 1;
    return true;
  }

  function room(at: number): boolean {
    if (calls.msgctl(words[at + Table.ID]!, IPC_STAT, status) === -1) return true;
    const most = status[QBYTES]!;
    const length = BigInt(words[at + Table.LENGTH]!);
    // For what can never fit there is no sense in waiting either.
    return length > most || status[CBYTES]! + length <= most && status[QNUM]! < most;
  }

  return (slot) => {
    const at = slots.at(slot);
    const kind = words[at + Table.KIND];
    return kind === Table.MESSAGE ? message(at) : kind === Table.ROOM ? room(at) : semaphore(at, slot);
  };
}
