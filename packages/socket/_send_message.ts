/** sendmsg(2): bytes that descriptors go with. */

import { type Bytes, ERRNO } from "@ipc/core";
import { errno } from "@ipc/core/sys";
import { iovec, msghdr, syscalls } from "./_abi.ts";
import { rightsOf } from "./_control_message.ts";
import { onView } from "./_libc.ts";
import { addressOf } from "./_message_buffer.ts";

/**
 * Sends bytes and descriptors with the first of them, to an encoded address or to the peer; how many bytes went, or an
 * errno below 0.
 *
 * System call: `sendmsg`.
 */
export function sendMessage(
  fd: number,
  bytes: Uint8Array,
  fds: readonly number[],
  { flags, to }: { flags: number; to?: Bytes | undefined },
): number {
  // Copied to memory of our own: only of that the address may be asked for.
  const data = new Uint8Array(new ArrayBuffer(bytes.byteLength));
  data.set(bytes);
  const control = fds.length > 0 ? rightsOf(fds) : new DataView(new ArrayBuffer(0));
  const name = new Uint8Array(new ArrayBuffer(to?.byteLength ?? 0));
  if (to !== undefined) name.set(to);
  const vector = new DataView(new ArrayBuffer(iovec.size));
  vector.setBigUint64(iovec.iov_base, addressOf(data), true);
  vector.setBigUint64(iovec.iov_len, BigInt(data.byteLength), true);
  const header = new DataView(new ArrayBuffer(msghdr.size));
  header.setBigUint64(msghdr.msg_name, addressOf(name), true);
  header.setUint32(msghdr.msg_namelen, name.byteLength, true);
  header.setBigUint64(msghdr.msg_iov, addressOf(vector), true);
  header.setBigUint64(msghdr.msg_iovlen, 1n, true);
  header.setBigUint64(msghdr.msg_control, addressOf(control), true);
  header.setBigUint64(msghdr.msg_controllen, BigInt(control.byteLength), true);
  const view = new Uint8Array(header.buffer);
  while (true) {
    const count = onView.sendmsg(syscalls.sendmsg, fd, view, flags);
    if (count !== -1) return keep(count, data, control, name, vector);
    const code = errno();
    if (code !== ERRNO.EINTR) return keep(-code, data, control, name, vector);
  }
}

/** Uses what the header points to, so that it is not collected before the call is over. */
function keep(result: number, ...memory: ArrayBufferView[]): number {
  return memory.length > 0 ? result : 0;
}
