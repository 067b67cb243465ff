/** The memory of recvmsg(2): a message, who sent it, and what came with it. */

import { type Bytes, ERRNO } from "@ipc/core";
import { errno, Memory } from "@ipc/core/sys";
import { cmsghdr, constants, iovec, msghdr, sockaddrUn, syscalls, ucred } from "./_abi.ts";
import { libc, onAddress, onView } from "./_libc.ts";
import { type Credentials, readCredentials } from "./peer.ts";
import { decodeUnixAddress } from "./_unix_address.ts";

const { MSG_CMSG_CLOEXEC, MSG_TRUNC, SOL_SOCKET, SCM_CREDENTIALS } = constants;
const { recvmsg: RECVMSG } = syscalls;

const NAMELEN = msghdr.msg_namelen / 4;
const CONTROLLEN = msghdr.msg_controllen / 4;
const FLAGS = msghdr.msg_flags / 4;

/** Room for the sender's credentials, and not a byte more: descriptors that nobody asked for never get in. */
export const CREDENTIALS_ONLY = Math.ceil((cmsghdr.size + ucred.size) / cmsghdr.ALIGN) * cmsghdr.ALIGN;

/** What one recvmsg(2) fills. It can be used again as soon as what came is copied out. */
export class MessageBuffer {
  /** Where the message is. */
  readonly data: Bytes;
  /** Where the control messages are. */
  readonly control: DataView<ArrayBuffer>;
  readonly #name = new Uint8Array(new ArrayBuffer(sockaddrUn.size));
  readonly #iovec = new DataView(new ArrayBuffer(iovec.size));
  readonly #memory = Memory.pinned(new Uint8Array(new ArrayBuffer(msghdr.size)));
  /** The header in halves of its words: quicker to write than through a DataView. */
  readonly #header = new Uint32Array(this.#memory.bytes.buffer);

  /** Makes room for a message of `size` bytes with `controlSize` bytes of control messages. */
  constructor(size: number, controlSize: number = CREDENTIALS_ONLY) {
    this.data = new Uint8Array(new ArrayBuffer(size));
    this.control = new DataView(new ArrayBuffer(controlSize));
    this.#iovec.setBigUint64(iovec.iov_base, addressOf(this.data), true);
    this.#iovec.setBigUint64(iovec.iov_len, BigInt(size), true);
    const header = new DataView(this.#header.buffer);
    header.setBigUint64(msghdr.msg_name, addressOf(this.#name), true);
    header.setBigUint64(msghdr.msg_iov, addressOf(this.#iovec), true);
    header.setBigUint64(msghdr.msg_iovlen, 1n, true);
    header.setBigUint64(msghdr.msg_control, addressOf(this.control), true);
  }

  /**
   * Receives a message; the bytes that it has, also where there was not room for all of them, or an errno below 0.
   *
   * System call: `recvmsg`.
   */
  receive(fd: number, flags: number): number {
    const header = this.#header;
    const { bytes, address } = this.#memory;
    const all = flags | MSG_TRUNC | MSG_CMSG_CLOEXEC;
    while (true) {
      header[NAMELEN] = sockaddrUn.size;
      header[CONTROLLEN] = this.control.byteLength;
      const count = address === null
        ? onView.recvmsg(RECVMSG, fd, bytes as Bytes, all)
        : onAddress.recvmsg(RECVMSG, fd, address, all);
      if (count !== -1) return count;
      const code = errno();
      if (code !== ERRNO.EINTR) return -code;
    }
  }

  /** What recvmsg(2) said of the message: MSG_TRUNC, MSG_CTRUNC. */
  get flags(): number {
    return this.#header[FLAGS]!;
  }

  /** How many bytes of control messages came. */
  get controlLength(): number {
    return this.#header[CONTROLLEN]!;
  }

  /** The path or `@name` of the sender; `undefined` where it has none. */
  get from(): string | undefined {
    return decodeUnixAddress(this.#name, this.#header[NAMELEN]!);
  }

  /** Who sent the message, where the socket was told to ask for that. */
  get credentials(): Credentials | undefined {
    const { size, cmsg_len, cmsg_level, cmsg_type, ALIGN } = cmsghdr;
    const { control } = this;
    for (let at = 0; at + size <= this.controlLength;) {
      const length = Number(control.getBigUint64(at + cmsg_len, true));
      const found = control.getInt32(at + cmsg_level, true) === SOL_SOCKET &&
        control.getInt32(at + cmsg_type, true) === SCM_CREDENTIALS;
      if (found && length >= size + ucred.size) return readCredentials(control, at + size);
      at += Math.max(size, Math.ceil(length / ALIGN) * ALIGN);
    }
    return undefined;
  }
}

/** Where memory is that nobody else has, and that stays as long as its buffer; nowhere when it is empty. */
export function addressOf(memory: ArrayBufferView<ArrayBuffer>): bigint {
  if (memory.byteLength === 0) return 0n;
  const bytes = new Uint8Array(memory.buffer);
  const first = bytes[0]!;
  // Whatever is no number has no digits.
  bytes[0] = 0;
  libc.strtol(bytes, address, 10);
  bytes[0] = first;
  return address[0]! + BigInt(memory.byteOffset);
}

const address = new BigUint64Array(new ArrayBuffer(8));

let shared: MessageBuffer | undefined;

/** A buffer for messages of up to `size` bytes; what came in it is copied out before anything else runs. */
export function messageBuffer(size: number): MessageBuffer {
  if (shared === undefined || shared.data.byteLength < size) shared = new MessageBuffer(size);
  return shared;
}
