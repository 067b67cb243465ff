/** A stream socket out of which descriptors come. */

import { ERRNO, LimitError } from "@ipc/core";
import { abi, failure, type Memory, type OwnedFd } from "@ipc/core/sys";
import { constants } from "./_abi.ts";
import { closeAll, MAX_HANDLES, WITH_HANDLES } from "./_control_message.ts";
import { MessageBuffer } from "./_message_buffer.ts";
import { SocketDescriptor } from "./_socket_descriptor.ts";

const { MSG_DONTWAIT } = constants;
/** What one read brings at most. */
const CHUNK = 64 * 1024;

/** Of its own, for a stream is read in pieces of another size than whole messages. */
let shared: MessageBuffer | undefined;
const buffer = (): MessageBuffer => shared ??= new MessageBuffer(CHUNK, WITH_HANDLES);

/** Descriptors, and where in the stream the bytes ended that they came with. */
interface Arrived {
  readonly end: number;
  readonly handles: OwnedFd[];
  /** Why there are none, or not all. */
  readonly error?: LimitError;
}

/**
 * A stream socket that keeps the descriptors that come, until the message is taken that they belong to.
 *
 * The kernel ends a read behind the bytes of the call that sent descriptors, whatever came before them: so they belong
 * to the message that has the last byte of that read.
 */
export class HandleDescriptor extends SocketDescriptor {
  #arrived: Arrived[] = [];
  /** How many descriptors those are. */
  #count = 0;
  /** How many bytes have been read. */
  #received = 0;

  /** Takes `fd` over. */
  constructor(fd: number) {
    super(fd, { resetIsEnd: true });
  }

  override read(into: Memory): number {
    return this.#receive(into.bytes, MSG_DONTWAIT);
  }

  override readBlocking(into: Memory): number {
    while (true) {
      const count = this.#receive(into.bytes, 0);
      if (count !== -1) return count;
      this.poll(abi.POLLIN, undefined);
    }
  }

  /**
   * The descriptors of what has been taken, which is all but the last `buffered` bytes; they are the caller's.
   *
   * @throws {LimitError} if there was no room for all of them, or they were too many.
   */
  takeHandles(buffered: number): OwnedFd[] {
    const taken = this.#take(buffered);
    const handles = taken.flatMap((each) => each.handles);
    const error = taken.find((each) => each.error !== undefined)?.error ??
      (handles.length > MAX_HANDLES ? tooMany() : undefined);
    if (error === undefined) return handles;
    closeAll(handles);
    throw error;
  }

  /** Closes them, for who did not ask for any. */
  dropHandles(buffered: number): void {
    for (const { handles } of this.#take(buffered)) closeAll(handles);
  }

  /** Closes those that nobody has taken, too. */
  override close(): void {
    for (const { handles } of this.#arrived.splice(0)) closeAll(handles);
    super.close();
  }

  #take(buffered: number): Arrived[] {
    const end = this.#received - buffered;
    let count = 0;
    while (count < this.#arrived.length && this.#arrived[count]!.end <= end) count++;
    const taken = this.#arrived.splice(0, count);
    for (const { handles } of taken) this.#count -= handles.length;
    return taken;
  }

  #receive(into: Uint8Array, flags: number): number {
    const count = buffer().receive(this.fd, flags, Math.min(into.byteLength, CHUNK));
    if (count === -ERRNO.EAGAIN) return -1;
    if (count === -ERRNO.ECONNRESET) return 0;
    if (count < 0) throw failure(-count, "recvmsg", "receive from socket", this.target);
    if (count === 0) return 0;
    this.#received += count;
    this.#keep(buffer().takeHandles(), buffer().cut);
    into.set(buffer().data.subarray(0, count));
    return count;
  }

  #keep(handles: OwnedFd[], cut: boolean): void {
    if (handles.length === 0 && !cut) return;
    const end = this.#received;
    // Those of a message that is not whole yet, and of the one behind it.
    const flood = this.#count + handles.length > 2 * MAX_HANDLES;
    if (!cut && !flood) {
      this.#count += handles.length;
      this.#arrived.push({ end, handles });
      return;
    }
    closeAll(handles);
    for (const each of this.#arrived) closeAll(each.handles);
    this.#count = 0;
    // The one error is told with whichever message was the first to have some.
    const first = this.#arrived[0]?.end ?? end;
    this.#arrived = [{ end: first, handles: [], error: cut ? handlesCut() : tooMany() }];
  }
}

/** The error where the kernel had descriptors, and this process no room for them. */
export function handlesCut(): LimitError {
  return new LimitError("Cannot receive all handles of a message: those that came were closed", {
    code: "EMFILE",
    syscall: "recvmsg",
    hint: "close what is not needed, or raise the limit of open files (ulimit -n)",
  });
}

function tooMany(): LimitError {
  return new LimitError(
    `Cannot receive more than ${MAX_HANDLES} handles with a message: all that came were closed`,
    { syscall: "recvmsg" },
  );
}
