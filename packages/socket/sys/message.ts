import type { Bytes } from "@ipc/core";
import { failure, sizeT } from "@ipc/core/sys";
import { constants, syscalls } from "../_abi.ts";
import { libc, onView } from "../_libc.ts";
import { MessageBuffer } from "../_message_buffer.ts";
import type { Credentials } from "../peer.ts";
import { sendMessage } from "../_send_message.ts";
import { encodeUnixAddress } from "../_unix_address.ts";
import { complete } from "./_call.ts";

/** A message as recv(2) gives it. */
export interface Received {
  /** Its bytes, as many as there was room for. */
  data: Bytes;
  /** What the call returned: with MSG_TRUNC all the bytes that a message had. */
  length: number;
}

/** A message as recvmsg(2) gives it. */
export interface ReceivedMessage extends Received {
  /** What `msg_flags` says: MSG_TRUNC, MSG_CTRUNC. */
  flags: number;
  /** The path or `@name` of the sender; `undefined`: it has none. */
  from: string | undefined;
  /** Who sent it, where SO_PASSCRED is set and `controlSize` has room for it. */
  credentials: Credentials | undefined;
  /** The control messages, as they are in memory. */
  control: Bytes;
  /** The descriptors that came with it, which the caller has to close. */
  rights: number[];
}

/**
 * Sends bytes, and returns how many went. System call: `sendto`.
 *
 * @throws {BrokenPipeError} `EPIPE`: the peer has closed, or this direction was shut down.
 * @throws {MessageTooLongError} `EMSGSIZE`: a message has more bytes than SO_SNDBUF allows.
 * @throws {IpcError} `EAGAIN`: there is no room, and the call may not wait. `ENOTCONN`: there is no peer.
 */
export function send(sockfd: number, data: Uint8Array, flags = 0): number {
  const all = flags | constants.MSG_NOSIGNAL;
  const length = sizeT(data.byteLength);
  return complete(
    () => onView.sendto(syscalls.sendto, sockfd, data as Bytes, length, all, null),
    "sendto",
    sockfd,
  );
}

/**
 * Sends bytes and with them descriptors, and returns how many bytes went. System call: `sendmsg`.
 *
 * @throws {IpcError} `EINVAL`: there are more than 253. `EBADF`: one is not open. `ETOOMANYREFS`: too many are under
 * way. Otherwise as `send`.
 */
export function sendmsg(
  sockfd: number,
  data: Uint8Array,
  { rights = [], flags = 0 }: { rights?: readonly number[]; flags?: number } = {},
): number {
  const count = sendMessage(sockfd, data, rights, { flags: flags | constants.MSG_NOSIGNAL });
  if (count < 0) throw failure(-count, "sendmsg", "sendmsg", sockfd);
  return count;
}

/** Sends a datagram to a path or `@name`, and returns how many bytes went. System call: `sendto`. */
export function sendto(sockfd: number, data: Uint8Array, path: string, flags = 0): number {
  const address = encodeUnixAddress(path);
  const all = flags | constants.MSG_NOSIGNAL;
  const length = sizeT(data.byteLength);
  return complete(
    () => libc.sendto(sockfd, data as Bytes, length, all, address, address.byteLength),
    "sendto",
    path,
  );
}

/**
 * Receives at most `size` bytes; no bytes are the end, or an empty message. System call: `recvfrom`.
 *
 * @throws {IpcError} `EAGAIN`: there is nothing, and the call may not wait. `ENOTCONN`: there is no peer.
 */
export function recv(sockfd: number, size: number, flags = 0): Received {
  const data = new Uint8Array(size);
  const length = complete(
    () => onView.recvfrom(syscalls.recvfrom, sockfd, data, sizeT(size), flags, null),
    "recvfrom",
    sockfd,
  );
  return { data: data.subarray(0, length), length };
}

/**
 * Receives a message of at most `size` bytes with `controlSize` bytes of control messages; descriptors among those are
 * the caller's, close-on-exec. System call: `recvmsg`.
 */
export function recvmsg(
  sockfd: number,
  size: number,
  { controlSize = 0, flags = 0 }: { controlSize?: number; flags?: number } = {},
): ReceivedMessage {
  const buffer = new MessageBuffer(size, controlSize);
  const length = buffer.receive(sockfd, flags);
  if (length < 0) throw failure(-length, "recvmsg", "recvmsg", sockfd);
  return {
    data: buffer.data.subarray(0, length),
    length,
    flags: buffer.flags,
    from: buffer.from,
    credentials: buffer.credentials,
    control: new Uint8Array(buffer.control.buffer, 0, buffer.controlLength),
    rights: buffer.takeHandles().map((handle) => handle.take()),
  };
}
