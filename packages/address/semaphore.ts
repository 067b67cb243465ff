import type { WaitOptions } from "@ipc/core";
import { type Address, parseAddress } from "./address.ts";
import { actionOf } from "./_drivers.ts";

/** How a semaphore is acquired. */
export interface AcquireOptions extends WaitOptions {
  /**
   * Whether the kernel gives back what was acquired when this process ends, however it ends, which it does only where
   * `undoes` is true; false unless told.
   */
  undo?: boolean | undefined;
}

/** What is acquired and released, whatever its mechanism. */
export interface Semaphore extends Disposable {
  /** Whether the kernel can give back what a process has acquired when it ends: System V has that, POSIX has not. */
  readonly undoes: boolean;
  /**
   * Takes `count` units, 1 unless told, all at once, and waits until they are there.
   *
   * @throws {AddressError} if the mechanism has no `undo`, or takes one unit at a time, as POSIX does.
   * @throws {TimeoutError} if they were not within `timeout`.
   * @throws {RemovedError} if somebody removed the semaphore.
   */
  acquire(count?: number, options?: AcquireOptions): Promise<void>;
  /** Gives `count` units back, 1 unless told, or new ones. */
  release(count?: number): void;
  /** Closes this handle; the semaphore stays. */
  close(): void;
}

/**
 * Opens the semaphore of an address; `?index=` chooses one of a set, the first unless told.
 *
 * @throws {AddressError} if the address cannot be read, or is that of something else.
 * @throws {NotFoundError} if there is nothing.
 * @throws {RangeError} if the set has no such member.
 * @throws {UntrustedError} if it is somebody else's, and `?allow-owner=` does not say so.
 *
 * @example
 * ```ts
 * import { make, openSemaphore, remove } from "@ipc/address";
 *
 * const address = await make("sysv-sem:0", { initial: 1 });
 * {
 *   using permit = await openSemaphore(address);
 *   await permit.acquire(1, { timeout: 1000 });
 *   permit.release();
 * }
 * await remove(address);
 * ```
 */
export async function openSemaphore(address: string | Address): Promise<Semaphore> {
  const parsed = typeof address === "string" ? parseAddress(address) : address;
  const open = actionOf(parsed, "openSemaphore");
  return await open(parsed);
}
