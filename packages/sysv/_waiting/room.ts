import { constants, msqidDs } from "../_abi.ts";
import { libc } from "../_libc.ts";

const status = new DataView(new ArrayBuffer(msqidDs.size));

/** Whether a message of so many bytes fits, or can never fit; `undefined`: it cannot be told. System call: `msgctl`. */
export function roomFor(id: number, byteLength: number): boolean | undefined {
  if (libc.msgctl(id, constants.IPC_STAT, status) === -1) return undefined;
  const most = status.getBigUint64(msqidDs.qbytes, true);
  const length = BigInt(byteLength);
  return length > most || status.getBigUint64(msqidDs.cbytes, true) + length <= most &&
      status.getBigUint64(msqidDs.qnum, true) < most;
}
