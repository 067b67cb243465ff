/** Options of sockets, by number: setsockopt(2) and getsockopt(2). */

import { check } from "@ipc/core/sys";
import { constants } from "./_abi.ts";
import { libc } from "./_libc.ts";

/** Room in the kernel for what was not sent or not received yet. */
export interface BufferOptions {
  /** Bytes that the kernel keeps until they are sent (SO_SNDBUF); it doubles the number. Its own choice unless told. */
  sendBufferSize?: number | undefined;
  /** Bytes that the kernel keeps until they are received (SO_RCVBUF); it doubles the number. Its own choice unless told. */
  receiveBufferSize?: number | undefined;
}

/** Sets an `int`. */
export function setOption(fd: number, level: number, name: number, value: number, what: string): void {
  check(
    libc.setsockopt(fd, level, name, new Int32Array([value]), 4),
    "setsockopt",
    `set ${what} of socket`,
    fd,
  );
}

/** Reads an `int`. */
export function getOption(fd: number, level: number, name: number, what: string): number {
  const value = new Int32Array(1);
  const length = new Uint32Array([4]);
  check(libc.getsockopt(fd, level, name, value, length), "getsockopt", `read ${what} of socket`, fd);
  return value[0]!;
}

/** Throws unless both sizes can be given to the kernel. */
export function checkBuffers(options: BufferOptions): void {
  for (const name of ["sendBufferSize", "receiveBufferSize"] as const) {
    const size = options[name];
    if (size !== undefined && !(Number.isInteger(size) && size > 0 && size <= 0x3fff_ffff)) {
      throw new RangeError(`Cannot use ${size} as ${name}: it is an integer from 1 to 1073741823`);
    }
  }
}

/** Gives the kernel the sizes that are told. */
export function setBuffers(fd: number, { sendBufferSize, receiveBufferSize }: BufferOptions): void {
  if (sendBufferSize !== undefined) {
    setOption(fd, constants.SOL_SOCKET, constants.SO_SNDBUF, sendBufferSize, "the send buffer");
  }
  if (receiveBufferSize !== undefined) {
    setOption(fd, constants.SOL_SOCKET, constants.SO_RCVBUF, receiveBufferSize, "the receive buffer");
  }
}
