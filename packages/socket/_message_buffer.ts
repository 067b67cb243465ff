/** The memory of recvmsg(2): a message, who sent it, and what came with it. */

import { type Bytes, ERRNO } from "@ipc/core";
import { errno, Memory, type OwnedFd } from "@ipc/core/sys";
import { constants, iovec, msghdr, sockaddrUn, syscalls, ucred } from "./_abi.ts";
import { CREDENTIALS_ONLY, eachControlMessage, takeRights, WITH_HANDLES } from "./_control_message.ts";
import { libc, onAddress, onView } from "./_libc.ts";
import { type Credentials, readCredentials } from "./peer.ts";
import { decodeUnixAddress } from "./_unix_address.ts";

const { MSG_CMSG_CLOEXEC, MSG_CTRUNC, MSG_TRUNC, SCM_CREDENTIALS } = constants;
const { recvmsg: RECVMSG } = syscalls;

const NAMELEN = msghdr.msg_namelen / 4;
const CONTROLLEN = msghdr.msg_controllen / 4;
const FLAGS = msghdr.msg_flags / 4;

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

  /**
   * Makes room for a message of `size` bytes with `controlSize` bytes of control messages; where that is none, nothing
   * is told of the sender either.
   */
  constructor(size: number, controlSize: number = CREDENTIALS_ONLY) {
    this.data = new Uint8Array(new ArrayBuffer(size));
    this.control = new DataView(new ArrayBuffer(controlSize));
    this.#iovec.setBigUint64(iovec.iov_base, addressOf(this.data), true);
    this.#iovec.setBigUint64(iovec.iov_len, BigInt(size), true);
    const header = new DataView(this.#header.buffer);
    if (controlSize > 0) header.setBigUint64(msghdr.msg_name, addressOf(this.#name), true);
    header.setBigUint64(msghdr.msg_iov, addressOf(this.#iovec), true);
    header.setBigUint64(msghdr.msg_iovlen, 1n, true);
    header.setBigUint64(msghdr.msg_control, addressOf(this.control), true);
  }

  /**
   * Receives a message, or at most `size` bytes of a stream; the bytes that it has, also where there was not room for
   * all of them, or an errno below 0.
   *
   * System call: `recvmsg`.
   */
  receive(fd: number, flags: number, size?: number): number {
    if (size !== undefined) this.#iovec.setBigUint64(iovec.iov_len, BigInt(size), true);
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
    let found: Credentials | undefined;
    eachControlMessage(this.control, this.controlLength, SCM_CREDENTIALS, (at, length) => {
      if (length >= ucred.size) found = readCredentials(this.control, at);
    });
    return found;
  }

  /** Takes over the descriptors that came; once for each message. */
  takeHandles(): OwnedFd[] {
    return takeRights(this.control, this.controlLength);
  }

  /**
   * Whether anybody sent what came, where the socket was told to ask who: what has a length of 0 is the end otherwise.
   * Where there is no room for the answer, that it was cut off says enough.
   */
  get hasSender(): boolean {
    return this.controlLength > 0 || this.cut;
  }

  /** Whether more control messages came than there was room for. */
  get cut(): boolean {
    return (this.flags & MSG_CTRUNC) !== 0;
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

let bare: MessageBuffer | undefined;
let shared: MessageBuffer | undefined;
let withHandles: MessageBuffer | undefined;

/** A buffer for messages of up to `size` bytes alone; what came in it is copied out before anything else runs. */
export function bareBuffer(size: number): MessageBuffer {
  if (bare === undefined || bare.data.byteLength < size) bare = new MessageBuffer(size, 0);
  return bare;
}

/** The same with room for who sent the message. */
export function messageBuffer(size: number): MessageBuffer {
  if (shared === undefined || shared.data.byteLength < size) shared = new MessageBuffer(size);
  return shared;
}

/** The same with room for descriptors, which are taken over at once. */
export function handleBuffer(size: number): MessageBuffer {
  if (withHandles === undefined || withHandles.data.byteLength < size) {
    withHandles = new MessageBuffer(size, WITH_HANDLES);
  }
  return withHandles;
}
