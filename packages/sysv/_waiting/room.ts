import { constants, msqidDs } from "../_abi.ts";
import { libc } from "../_libc.ts";

const status = new DataView(new ArrayBuffer(msqidDs.size));

/** Whether a message of so many bytes fits; `undefined`: it cannot be told. System call: `msgctl`. */
export function roomFor(id: number, byteLength: number): boolean | undefined {
  if (libc.msgctl(id, constants.IPC_STAT, status) === -1) return undefined;
  const most = status.getBigUint64(msqidDs.qbytes, true);
  return status.getBigUint64(msqidDs.cbytes, true) + BigInt(byteLength) <= most &&
    status.getBigUint64(msqidDs.qnum, true) < most;
}
